"""A small record, one question to it: what the evidence tests share."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from cds_service.evidence.answer import Answer
from cds_service.evidence.context import LEAVES, Context, Facts
from cds_service.evidence.orders import OrderGroup
from cds_service.evidence.quantities import QUANTITIES, Quantity
from cds_service.record.model import Hole, PatientRecord, Resource
from cds_service.terminology import Terminology

DAY = date(2026, 3, 16)
ZONE = ZoneInfo("America/New_York")
CPT = "http://www.ama-assn.org/go/cpt"
LOINC = "http://loinc.org"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
BASE = "https://massage-cds.example.org/fhir"


@cache
def shared_numbers() -> dict[str, Fraction]:
    """Return the shared parameters and those of the measure catalogue."""
    shared = files("cds_service.policies").joinpath("library/shared.yaml")
    measures = files("cds_service.terminology").joinpath("measures.yaml")
    parameters = {
        **yaml.safe_load(measures.read_text())["parameters"],
        **yaml.safe_load(shared.read_text())["parameters"],
    }
    return {name: Fraction(str(one["value"])) for name, one in parameters.items()}


def ago(days: int) -> str:
    """Return the day that many days before the order."""
    return (DAY - timedelta(days=days)).isoformat()


def coded(code: str, system: str = CPT) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def holes(*keys: str) -> dict[str, tuple[Hole, ...]]:
    return {key: (Hole(key, key.title(), "timeout"),) for key in keys}


def context(
    *resources: Resource,
    orders: tuple[Resource, ...] = (),
    unread: tuple[str, ...] = (),
    numbers: dict[str, Fraction] | None = None,
) -> Context:
    by_type: dict[str, list[Resource]] = {}
    for position, resource in enumerate(resources):
        resource.setdefault("id", f"r{position}")
        by_type.setdefault(resource["resourceType"], []).append(resource)
    by_reference = {f"{one['resourceType']}/{one['id']}": one for one in resources}
    record = PatientRecord("p", by_type, by_reference, holes(*unread))
    known = {**shared_numbers(), **(numbers or {})}
    facts = Facts(record, orders, DAY, ZONE, Terminology.load(), known)
    return Context(facts, OrderGroup.of(facts) if orders else None, None, known)


def ask(name: str, spec: dict[str, Any], *resources: Resource, **about: Any) -> Answer:
    """Ask one leaf about a record made of the resources."""
    return LEAVES[name].make(spec)(context(*resources, **about))


def status(name: str, spec: dict[str, Any], *resources: Resource, **about: Any) -> str:
    return ask(name, spec, *resources, **about).status.value


def count(name: str, *resources: Resource, **about: Any) -> Quantity:
    return QUANTITIES[name].of(context(*resources, **about))


def visit(day: str, cpt: str = "97124", **more: Any) -> Resource:
    return {
        "resourceType": "Procedure",
        "id": f"visit-{day}-{cpt}",
        "status": "completed",
        "code": coded(cpt),
        "performedDateTime": day,
        **more,
    }


ODD: tuple[Any, ...] = (None, 7, "x", [], {}, [None], [7], {"coding": None}, {"coding": [{}]}, True)


def odd(resource_type: str, *names: str) -> list[Resource]:
    """Return resources whose fields hold values of every wrong type."""
    return [
        {"resourceType": resource_type, "id": f"odd-{name}-{position}", name: value}
        for name in names
        for position, value in enumerate(ODD)
    ]


def observation(
    day: str | None, value: Any, code: str = "72514-3", unit: str | None = "{score}", **more: Any
) -> Resource:
    system = LOINC if code[0].isdigit() else f"{BASE}/CodeSystem/measures"
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": coded(code, system),
        "effectiveDateTime": day,
        "valueQuantity": {"value": value, "unit": unit, "code": unit},
        **more,
    }
