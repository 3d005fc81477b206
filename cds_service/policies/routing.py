"""Which policy answers for a coverage: the table of payers (G-16)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from cds_service.evidence.coverage import CoverageFact, Identifier
from cds_service.local import Site
from cds_service.terminology.measures import Loader

TABLE = Path(__file__).with_name("payers.yaml")
SCHEMA = Path(__file__).with_name("schemas") / "payers.schema.json"


class PayersError(ValueError):
    """The table of payers cannot be used; the message names file, place and remedy."""


@dataclass(frozen=True, slots=True)
class PayerEntry:
    """One row: a payor and product, the policy that answers (None: known, not routed).

    A product is met by the code `plan` of the plan's class or by its name, `title`. `via` says
    which mapping of the site the row stands for: its product is met by value or name of any class.
    """

    payor: Identifier
    names: frozenset[str]
    plan: str | None
    policy: str | None
    line_of_business: str | None
    title: str | None = None
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Where a coverage leads.

    `policy` is None when nothing is routed; `known` whether the payor is in the table;
    `product_known` whether the product is.
    """

    policy: str | None
    line_of_business: str | None
    known: bool
    product_known: bool
    via: str | None = None


NOT_LISTED = Route(None, None, known=False, product_known=False)


@lru_cache(maxsize=4)
def load_table(path: Path = TABLE) -> tuple[PayerEntry, ...]:
    """Read a table of payers; raise PayersError when it is not one."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except (OSError, yaml.YAMLError) as unreadable:
        raise PayersError(
            f"{path}: not readable ({unreadable}); give a YAML map `payers`"
        ) from None
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for error in Draft202012Validator(schema).iter_errors(content):
        place = "/".join(str(part) for part in error.absolute_path) or "top"
        raise PayersError(f"{path}: {place}: {error.message}; see schemas/payers.schema.json")
    return tuple(_entry(row) for row in content["payers"])


def _entry(row: Mapping[str, Any]) -> PayerEntry:
    product = row.get("plan-class") or {}
    return PayerEntry(
        payor=(row["payor"]["system"], row["payor"]["value"]),
        names=frozenset(_plain(name) for name in row.get("names", ())),
        plan=product.get("value"),
        policy=row["policy"],
        line_of_business=row.get("line-of-business"),
        title=_plain(product["name"]) if "name" in product else None,
    )


def route(coverage: CoverageFact, table: Iterable[PayerEntry]) -> Route:
    """Return where a coverage leads: by payor identifier and plan, else by payor name.

    Of a known payor whose product is not stated or not listed, the policy is known only when all
    its products lead to the same one; the line of business stays open.
    """
    entries = _of_payor(coverage, tuple(table))
    if not entries:
        return NOT_LISTED
    entry = next((one for one in entries if _of_product(coverage, one)), None)
    if entry:
        return Route(entry.policy, entry.line_of_business, True, True, entry.via)
    policies = {one.policy for one in entries}
    policy = policies.pop() if len(policies) == 1 else None
    return Route(policy, None, known=True, product_known=False)


def routed(coverage: CoverageFact, table: Iterable[PayerEntry]) -> tuple[CoverageFact, Route]:
    """Return the coverage with its line of business, and where it leads."""
    found = route(coverage, table)
    return coverage.of_line(found.line_of_business, found.via), found


def taken_as(coverage: CoverageFact, entry: PayerEntry) -> tuple[CoverageFact, Route]:
    """Return the coverage as if it were of that row, and where the row leads."""
    line = entry.line_of_business
    return coverage.of_line(line), Route(entry.policy, line, known=True, product_known=True)


def with_site(table: Sequence[PayerEntry], site: Site) -> tuple[PayerEntry, ...]:
    """Return the table with rows for the payors and products as a site names them, first."""
    local = (
        replace(
            row,
            payor=one.identifier or row.payor,
            names=frozenset({_plain(one.name)}) if one.name else frozenset(),
            plan=_plain(one.product) if one.product else None,
            title=None,
            via=one.via,
        )
        for one in site.routes
        for row in table
        if row.payor[1] == one.is_payor and one.is_product in (None, row.plan)
    )
    return (*local, *table)


def _of_product(coverage: CoverageFact, entry: PayerEntry) -> bool:
    """Whether a coverage is of the product of a row: by its code, at a site by code or name."""
    if entry.plan is None:
        return True
    if entry.via is None:
        plans = [(value, name) for kind, value, name in coverage.plan_classes if kind == "plan"]
        titles = {_plain(name) for _, name in plans if name}
        return any(value == entry.plan for value, _ in plans) or entry.title in titles
    said = (text for _, value, name in coverage.plan_classes for text in (value, name) if text)
    return entry.plan in map(_plain, said)


def _of_payor(coverage: CoverageFact, table: tuple[PayerEntry, ...]) -> list[PayerEntry]:
    identifiers = {one for payor in coverage.payors for one in payor.identifiers}
    by_identifier = [entry for entry in table if entry.payor in identifiers]
    if by_identifier:
        return by_identifier
    names = {_plain(name) for payor in coverage.payors for name in payor.names}
    systems = {system for system, _ in identifiers}
    return [e for e in table if e.names & names and e.payor[0] not in systems]


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
