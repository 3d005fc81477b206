"""The five cards that a clinician wants to see, made from worked cases by the real service."""

import pytest

from fhir_fixtures.stories import build, read_story
from tests.conftest import CASES
from tests.live import prefetch_of

CONDITIONAL = {"documented-elsewhere", "treating-under-other-coverage", "clinical-judgement"}


@pytest.fixture
def cards_of(service, fhir_server):
    def ask(name):
        built = build(name, read_story(CASES / f"{name}.yaml"))
        answer = service.post(built.request | {"fhirServer": fhir_server.url})
        assert answer.status_code == 200, answer.text
        return answer.json()["cards"]

    return ask


def lines(card):
    return [line for line in card["detail"].splitlines() if line]


def stands_in_order(card, *parts):
    places = [card["detail"].index(part) for part in parts]
    assert places == sorted(places)


def labels(card):
    return [suggestion["label"] for suggestion in card.get("suggestions", [])]


def reasons(card):
    return {reason["code"] for reason in card.get("overrideReasons", [])}


def test_criteria_appear_met(cards_of):
    [card] = cards_of("cca-03")
    assert card["indicator"] == "info"
    assert card["summary"] == (
        "Massage: CCA criteria appear met - visit 12 of 12 this year; "
        "prior authorization still required"
    )
    assert lines(card)[0] == (
        "**Result:** coverage criteria appear met. Visits in the past 365 days: 11 used + 1 "
        "ordered = 12, limit 12. This is not an approval."
    )
    assert (
        lines(card)[1]
        == "**Next:** Submit prior authorization; the payer requires it for this order."
    )
    table = [line for line in lines(card) if line.startswith("| ")][1:]
    assert len(table) == 3
    assert table[0].endswith("| Chronic low back pain G89.29, 2025-02-09 |")
    assert table[1].endswith(
        "| PROMIS physical function 41 (baseline 34 on 2025-12-28), 2026-03-14; PROMIS pain "
        "interference 57 (baseline 66 on 2025-12-28), 2026-03-14 |"
    )
    assert "PROMIS pain interference 60 (baseline 66 on 2025-12-28), 2026-01-17" in table[2]
    assert "version 2022-05-30, past its review date 2023-05-30 - check" in lines(card)[-1]
    assert "Clinical Eligibility; Determination of need" in lines(card)[-1]
    assert not {"suggestions", "overrideReasons"} & card.keys()


def test_documentation_needed(cards_of):
    [card] = cards_of("ev-04")
    assert card["indicator"] == "warning"
    assert card["summary"] == (
        "Massage: eviCore criteria cannot be confirmed yet - one more item needed: "
        "Other evidence of progress"
    )
    assert lines(card)[2].startswith("1. Other evidence of progress - a note on greater")
    assert "Pain (0-10) 4 (baseline 7 on 2026-02-22), 2026-03-15" in card["detail"]
    assert "Oswestry Disability Index 18 % (baseline 40 % on 2026-02-22)" in card["detail"]
    stands_in_order(card, "**Result:", "**Needed", "**Then:", "**Why", "*Policy: eviCore")
    assert labels(card)[0] == "Task - link the note"
    assert reasons(card) == CONDITIONAL


def test_criteria_not_met(cards_of):
    [card] = cards_of("vha-09")
    assert card["indicator"] == "warning"
    assert card["summary"].startswith("Massage: VHA criteria not met - ")
    assert "without a clinically significant response" in card["detail"]
    assert "Oswestry Disability Index 39 % (baseline 40 % on 2026-01-18)" in card["detail"]
    assert "Pain (0-10) 6 (baseline 7 on 2026-01-18), 2026-03-14" in card["detail"]
    assert "Return to work, better daily activities or less medication" in card["detail"]
    assert "your clinical judgement remains decisive" in card["detail"]
    assert "II.a.iv Continuation (VHA-C3" in lines(card)[-1]
    assert "version 2025-06-01 (draft)" in lines(card)[-1]
    stands_in_order(card, "**Result:", "**Not met", "**What would", "**Otherwise", "*Policy:")
    assert reasons(card) == CONDITIONAL | {"will-submit-letter"}


def test_emergency(cards_of):
    critical, coverage = cards_of("ev-08")
    assert critical["indicator"] == "critical"
    assert critical["summary"] == (
        "Acute DVT right lower extremity: do not massage; send to the emergency department now"
    )
    assert "Acute DVT right lower extremity I82.401, 2026-03-14" in critical["detail"]
    assert "A visit alone does not lift this." in critical["detail"]
    assert "**Order:** massage 97124, right lower leg" in critical["detail"]
    assert "Lower Leg Pain" in lines(critical)[-1]
    assert labels(critical) == ["Refer to the emergency department", "Withdraw the massage order"]
    assert all(suggestion["isRecommended"] for suggestion in critical["suggestions"])
    assert reasons(critical) == {"evaluated-not-present", "clinical-judgement"}
    assert coverage["indicator"] == "warning"
    assert coverage["summary"].startswith("Massage: eviCore criteria not met for now - ")
    assert "Otherwise consider" not in coverage["detail"]


def test_consult_first(cards_of):
    safety, coverage = cards_of("cca-12")
    assert safety["indicator"] == coverage["indicator"] == "warning"
    assert safety["summary"] == (
        "Supervision of first pregnancy, 2nd trimester: "
        "first needed - PCP or OB/GYN consulted in this pregnancy"
    )
    assert "Supervision of first pregnancy, 2nd trimester Z34.02, 2025-12-06" in safety["detail"]
    assert labels(safety)[0] == "Consult OB/GYN"
    assert coverage["summary"] == (
        "Massage: CCA criteria otherwise appear met - "
        "needed: PCP or OB/GYN consulted in this pregnancy"
    )
    assert "Chronic pain syndrome G89.4, 2024-11-01" in coverage["detail"]
    assert "**Also useful:** A specific functional goal" in coverage["detail"]
    stands_in_order(coverage, "**Result:", "**Needed", "**Then:", "**Why", "*Policy:")


FAILED = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "timeout"}],
}


def test_part_of_the_record_not_read(service, fhir_server):
    built = build("cca-01", read_story(CASES / "cca-01.yaml"))
    prefetch, _ = prefetch_of(service.templates(), built.request["context"], fhir_server.url)
    [broken] = [key for key, value in prefetch.items() if holds(value, "Condition")]
    body = {key: value for key, value in built.request.items() if key != "fhirServer"}
    cards = service.post(body | {"prefetch": prefetch | {broken: FAILED}}).json()["cards"]
    card = next(one for one in cards if one["source"]["topic"]["code"] == "coverage")
    assert card["indicator"] == "warning"
    assert card["summary"].startswith(
        "Massage: CCA criteria cannot be confirmed - could not be read: diagnoses and "
    )
    assert card["summary"].endswith(" more; sign again, or check the chart")
    assert "only because part of the record could not be read" in card["detail"]
    assert "| could not be read: diagnoses (Condition: EHR error timeout) |" in (card["detail"])
    assert "appear met" not in card["summary"] + card["detail"]


def holds(value, resource_type):
    """Whether a prefetch value is a search for this type."""
    entries = (value or {}).get("entry", [])
    return any(entry["resource"]["resourceType"] == resource_type for entry in entries)
