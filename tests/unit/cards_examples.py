"""Evaluations made by hand: the five models a clinician wants to see, and their parts."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

from msgspec.structs import replace

from cards import CardRequest
from cds_service.evaluation import (
    Amount,
    CriterionResult,
    Evaluation,
    MissingItem,
    PolicyHead,
    SafetyFinding,
)
from cds_service.evidence.answer import Finding, Status
from cds_service.record.model import Hole, PatientRecord

DAY = date(2026, 3, 16)
HOOK = "16fcf044-f40f-5e28-a31c-4fd0963f54ed"
CPT = "http://www.ama-assn.org/go/cpt"

CCA = PolicyHead(
    id="cca-mng-084",
    title="CCA MNG 084 Massage Therapy",
    short="CCA",
    payer="Commonwealth Care Alliance",
    version="2022-05-30",
    source="Medical Necessity Guideline 084",
    review_due=date(2023, 5, 30),
)
EVICORE = PolicyHead(
    id="evicore-massage-2017",
    title="eviCore Massage Therapy",
    short="eviCore",
    payer="Cascadia Health Plan",
    version="V1.0.2017",
    source="Massage Therapy Services",
)
VHA = PolicyHead(
    id="vha-cdi-00036",
    title="VHA CDI 00036 Medical Massage Therapy",
    short="VHA",
    payer="VA",
    version="2025-06-01",
    source="CDI 00036",
    draft=True,
    route="The referring clinician may document why care is appropriate.",
)

CHRONIC_PAIN = Finding("Condition/c1", "2025-02-09", "G89.29", "Chronic low back pain")
CLOT = Finding("Condition/clot", "2026-03-14", "I82.401", "Acute DVT right leg", side="right")


def order(identity: str | None = "sr-1", code: str = "97124", **more: Any) -> dict[str, Any]:
    """Return a draft order with an element that nobody knows."""
    made: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "id": identity,
        "status": "draft",
        "intent": "order",
        "code": {"coding": [{"system": CPT, "code": code}], "text": "Massage"},
        "subject": {"reference": "Patient/p1"},
        "occurrenceTiming": {
            "repeat": {"count": 6, "frequency": 2, "period": 1, "periodUnit": "wk"}
        },
        "extension": [{"url": "http://example.org/unknown", "valueString": "kept"}],
    }
    made |= more
    return {key: value for key, value in made.items() if value is not None}


def request(*orders: dict[str, Any], **more: Any) -> CardRequest:
    """Return the call for these orders (one order unless told)."""
    drafts = orders or (order(),)
    named = {
        f"ServiceRequest/{item['id']}" if "id" in item else f"#{place}": item
        for place, item in enumerate(drafts)
    }
    given = {"user": "Practitioner/dr", "day": DAY, **more}
    return CardRequest(hook_instance=HOOK, patient="Patient/p1", orders=named, **given)


def record(*resources: dict[str, Any]) -> PatientRecord:
    """Return a record that resolves these resources."""
    named = {f"{item['resourceType']}/{item['id']}": item for item in resources}
    return PatientRecord("p1", {}, named)


def criterion(
    identity: str, status: str, text: str, *evidence: Finding, **more: Any
) -> CriterionResult:
    """Return a leaf of the tree."""
    return CriterionResult(
        id=identity,
        status=Status(status),
        text=text,
        source="S2 L65",
        evidence=evidence,
        parent="ROOT",
        **more,
    )


def evaluation(**more: Any) -> Evaluation:
    """Return an evaluation against CCA; what a test is about comes in `more`."""
    given: dict[str, Any] = {
        "orders": ("ServiceRequest/sr-1",),
        "day": DAY,
        "coverage": "Coverage/cov-1",
        "policy": CCA,
        "determination": "conditional",
        "digest": "d1",
    }
    return Evaluation(**(given | more))


def item(identity: str, text: str, blocking: bool = True, **more: Any) -> MissingItem:
    """Return a missing item."""
    return MissingItem(id=identity, blocking=blocking, text=text, **more)


def clot(**more: Any) -> SafetyFinding:
    """Return the red flag of a clot as eviCore's tables raise it."""
    given: dict[str, Any] = {
        "id": "EV-RF27",
        "urgency": "ED-now",
        "effect": "stop",
        "text": "Blood clot in the leg - no massage",
        "source": "S0 L1766",
        "policy": "evicore-massage-2017",
        "suspected": True,
        "sections": ("Red flags",),
        "suggests": ("withdraw-order", "refer-emergency"),
        "evidence": (CLOT,),
    }
    return SafetyFinding(**(given | more))


def k1() -> Evaluation:
    """Return: criteria appear met, visit 12 of 12 of an extension."""
    return evaluation(
        determination="covered",
        prior_auth="required",
        limits={"visits": 12, "period": "P1Y"},
        facts={"visits.year": Fraction(11), "order.visits": Fraction(1)},
        criteria=(
            CriterionResult("ROOT", Status.MET, "All conditions", "S2 L64", operator="all"),
            criterion("CCA-E2", "met", "Diagnosis (chronic pain)", CHRONIC_PAIN),
            criterion(
                "CCA-D4a",
                "met",
                "New PROMIS-29 before extension",
                Finding("Observation/o2", "2026-03-14", "57 (T-score)", "Pain interference"),
                Finding("Observation/o1", "2025-12-28", "66 (T-score)", "Pain interference"),
            ),
            criterion("CCA-E4", "met", "Code in scope"),
        ),
    )


def k2() -> Evaluation:
    """Return: one item needed (eviCore, week 3)."""
    return evaluation(
        policy=EVICORE,
        criteria=(
            criterion(
                "EV-P2",
                "met",
                "Half less limitation in daily activities by week 3",
                Finding("Observation/odi2", "2026-03-15", "18 %", "ODI"),
                Finding("Observation/odi1", "2026-02-22", "40 %", "ODI"),
            ),
            criterion(
                "EV-P1",
                "unknown",
                "Half less pain by week 3",
                Finding("Observation/n2", "2026-03-15", "4", "NPRS"),
                Finding("Observation/n1", "2026-02-22", "7", "NPRS"),
                because="NPRS 7 to 4 is 43% less, below 50%",
            ),
        ),
        missing=(
            item("EV-D14", "A note on greater capacity or longer relief (week 3 pain target)"),
            item("EV-D10", "Home program", blocking=False),
        ),
    )


def k3() -> Evaluation:
    """Return: criteria not met (VHA continuation)."""
    return evaluation(
        policy=VHA,
        determination="not-covered",
        criteria=(
            criterion("VHA-P1", "met", "Back pain", CHRONIC_PAIN),
            criterion(
                "VHA-C3",
                "not-met",
                "Significant response",
                Finding("Observation/odi3", "2026-03-14", "39 %", "ODI"),
                because="no clinically significant response on record",
                would_change=("return to work, if documented", "a measured, lasting improvement"),
            ),
        ),
    )


def k4() -> Evaluation:
    """Return: emergency red flag (eviCore)."""
    return evaluation(
        policy=EVICORE,
        determination="not-covered",
        criteria=(criterion("EV-C4", "not-met", "No open red flag", CLOT),),
        safety=(clot(),),
    )


def k5() -> Evaluation:
    """Return: pregnancy, consult not found (CCA, first session)."""
    pregnancy = Finding("Condition/preg", "2025-12-06", "Z34.91", "Pregnancy")
    return evaluation(
        prior_auth="required",
        criteria=(criterion("CCA-E2", "met", "Diagnosis (chronic pain)", CHRONIC_PAIN),),
        missing=(
            item("CCA-D7", "PCP or OB/GYN consult (pregnancy)", action="refer-obgyn"),
            item(
                "CCA-D2",
                "PROMIS-29, or another score of function and comfort",
                blocking=False,
                action="order-promis-29",
            ),
        ),
        safety=(
            SafetyFinding(
                "CCA-S5",
                "specialist",
                "hold",
                "Pregnancy - PCP or OB/GYN consult before massage",
                "S2 L111",
                "cca-mng-084",
                suggests=("refer-obgyn", "refer-pcp"),
                asks=("CCA-D7",),
                evidence=(pregnancy,),
            ),
        ),
    )


def same_clot_under_cca() -> Evaluation:
    """Return the clot of `k4` as CCA sees it, under a second coverage."""
    return evaluation(
        coverage="Coverage/cov-2",
        digest="d2",
        safety=(
            replace(
                clot(),
                id="CCA-S3a",
                effect="hold",
                source="S2 L100",
                sections=("Limitations/Exclusions",),
                policy="cca-mng-084",
                text="Blood clot - no massage in the area",
                suggests=("refer-emergency",),
            ),
        ),
    )


def six_visits_four_supported() -> Evaluation:
    """Return a dose limit: four of six visits."""
    return evaluation(
        approvable_now=Amount(Fraction(4), "visits"),
        limits={"visits": 12, "period": "P1Y"},
        facts={"visits.year": Fraction(8), "order.visits": Fraction(6)},
        criteria=(
            criterion(
                "CCA-V1",
                "not-met",
                "At most 12 visits in a year",
                because="8 used + 6 = 14",
            ),
        ),
    )


HOLE = Hole("measures", "Observation?patient=p1&code=1", "timeout")
