"""From prefetch and a server to a record: what is asked, what is not, and what is a hole."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cds_service.record.client import Limits, fhir_session
from cds_service.record.model import PatientRecord
from cds_service.record.pool import FetchPool
from cds_service.record.queries import prefetch_templates
from cds_service.record.reader import RecordReader, order_references, unobtainable
from tests.http.fault_server import (
    Answer,
    FaultServer,
    Handler,
    bundle,
    fails,
    gives,
    link,
    serving,
    slow,
)

PATIENT = {"resourceType": "Patient", "id": "p1"}
PLAN = {"resourceType": "Organization", "id": "plan"}
DOCTOR = {"resourceType": "Practitioner", "id": "doc"}
COVERAGE = {
    "resourceType": "Coverage",
    "id": "cov",
    "status": "active",
    "beneficiary": {"reference": "Patient/p1"},
    "payor": [{"reference": "Organization/plan"}],
}
ROLE = {
    "resourceType": "PractitionerRole",
    "id": "role",
    "practitioner": {"reference": "Practitioner/doc"},
    "code": [{"text": "therapist"}],
}
ORDER = {
    "resourceType": "ServiceRequest",
    "id": "sr",
    "requester": {"reference": "Practitioner/doc"},
    "performer": [{"reference": "PractitionerRole/role"}],
    "insurance": [{"reference": "Coverage/cov"}],
    "reasonReference": [{"reference": "#inside"}, {"display": "pain"}],
}
ALWAYS = frozenset(prefetch_templates())
CLINICAL = sorted(ALWAYS - {"patient", "coverage"})


def mine(resource_type: str, resource_id: str, **rest: Any) -> dict[str, Any]:
    subject = {"reference": "Patient/p1"}
    return {"resourceType": resource_type, "id": resource_id, "subject": subject, **rest}


def prefetch_of(**values: Any) -> dict[str, Any]:
    whole = dict.fromkeys(ALWAYS) | {"patient": PATIENT}
    return whole | values


@pytest.fixture(scope="module")
def reader() -> Iterator[RecordReader]:
    pool = FetchPool(workers=24, waiting=24)
    yield RecordReader(pool, fhir_session(), Limits(max_pages=10))
    pool.close()


def read(reader: RecordReader, seconds: float = 3.0, **given: Any) -> PatientRecord:
    given = {"patient_id": "p1", "needs": ALWAYS} | given
    return reader.read(deadline=time.monotonic() + seconds, **given)


def reasons(record: PatientRecord, *keys: str) -> list[tuple[str, str]]:
    return [(hole.query, hole.reason) for hole in record.holes_of(keys)]


@pytest.fixture
def chart() -> Iterator[FaultServer]:
    answers: dict[str, Answer] = {
        "Patient": gives(PATIENT),
        "Coverage": gives(bundle(COVERAGE)),
        "Condition": gives(bundle(mine("Condition", "c1"))),
        "Organization": gives(PLAN),
        "Practitioner": gives(DOCTOR),
        "PractitionerRole/role": gives(ROLE),
        "PractitionerRole": gives(bundle(ROLE)),
    }
    with serving(answers) as server:
        yield server


def test_everything_from_the_server(reader: RecordReader, chart: FaultServer):
    record = read(reader, fhir_server=chart.base, token="t", references=order_references([ORDER]))
    assert record.of_type("Patient") == [PATIENT]
    assert record.resolve("Condition/c1")
    assert record.resolve("Organization/plan") == PLAN
    assert record.resolve("Practitioner/doc") == DOCTOR
    assert record.resolve("PractitionerRole/role") == ROLE
    assert record.holes == {}
    assert unobtainable(record) == []
    assert set(chart.tokens) == {"Bearer t"}
    assert len(chart.asked) == len(set(chart.asked))


def test_nothing_that_prefetch_holds_is_asked_again(reader: RecordReader, chart: FaultServer):
    sent = prefetch_of(coverage=bundle(COVERAGE))
    record = read(
        reader, prefetch=sent, fhir_server=chart.base, references=order_references([ORDER])
    )
    assert sorted(chart.asked) == [
        "Organization/plan",
        "Practitioner/doc",
        "PractitionerRole/role",
        "PractitionerRole?practitioner=doc",
    ]
    assert record.holes == {}
    assert record.of_type("Condition") == ()


def test_a_complete_prefetch_needs_no_thread(chart: FaultServer):
    pool = FetchPool(workers=1, waiting=1)
    record = read(RecordReader(pool), prefetch=prefetch_of(), fhir_server=chart.base)
    assert pool._threads == chart.asked == []
    assert record.holes == {}


def test_only_absent_keys_are_fetched(reader: RecordReader, chart: FaultServer):
    sent = prefetch_of()
    del sent["conditions"]
    sent["goals"] = {}
    record = read(reader, prefetch=sent, fhir_server=chart.base)
    assert sorted(chart.asked) == ["Condition?patient=p1", "Goal?patient=p1"]
    assert record.resolve("Condition/c1")


def test_an_error_in_prefetch_is_a_hole_and_not_asked_again(
    reader: RecordReader, chart: FaultServer
):
    outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "forbidden"}]}
    record = read(reader, prefetch=prefetch_of(conditions=outcome), fhir_server=chart.base)
    assert chart.asked == []
    assert reasons(record, "conditions") == [("Condition", "outcome-forbidden")]
    assert reasons(record, "goals") == []


def test_an_incomplete_prefetch_goes_on_at_its_next_link(reader: RecordReader, chart: FaultServer):
    first = mine("Condition", "c0")
    url = f"{chart.base}/Condition?page=2"
    sent = prefetch_of(conditions=bundle(first, total=2, link=link(url)))
    record = read(reader, prefetch=sent, fhir_server=chart.base)
    assert chart.asked == ["Condition?page=2"]
    assert [r["id"] for r in record.of_type("Condition")] == ["c0", "c1"]
    assert record.holes == {}


@pytest.mark.parametrize(
    "rest",
    [{"total": 2}, {"link": link("http://elsewhere.example.org/fhir/Condition?page=2")}],
    ids=["total", "link elsewhere"],
)
def test_an_incomplete_prefetch_that_leads_nowhere_is_asked_for_whole(
    reader: RecordReader, chart: FaultServer, rest: dict[str, Any]
):
    sent = prefetch_of(conditions=bundle(mine("Condition", "c0"), **rest))
    record = read(reader, prefetch=sent, fhir_server=chart.base)
    assert chart.asked == ["Condition?patient=p1"]
    assert [r["id"] for r in record.of_type("Condition")] == ["c0", "c1"]
    assert record.holes == {}


APART = mine("MedicationRequest", "m", medicationReference={"reference": "Medication/x"})
MEDICINE = {"resourceType": "Medication", "id": "x"}


def test_medicines_that_orders_refer_to_are_read(reader: RecordReader, chart: FaultServer):
    sent = prefetch_of(medications=bundle(APART))
    chart.answers["Medication"] = gives(MEDICINE)
    record = read(reader, prefetch=sent, fhir_server=chart.base)
    assert chart.asked == ["Medication/x"]
    assert record.resolve("Medication/x") == MEDICINE
    assert record.holes == {}


def test_a_medicine_that_cannot_be_read_is_a_hole_of_medications(reader: RecordReader):
    record = read(reader, prefetch=prefetch_of(medications=bundle(APART)))
    assert reasons(record, "medications") == [("Medication", "absent")]


def test_medicines_nobody_asks_for_are_not_read(reader: RecordReader, chart: FaultServer):
    sent = prefetch_of(medications=bundle(APART))
    needs = ALWAYS - {"medications"}
    assert read(reader, prefetch=sent, fhir_server=chart.base, needs=needs).holes == {}
    assert chart.asked == []


def test_an_incomplete_prefetch_without_server_is_truncated(reader: RecordReader):
    sent = prefetch_of(conditions=bundle(mine("Condition", "c0"), total=2))
    record = read(reader, prefetch=sent)
    assert reasons(record, "conditions") == [("Condition", "truncated")]
    assert record.resolve("Condition/c0")
    assert unobtainable(record) == []


@pytest.mark.parametrize("refusal", ["absent", "not-allowed"])
def test_without_server_what_is_needed_and_absent_is_a_hole(reader: RecordReader, refusal: str):
    record = read(
        reader,
        needs=["patient", "conditions"],
        prefetch={"patient": PATIENT},
        refusal=refusal,
        references=["Practitioner/doc"],
    )
    assert reasons(record, "conditions") == [("Condition", refusal)]
    assert ("Practitioner", refusal) in reasons(record, "references")
    assert [hole.key for hole in unobtainable(record)] == ["conditions"]


def test_one_failed_search_costs_its_key_only(reader: RecordReader, chart: FaultServer):
    chart.answers = {**chart.answers, "Goal": fails(500), "Observation": fails(403)}
    record = read(reader, fhir_server=chart.base)
    assert reasons(record, *ALWAYS).count(("Goal", "http-500")) == 1
    assert reasons(record, "vitals") == [("Observation (vitals)", "http-403")]
    assert reasons(record, "conditions") == []
    assert unobtainable(record) == []


@pytest.mark.parametrize(("answer", "reason"), [(fails(500), "http-500"), (fails(401), "http-401")])
def test_a_server_that_gives_nothing_leaves_nothing_to_answer_with(
    reader: RecordReader, answer: Answer, reason: str
):
    with serving({"*": answer}) as server:
        record = read(reader, fhir_server=server.base)
        assert reasons(record, "patient") == [("Patient", reason)]
        assert [hole.key for hole in unobtainable(record)] == ["patient"]
        known = read(reader, prefetch={"patient": PATIENT}, fhir_server=server.base)
        assert {hole.key for hole in unobtainable(known)} == set(CLINICAL)


def test_a_chart_with_nothing_in_it_is_answerable(reader: RecordReader):
    with serving({"Patient": gives(PATIENT)}) as server:
        record = read(reader, fhir_server=server.base)
    assert record.holes == {}
    assert unobtainable(record) == []


def test_another_patient_from_prefetch_is_read_from_the_server(
    reader: RecordReader, chart: FaultServer
):
    sent = prefetch_of(patient={"resourceType": "Patient", "id": "p2"})
    record = read(reader, prefetch=sent, fhir_server=chart.base)
    assert chart.asked == ["Patient/p1"]
    assert record.of_type("Patient") == [PATIENT]
    assert record.holes == {}


def test_another_patients_resources_are_dropped_and_named(reader: RecordReader, chart: FaultServer):
    other = mine("Condition", "c2") | {"subject": {"reference": "Patient/p2"}}
    chart.answers = {
        **chart.answers,
        "Condition": gives(bundle(other, mine("Condition", "c1"))),
        "Patient": gives({"resourceType": "Patient", "id": "p2"}),
    }
    record = read(reader, fhir_server=chart.base)
    assert [r["id"] for r in record.of_type("Condition")] == ["c1"]
    assert reasons(record, "conditions") == [("Condition", "another-patient")]
    assert reasons(record, "patient") == [("Patient", "another-patient")]
    assert unobtainable(record)


def test_a_second_call_reads_only_what_is_new(reader: RecordReader, chart: FaultServer):
    first = read(reader, fhir_server=chart.base, references=["Practitioner/doc"])
    assert [hole.reason for hole in first.holes_of(["flags", "plans"])] == ["not-asked"] * 2
    asked = len(chart.asked)
    second = read(
        reader,
        needs=["conditions", "flags"],
        references=["Practitioner/doc"],
        record=first,
        fhir_server=chart.base,
    )
    assert chart.asked[asked:] == ["Flag?patient=p1"]
    assert second.holes_of(["flags"]) == ()
    assert second.of_type("Condition") == first.of_type("Condition")
    assert first.holes_of(["flags"])


def test_what_failed_is_not_asked_a_second_time(reader: RecordReader, chart: FaultServer):
    chart.answers = {**chart.answers, "Goal": fails(503)}
    first = read(reader, fhir_server=chart.base)
    asked = len(chart.asked)
    second = read(reader, record=first, fhir_server=chart.base)
    assert len(chart.asked) == asked
    assert reasons(second, "goals") == [("Goal", "http-503")]


def test_plans_are_asked_with_a_category_where_a_server_insists(
    reader: RecordReader, chart: FaultServer
):
    def strict(handler: Handler) -> None:
        answer = gives(bundle(mine("CarePlan", "cp"))) if "category" in handler.path else fails(400)
        answer(handler)

    chart.answers = {**chart.answers, "CarePlan": strict}
    record = read(reader, needs=["plans"], prefetch=prefetch_of(), fhir_server=chart.base)
    assert record.resolve("CarePlan/cp")
    assert chart.asked[-1] == "CarePlan?patient=p1&category=assess-plan"


def test_resources_of_the_request_resolve_and_are_not_fetched(
    reader: RecordReader, chart: FaultServer
):
    record = read(
        reader,
        prefetch=prefetch_of(),
        drafts=[ORDER, ROLE, None],
        references=["PractitionerRole/role"],
        fhir_server=chart.base,
    )
    assert record.resolve("PractitionerRole/role") is ROLE
    assert record.of_type("PractitionerRole") == record.of_type("ServiceRequest") == ()
    assert chart.asked == []


def test_a_role_without_a_code_leads_to_its_practitioner(reader: RecordReader, chart: FaultServer):
    bare = {key: value for key, value in ROLE.items() if key != "code"}
    chart.answers = {**chart.answers, "PractitionerRole/role": gives(bare)}
    record = read(
        reader,
        prefetch=prefetch_of(),
        references=["PractitionerRole/role"],
        fhir_server=chart.base,
    )
    assert chart.asked == ["PractitionerRole/role", "Practitioner/doc"]
    assert record.resolve("Practitioner/doc") == DOCTOR


def test_who_treats_under_other_active_orders_is_read(reader: RecordReader, chart: FaultServer):
    performer = [{"reference": "PractitionerRole/role"}]
    active = mine("ServiceRequest", "s1", status="active", performer=performer)
    ended = mine("ServiceRequest", "s2", status="completed", performer=[{"reference": "Device/d"}])
    sent = prefetch_of(orders=bundle(active, ended))
    record = read(reader, prefetch=sent, fhir_server=chart.base)
    assert chart.asked == ["PractitionerRole/role"]
    assert record.resolve("PractitionerRole/role") == ROLE


def test_references_beyond_the_cap_are_a_hole(chart: FaultServer):
    pool = FetchPool(workers=2, waiting=9)
    record = read(
        RecordReader(pool, limits=Limits(max_references=1)),
        prefetch=prefetch_of(),
        references=["Organization/plan", "Location/l1"],
        fhir_server=chart.base,
    )
    pool.close()
    assert chart.asked == ["Organization/plan"]
    assert reasons(record, "references") == [("Location", "too-many-references")]


@pytest.mark.parametrize(
    "reference",
    ["Patient/p1", "#inside", "urn:uuid:1", "Practitioner?identifier=x", "doc", "a/b/c", ""],
)
def test_references_that_name_nothing_to_read(
    reader: RecordReader, chart: FaultServer, reference: str
):
    record = read(reader, prefetch=prefetch_of(), references=[reference], fhir_server=chart.base)
    assert chart.asked == []
    assert record.holes == {}


def test_a_reference_to_another_server_is_not_followed(reader: RecordReader, chart: FaultServer):
    url = "http://elsewhere.example.org/fhir/Organization/plan"
    record = read(reader, prefetch=prefetch_of(), references=[url], fhir_server=chart.base)
    assert reasons(record, "references") == [("Organization", "not-allowed")]


def test_a_retracted_resource_is_not_asked_for_by_reference(
    reader: RecordReader, chart: FaultServer
):
    wrong = mine("Condition", "c9", verificationStatus={"coding": [{"code": "entered-in-error"}]})
    record = read(
        reader,
        prefetch=prefetch_of(conditions=bundle(wrong)),
        references=["Condition/c9"],
        fhir_server=chart.base,
    )
    assert chart.asked == []
    assert record.holes == {}
    assert record.resolve("Condition/c9") is None


def test_scopes_that_leave_out_a_type_leave_it_unasked(reader: RecordReader, chart: FaultServer):
    record = read(
        reader,
        needs=["conditions", "goals"],
        prefetch={"patient": PATIENT},
        fhir_server=chart.base,
        token="t",
        scope="patient/Condition.read",
    )
    assert chart.asked == ["Condition?patient=p1"]
    assert reasons(record, "goals") == [("Goal", "not-authorised")]


def test_what_was_sent_reduced_is_asked_for_whole(reader: RecordReader, chart: FaultServer):
    short = mine("Condition", "c1", meta={"tag": [{"code": "SUBSETTED"}]})
    sent = prefetch_of(conditions=bundle(short, link=link("Condition?page=2")))
    record = read(reader, prefetch=sent, fhir_server=chart.base)
    assert chart.asked == ["Condition?patient=p1"]
    assert record.of_type("Condition") == [mine("Condition", "c1")]
    assert not record.holes
    assert reasons(read(reader, prefetch=sent), "conditions") == [("Condition", "truncated")]


def test_what_the_server_reduces_leaves_a_hole(reader: RecordReader):
    short = mine("Condition", "c1", meta={"security": [{"code": "REDACTED"}]})
    with serving({"Condition": gives(bundle(short))}) as server:
        record = read(reader, needs=["conditions"], fhir_server=server.base)
    assert record.of_type("Condition") == [short]
    assert reasons(record, "conditions") == [("Condition", "truncated")]


PROBLEMS = "http://terminology.hl7.org/CodeSystem/condition-category|problem-list-item"


def test_scopes_limited_to_a_part_leave_a_hole(reader: RecordReader, chart: FaultServer):
    asked: dict[str, Any] = {"needs": ["conditions", "goals"], "fhir_server": chart.base}
    scope = f"patient/Patient.rs patient/Condition.rs?category={PROBLEMS} patient/Goal.rs"
    record = read(reader, token="t", scope=scope, **asked)
    assert record.resolve("Condition/c1")
    assert reasons(record, "conditions") == [("Condition", "not-authorised")]
    assert not reasons(record, "goals")
    sent = prefetch_of(conditions=bundle(mine("Condition", "c1")))
    assert not read(reader, prefetch=sent, token="t", scope=scope, **asked).holes


def test_queries_run_side_by_side(reader: RecordReader):
    with serving({"Patient": gives(PATIENT), "*": slow(0.4)}) as server:
        began = time.monotonic()
        record = read(reader, fhir_server=server.base, seconds=20)
        assert time.monotonic() - began < 0.4 * len(server.asked) / 2
    assert record.holes == {}


def test_the_deadline_holds_for_all_queries_together(reader: RecordReader):
    with serving({"Patient": gives(PATIENT), "*": slow(1.5)}) as server:
        began = time.monotonic()
        record = read(reader, seconds=0.5, fhir_server=server.base, references=["Practitioner/x"])
        assert time.monotonic() - began < 1.2
    assert set(reasons(record, "conditions", "goals", "references")) == {
        ("Condition", "timeout"),
        ("Goal", "timeout"),
        ("Practitioner", "timeout"),
        ("PractitionerRole", "timeout"),
    }


def test_what_the_payer_needs_is_asked_while_the_rest_is_under_way(reader: RecordReader):
    goals_asked, told = threading.Event(), []

    def waits_for_goals(handler: Handler) -> None:
        goals_asked.wait(2)
        gives(bundle(mine("Condition", "c1")))(handler)

    def notes(handler: Handler) -> None:
        goals_asked.set()
        gives(bundle(mine("Goal", "g1")))(handler)

    def further(record: PatientRecord) -> list[str]:
        told.append(record.resolve("Organization/plan"))
        return ["goals"]

    answers = {
        "Patient": gives(PATIENT),
        "Coverage": gives(bundle(COVERAGE)),
        "Organization": gives(PLAN),
        "Condition": waits_for_goals,
        "Goal": notes,
    }
    with serving(answers) as server:
        record = read(
            reader,
            needs=["patient", "coverage", "conditions"],
            fhir_server=server.base,
            further=further,
        )
    assert told == [PLAN]
    assert record.resolve("Goal/g1")
    assert record.resolve("Condition/c1")
    assert record.holes == {}


def test_nobody_asks_what_else_is_needed_where_nothing_is_under_way(chart: FaultServer):
    told: list[PatientRecord] = []

    def further(record: PatientRecord) -> list[str]:
        told.append(record)
        return []

    pool = FetchPool(workers=1, waiting=1)
    read(RecordReader(pool), prefetch=prefetch_of(), fhir_server=chart.base, further=further)
    assert told == chart.asked == []


def test_pages_read_before_the_deadline_are_kept(reader: RecordReader):
    def second_page_is_slow(handler: Handler) -> None:
        first = gives(bundle(mine("Condition", "c1"), link=link("Condition?page=2")))
        (slow(2) if "page" in handler.path else first)(handler)

    with serving({"Condition": second_page_is_slow}) as server:
        record = read(
            reader,
            seconds=1.2,
            needs=["conditions"],
            prefetch={"patient": PATIENT},
            fhir_server=server.base,
        )
    assert record.resolve("Condition/c1")
    assert reasons(record, "conditions") == [("Condition", "timeout")]


def test_a_full_pool_is_answered_at_once(chart: FaultServer):
    pool = FetchPool(workers=1, waiting=0)
    gate = threading.Event()
    assert pool.submit(gate.wait)
    try:
        began = time.monotonic()
        record = read(RecordReader(pool), fhir_server=chart.base)
        assert time.monotonic() - began < 0.5
    finally:
        gate.set()
        pool.close()
    assert {hole.reason for key in ALWAYS for hole in record.holes_of([key])} == {"busy"}


def test_logs_name_no_patient_and_no_token(reader: RecordReader, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with serving({"*": fails(500)}) as server:
        sent = {"goals": {"resourceType": "Patient", "id": "p1-secret"}}
        read(reader, patient_id="p1-secret", prefetch=sent, token="tok-9", fhir_server=server.base)
    assert "http-500" in caplog.text
    assert "p1-secret" not in caplog.text
    assert "tok-9" not in caplog.text


def test_what_orders_refer_to():
    assert order_references([ORDER, None, {"requester": "x", "performer": [5]}]) == [
        "Practitioner/doc",
        "PractitionerRole/role",
        "Coverage/cov",
    ]
