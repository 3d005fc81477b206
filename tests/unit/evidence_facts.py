"""A small terminology and short records, for tests of evidence."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from cds_service.evidence import vocabulary
from cds_service.evidence.context import LEAVES, Context, Facts
from cds_service.evidence.orders import OrderGroup
from cds_service.record.model import Hole, PatientRecord

vocabulary.load()

DAY = date(2026, 3, 16)
ZONE = ZoneInfo("America/New_York")
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED = "http://snomed.info/sct"
CPT = "http://www.ama-assn.org/go/cpt"
NUCC = "http://nucc.org/provider-taxonomy"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0360"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"

VALUE_SETS = {
    "M54.5": {"low-back-pain", "musculoskeletal-pain"},
    "M54.2": {"neck-pain", "musculoskeletal-pain"},
    "279039007": {"low-back-pain", "musculoskeletal-pain"},
    "G89.29": {"chronic-pain"},
    "F33.42": {"depression"},
    "F41.1": {"anxiety"},
    "I82.4": {"blood-clot", "acute-clot"},
    "Z73.3": {"stress"},
    "Y99.0": {"work-related-cause"},
    "C50": {"cancer"},
    "97124": {"massage-procedure", "timed-procedure"},
    "97140": {"massage-procedure", "timed-procedure"},
    "97110": {"massage-companion-procedure", "timed-procedure"},
    "98960": {"massage-companion-procedure"},
    "225700000X": {"role-massage-therapist", "role-manual-practitioner"},
    "225100000X": {"role-physical-therapist", "role-manual-practitioner"},
    "207Q00000X": {"role-physician"},
    "MD": {"role-physician"},
    "lanolin": {"massage-oil-allergens"},
}
REGIONS = {
    "lumbar": "low-back",
    "low back": "low-back",
    "neck": "neck",
    "lower leg": "lower-leg",
    "leg": "lower-leg upper-leg",
}


class SmallTerminology:
    """A handful of codes by prefix, and regions by word."""

    site = None

    def classify(self, codings: Any) -> frozenset[str]:
        return frozenset(
            name
            for system, code in codings
            if system
            for prefix, names in VALUE_SETS.items()
            if code.startswith(prefix)
            for name in names
        )

    def regions_of(self, codings: Any, text: str | None) -> tuple[frozenset[str], str | None]:
        words = (text or "").lower()
        side = next((one for one in ("left", "right") if one in words), None)
        word = next((word for word in REGIONS if word in words), None)
        return frozenset(REGIONS[word].split() if word else ()), side


def concept(code: str | None, text: str | None = None, system: str = ICD) -> dict[str, Any]:
    written: dict[str, Any] = {"coding": [{"system": system, "code": code}]} if code else {}
    return {**written, "text": text} if text else written


def condition(code: str, identifier: str = "c1", **more: Any) -> dict[str, Any]:
    made = {
        "resourceType": "Condition",
        "id": identifier,
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "code": concept(code, more.pop("text", None), more.pop("system", ICD)),
        "onsetDateTime": "2025-01-05",
    }
    for name in ("clinicalStatus", "verificationStatus"):
        if name in more and isinstance(more[name], str):
            more[name] = {"coding": [{"code": more[name]}]}
    return {name: value for name, value in {**made, **more}.items() if value is not None}


def order(code: str | None = "97124", identifier: str | None = "o1", **more: Any) -> dict[str, Any]:
    made = {
        "resourceType": "ServiceRequest",
        "id": identifier,
        "status": "draft",
        "intent": "order",
        "code": concept(code, more.pop("text", None), CPT),
        "authoredOn": "2026-03-16",
    }
    return {name: value for name, value in {**made, **more}.items() if value is not None}


def timing(**repeat: Any) -> dict[str, Any]:
    return {"occurrenceTiming": {"repeat": repeat}}


def record_of(*resources: dict[str, Any], holes: tuple[str, ...] = ()) -> PatientRecord:
    by_type: dict[str, list[dict[str, Any]]] = {}
    for resource in resources:
        by_type.setdefault(resource["resourceType"], []).append(resource)
    return PatientRecord(
        "p1",
        by_type,
        {f"{one['resourceType']}/{one.get('id')}": one for one in resources},
        {key: (Hole(key, f"{key}?", "timeout"),) for key in holes},
    )


def facts_of(
    *resources: dict[str, Any], orders: Any = None, holes: tuple[str, ...] = (), day: date = DAY
) -> Facts:
    drafts = [order()] if orders is None else orders
    terminology: Any = SmallTerminology()
    return Facts(record_of(*resources, holes=holes), drafts, day, ZONE, terminology, {})


def context_of(
    *resources: dict[str, Any],
    orders: Any = None,
    holes: tuple[str, ...] = (),
    coverage: Any = None,
    day: date = DAY,
) -> Context:
    facts = facts_of(*resources, orders=orders, holes=holes, day=day)
    return Context(facts, OrderGroup.of(facts), coverage, {})


def ask(name: str, spec: dict[str, Any], context: Context) -> Any:
    return LEAVES[name].make(_numbers(spec))(context)


def _numbers(node: Any) -> Any:
    if isinstance(node, bool):
        return node
    if isinstance(node, int | float):
        return Fraction(str(node))
    if isinstance(node, dict):
        return {key: _numbers(value) for key, value in node.items()}
    return [_numbers(value) for value in node] if isinstance(node, list) else node
