"""Completed procedures and where they were done."""

from __future__ import annotations

import pytest

from cds_service.evidence import procedures  # noqa: F401
from tests.unit.evidence_help import ago, ask, coded, odd, status

SNOMED = "http://snomed.info/sct"
NECK, LUMBAR = "45048000", "122496007"


def injection(day, state="completed", site=NECK, **more):
    return {
        "resourceType": "Procedure",
        "status": state,
        "code": coded("20610"),
        "performedDateTime": day,
        "bodySite": [coded(site, SNOMED)] if site else [],
        **more,
    }


def order(site):
    sites = [{**coded(site, SNOMED), "text": "the site"}] if site else []
    return {
        "resourceType": "ServiceRequest",
        "id": "order",
        "status": "draft",
        "intent": "order",
        "code": coded("97124"),
        "bodySite": sites,
    }


def asks(spec, *resources, **about):
    return status("procedure", {"in": ["injection-procedure"], **spec}, *resources, **about)


@pytest.mark.parametrize(
    ("state", "found"),
    [("completed", "met"), ("in-progress", "not-met"), ("not-done", "not-met"), (None, "not-met")],
)
def test_only_completed_procedures_count(state, found):
    assert asks({}, injection(ago(1), state)) == found


@pytest.mark.parametrize(
    ("day", "found"),
    [(ago(14), "met"), (ago(15), "not-met"), (ago(-1), "not-met"), (None, "unknown")],
)
def test_age(day, found):
    assert asks({"within": 14}, injection(day)) == found


def test_a_period_counts_from_its_start():
    period = {"performedPeriod": {"start": ago(14), "end": ago(2)}}
    assert asks({"within": 14}, injection(None, **period)) == "met"


@pytest.mark.parametrize(
    ("done", "ordered", "found"),
    [
        (NECK, NECK, "met"),
        (NECK, LUMBAR, "not-met"),
        (None, NECK, "unknown"),
        (NECK, None, "unknown"),
    ],
)
def test_at_the_ordered_site(done, ordered, found):
    record = injection(ago(1), site=done)
    assert asks({"at": "ordered-site"}, record, orders=(order(ordered),)) == found


def test_evidence_and_holes():
    spec = {"in": ["injection-procedure"]}
    (finding,) = ask("procedure", spec, injection(ago(1), id="p")).findings
    assert (finding.reference, finding.date, finding.value) == ("Procedure/p", ago(1), "20610")
    assert finding.regions
    assert asks({}, unread=("procedures",)) == "unknown"
    assert asks({}, injection(ago(1)), unread=("procedures",)) == "met"


def test_odd_procedures_cost_only_themselves():
    record = odd("Procedure", "status", "code", "performedDateTime", "performedPeriod", "bodySite")
    for one in record:
        one.setdefault("status", "completed")
        one.setdefault("code", coded("20610"))
    assert asks({"within": 14, "at": "ordered-site"}, *record, orders=(order(NECK),)) == "unknown"
