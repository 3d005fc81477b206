"""Where a finding lies, seen from the sites the orders treat."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.evidence.answer import Status
from cds_service.evidence.orders import OrderGroup, Site

ONLY, AMONG, ELSEWHERE, UNKNOWN = "only", "among", "elsewhere", "unknown"


def relation(regions: frozenset[str], side: str | None, group: OrderGroup) -> str:
    """Return how an area relates to the ordered sites.

    `only`: every ordered site lies in the area; `among`: some do, or one does in part;
    `elsewhere`: none does; `unknown`: the orders name no site, or one that is not understood, or
    the area is not known. A side that one of the two leaves open agrees with both.
    """
    return _relation(regions, side, group.sites)


def at_site(regions: frozenset[str], side: str | None, sites: Sequence[Site]) -> Status:
    """Whether an area is among the sites."""
    where = _relation(regions, side, sites)
    if where == UNKNOWN:
        return Status.UNKNOWN
    return Status.NOT_MET if where == ELSEWHERE else Status.MET


def at_ordered_site(regions: frozenset[str], side: str | None, group: OrderGroup) -> Status:
    """Whether an area is treated."""
    return at_site(regions, side, group.sites)


def _relation(regions: frozenset[str], side: str | None, sites: Sequence[Site]) -> str:
    if not regions or not sites:
        return UNKNOWN
    touched = [_touches(site, regions, side) for site in sites]
    whole = [hit and site.regions <= regions for hit, site in zip(touched, sites, strict=True)]
    if all(whole):
        return ONLY
    if any(touched):
        return AMONG
    return ELSEWHERE if all(site.regions for site in sites) else UNKNOWN


def _touches(site: Site, regions: frozenset[str], side: str | None) -> bool:
    sides_agree = side is None or site.side is None or side == site.side
    return sides_agree and bool(site.regions & regions)
