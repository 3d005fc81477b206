"""Which policy answers for a coverage: the table of payers (G-16)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from cds_service.evidence.coverage import CoverageFact, Identifier

TABLE = Path(__file__).with_name("payers.yaml")
SCHEMA = Path(__file__).with_name("schemas") / "payers.schema.json"


class PayersError(ValueError):
    """The table of payers cannot be used; the message names file, place and remedy."""


@dataclass(frozen=True, slots=True)
class PayerEntry:
    """One row: a payor and product, the policy that answers (None: known, not routed)."""

    payor: Identifier
    names: frozenset[str]
    plan: str | None
    policy: str | None
    line_of_business: str | None


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


NOT_LISTED = Route(None, None, known=False, product_known=False)


@lru_cache(maxsize=4)
def load_table(path: Path = TABLE) -> tuple[PayerEntry, ...]:
    """Read a table of payers; raise PayersError when it is not one."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
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
    )


def route(coverage: CoverageFact, table: Iterable[PayerEntry]) -> Route:
    """Return where a coverage leads: by payor identifier and plan, else by payor name.

    Of a known payor whose product is not stated or not listed, the policy is known only when all
    its products lead to the same one; the line of business stays open.
    """
    entries = _of_payor(coverage, tuple(table))
    if not entries:
        return NOT_LISTED
    plans = {value for kind, value, _ in coverage.plan_classes if kind == "plan"}
    entry = next((one for one in entries if one.plan is None or one.plan in plans), None)
    if entry:
        return Route(entry.policy, entry.line_of_business, known=True, product_known=True)
    policies = {one.policy for one in entries}
    policy = policies.pop() if len(policies) == 1 else None
    return Route(policy, None, known=True, product_known=False)


def routed(coverage: CoverageFact, table: Iterable[PayerEntry]) -> tuple[CoverageFact, Route]:
    """Return the coverage with its line of business, and where it leads."""
    found = route(coverage, table)
    return coverage.of_line(found.line_of_business), found


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
