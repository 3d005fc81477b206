"""What a CRD client asks for in `extension`: a version, and what it wants to be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cds_service.crd.members import RefusalError
from cds_service.crd.table import BOTH, TABLE, Json, load

VERSION = "davinci-crd.version"
REQUESTED = "davinci-crd.requestedVersion"
OPTIONS = "davinci-crd.configuration-options"
CONFIGURATION = "davinci-crd.configuration"
ASSOCIATED = "davinci-crd.associated-resource"

COVERAGE = "coverage-info"
MOST = "max-cards"

_SERVICES = load("services.yaml")
HOOKS = tuple(_SERVICES["services"])


@dataclass(frozen=True)
class Wishes:
    """What a call asks for: the version it speaks, "both" where it names none, and its options.

    Options that are unknown, or of another type than they have, are ignored.
    """

    version: str = BOTH
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def wants(self, topic: str) -> bool:
        """Whether responses of a type are to be sent."""
        return self.chosen.get(topic) is not False

    def fitting(self, cards: Sequence[Json]) -> list[Json]:
        """Return the cards that are wanted, as many of them as are, the most urgent first."""
        wanted = [card for card in cards if self.wants(card["source"]["topic"]["code"])]
        return wanted[: self._most()]

    def _most(self) -> int:
        default = next(one["default"] for one in _SERVICES["options"] if one["code"] == MOST)
        most = self.chosen.get(MOST)
        stated = isinstance(most, int) and not isinstance(most, bool) and most >= 0
        return most if stated and isinstance(most, int) else int(default)


def wishes_of(extension: Mapping[str, Any]) -> Wishes:
    """Return what a call asks for; raises RefusalError for a version that is not spoken here."""
    version = extension.get(REQUESTED)
    known = TABLE["versions"]
    if version is not None and version not in known:
        words = f"{REQUESTED} names no version that is spoken here: {', '.join(known)}."
        raise RefusalError(422, "not-supported", words, f"extension.{REQUESTED}")
    chosen = extension.get(CONFIGURATION)
    return Wishes(version or BOTH, chosen if isinstance(chosen, dict) else {})


def discovery_of(hook: str) -> Json:
    """Return the extension of a service's entry in discovery."""
    left_out = _SERVICES["services"][hook].get("without", ())
    offered = [one for one in _SERVICES["options"] if one["code"] not in left_out]
    return {VERSION: list(TABLE["versions"]), OPTIONS: offered}


def service_of(hook: str) -> Json:
    """Return id, title, description and usage of the service for a hook."""
    stated: Json = _SERVICES["services"][hook]
    return {"usage": _SERVICES["usage"], **stated}


def prefetch_of(hook: str, portable: Mapping[str, str]) -> dict[str, str]:
    """Return the portable templates with those of the guide beside them, under their own keys."""
    return {**portable, **guide_of(hook)}


def guide_of(hook: str) -> dict[str, str]:
    """Return the guide's templates for a hook, by key."""
    templates: Mapping[str, str] = _SERVICES["prefetch"][_SERVICES["services"][hook]["prefetch"]]
    return dict(templates)


def lent_by(prefetch: Mapping[str, Any], types: Iterable[str]) -> list[Json]:
    """Return the resources of some types under the guide's keys, to which references may lead."""
    wanted = frozenset(types)
    values = (prefetch.get(key) for key in _SERVICES["lent"])
    found = (resource for value in values for resource in _resources(value))
    return [
        one for one in found if isinstance(kind := one.get("resourceType"), str) and kind in wanted
    ]


def _resources(value: Any) -> Iterable[Json]:
    if not isinstance(value, dict):
        return
    entries = value.get("entry") if value.get("resourceType") == "Bundle" else [{"resource": value}]
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield resource
