"""Canned answers, and a small policy file to vary, for tests of the engine."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.context import Context, Facts
from cds_service.evidence.orders import OrderGroup
from cds_service.policies.criteria import NOT_APPLICABLE, Outcome, Row
from cds_service.policies.library import (
    FRAGMENTS,
    PolicyLibrary,
    default_library,
    load_library,
    shipped,
)
from cds_service.policies.routing import load_table
from cds_service.record.model import Hole
from cds_service.record.reader import record_of_bundle
from cds_service.review import Rules
from cds_service.terminology import Terminology

DAY = date(2026, 3, 16)
ZONE = ZoneInfo("America/New_York")
HOLE = Hole("conditions", "Condition", "timeout")
MEMBER = {
    "resourceType": "Coverage",
    "id": "c1",
    "status": "active",
    "beneficiary": {"reference": "Patient/p1"},
    "payor": [{"display": "Commonwealth Care Alliance"}],
    "class": [{"type": {"coding": [{"code": "plan"}]}, "value": "CCA-SCO"}],
}
NOWHERE = Context(None, None, None, {})  # for parts that ask nothing of a record
MET, NOT_MET, UNKNOWN, NA = Status.MET, Status.NOT_MET, Status.UNKNOWN, Status.NA

SMALL = """
policy: small
title: A small policy
short: Small
payer: Nobody
version: "1"
effective: {start: "2020-01-01", end: null}
source: {id: S9, title: Small text}
codes: ["97124"]
root: X
parameters:
  old: {value: 90, unit: d, source: S9 L1}
  twelve: {value: 12, unit: visits, source: S9 L2}
criteria:
  X:
    text: Everything
    source: S9 L1
    all: [X-1, X-2]
  X-1:
    text: Chronic pain
    source: S9 L1
    decide:
      - when: {condition: {in: [chronic-pain], onset: {older-than: $old}}}
        is: met
      - else: unknown
        asks: [X-D1]
  X-2:
    text: Visits
    source: S9 L2
    decide:
      - when: {number: {of: order.visits, at-most: $twelve}}
        is: met
      - when: {number: {of: order.visits, above: $twelve}}
        is: not-met
        supports: {visits: $twelve}
      - else: unknown
items:
  X-D1: {text: The diagnosis, source: S9 L1}
safety:
  X-S1:
    text: Broken bone
    source: S9 L3
    evidence:
      - {grade: S, is: {condition: {in: [fracture], use: safety}}}
    judge:
      - {if: {site: [only]}, urgency: caution, effect: stop}
      - {if: {site: [among, unknown]}, urgency: caution, effect: hold, asks: [X-D1]}
      - {else: caution, effect: none}
    criterion: X-S
overlay:
  covered-by: {OVERLAY-FRACTURE: [X-S1]}
  ed-now: {effect: hold, asks: [X-D1]}
"""


def says(status: Status, *references: str, holes: tuple[Hole, ...] = ()):
    """Return a leaf that always answers the same."""
    answer = Answer(status, tuple(found(name) for name in references), holes)
    return lambda _context: answer


def found(reference: str, value: str | None = None) -> Finding:
    return Finding(reference, "2026-03-01", value, "Something")


def row(answer: Any, status: Status, **more: Any) -> Row:
    return Row(answer, status, **more)


def no_other(_name: str) -> Outcome:
    return NOT_APPLICABLE


def small(**changes: Any) -> dict[str, Any]:
    """Return the small policy as data; a change names a place `criteria.X-1.text`."""
    return changed(yaml.safe_load(SMALL), changes)


def changed(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for place, value in changes.items():
        *way, last = place.split("/")
        node = data
        for step in way:
            node = node[step]
        if value is None:
            node.pop(last)
        else:
            node[last] = value
    return data


def fragments() -> list[tuple[str, str]]:
    return [entry for entry in shipped() if entry[0] in FRAGMENTS]


def library(*policies: dict[str, Any]) -> PolicyLibrary:
    texts = [(f"policy-{i}.yaml", yaml.safe_dump(data)) for i, data in enumerate(policies)]
    return load_library([*fragments(), *texts])


@cache
def rules() -> Rules:
    return Rules(default_library(), load_table(), Terminology.load(), ZONE)


def order(visits: int | None = 4, site: str | None = "Neck", **more: Any) -> dict[str, Any]:
    repeat = {"occurrenceTiming": {"repeat": {"count": visits}}} if visits else {}
    where = {"bodySite": [{"text": site}]} if site else {}
    code = {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "97124"}]}
    head = {"resourceType": "ServiceRequest", "id": "o1", "status": "draft", "intent": "order"}
    return {**head, "authoredOn": "2026-03-16", "code": code, **repeat, **where, **more}


def condition(code: str, identifier: str, onset: str = "2025-01-05", **more: Any) -> dict[str, Any]:
    icd = "http://hl7.org/fhir/sid/icd-10-cm"
    made = {
        "resourceType": "Condition",
        "id": identifier,
        "subject": {"reference": "Patient/p1"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": more.pop("verification", "confirmed")}]},
        "code": {"coding": [{"system": icd, "code": code}]},
        "onsetDateTime": onset,
    }
    return {**made, **more}


def verdict(
    data: dict[str, Any],
    *resources: dict[str, Any],
    orders: list[dict[str, Any]] | None = None,
    acknowledged: tuple[str, ...] = (),
    supposed: tuple[str, ...] = (),
):
    """Return what a policy says of a complete record."""
    policy = library(data).policy(data["policy"], DAY)
    record = record_of_bundle("p1", list(resources))
    drafts = orders or [order()]
    facts = Facts(record, drafts, DAY, ZONE, Terminology.load(), policy.numbers)
    group = OrderGroup.of(facts)
    answered = dict.fromkeys(acknowledged, DAY)
    asked = Context(facts, group, None, policy.numbers, answered, frozenset(supposed))
    return policy.evaluate(asked)


def statuses(made: Any) -> dict[str, str]:
    return {item.id: item.status.value for item in made.criteria}


def blocking(made: Any) -> list[str]:
    return [item.id for item in made.missing if item.blocking]


def flags(made: Any) -> dict[str, tuple[str, str]]:
    return {item.id: (item.urgency, item.effect) for item in made.safety}
