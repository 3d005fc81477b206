"""Whose resources count, and which version of each."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cds_service.record.gathering import Gathering, supersedes
from cds_service.record.model import Resource
from cds_service.record.reader import record_of_bundle
from tests.shared import SHARED, needs_shared


def condition(resource_id: Any = "c1", patient: Any = "Patient/p1", **rest: Any) -> Resource:
    resource = {"resourceType": "Condition", "id": resource_id, "subject": {"reference": patient}}
    return resource | rest


PATIENT = {"resourceType": "Patient", "id": "p1"}
WRONG = {"coding": [{"code": "entered-in-error"}]}


def ids(*resources: Any) -> list[Any]:
    record = record_of_bundle("p1", [PATIENT, *resources])
    return [resource.get("id") for resource in record.of_type("Condition")]


@pytest.mark.parametrize(
    "reference",
    ["Patient/p1", "https://ehr.example.org/fhir/Patient/p1", "Patient/p1/_history/3"],
)
def test_resources_of_this_patient_count(reference: str):
    assert ids(condition(patient=reference)) == ["c1"]


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (condition(patient="Patient/p2"), "another-patient"),
        (condition(patient="Group/p1"), "another-patient"),
        (condition() | {"subject": None}, "no-patient"),
        (condition() | {"subject": "Patient/p1"}, "no-patient"),
        (condition() | {"subject": {"display": "Ann"}}, "no-patient"),
        (condition() | {"modifierExtension": [{"url": "http://a.example.org/x"}]}, "modified"),
    ],
)
def test_others_are_dropped_and_named(resource: Resource, reason: str):
    record = record_of_bundle("p1", [PATIENT, resource, condition("mine")])
    assert [r["id"] for r in record.of_type("Condition")] == ["mine"]
    assert [(h.query, h.reason) for h in record.holes_of(["conditions"])] == [("Condition", reason)]
    assert record.holes_of(["goals", "patient"]) == ()


HERE = "https://ehr.example.org/fhir"
INSIDE = "http://10.0.0.7:8080/r4"


@pytest.mark.parametrize(
    ("server", "subject", "filed", "taken"),
    [
        (HERE, f"{HERE}/Patient/p1", None, True),
        (f"{HERE}/", "http://EHR.example.org/fhir/Patient/p1/_history/2", None, True),
        (HERE, "https://ehr.example.org:443/fhir/Patient/p1", None, True),
        (HERE, "https://ehr.example.org:8443/fhir/Patient/p1", None, False),
        (HERE, "https://elsewhere.example.org/fhir/Patient/p1", None, False),
        (HERE, "https://ehr.example.org/other/fhir/Patient/p1", f"{HERE}/Condition/c1", False),
        (HERE, f"{INSIDE}/Patient/p1", f"{INSIDE}/Condition/c1", True),
        (None, "https://elsewhere.example.org/fhir/Patient/p1", None, True),
    ],
    ids=[
        "here",
        "written otherwise",
        "its port named",
        "another port",
        "elsewhere",
        "beside",
        "behind a proxy",
        "no server known",
    ],
)
def test_the_patient_of_that_id_on_another_server_is_somebody_else(server, subject, filed, taken):
    gathering = Gathering("p1", server)
    gathering.take("conditions", [{"resource": condition(patient=subject), "fullUrl": filed}])
    record = gathering.record()
    assert [one["id"] for one in record.of_type("Condition")] == ["c1"] * taken
    reasons = [hole.reason for hole in record.holes.get("conditions", ())]
    assert reasons == ["another-patient"] * (not taken)


def test_a_modifier_extension_costs_neither_the_patient_nor_what_is_withdrawn():
    changed = {"modifierExtension": [{"url": "http://a.example.org/x", "valueBoolean": True}]}
    wrong = condition() | changed | {"verificationStatus": WRONG}
    record = record_of_bundle("p1", [PATIENT | changed, wrong, condition("mine")])
    assert record.of_type("Patient")
    assert [one["id"] for one in record.of_type("Condition")] == ["mine"]
    assert not record.holes
    assert ids(condition() | {"modifierExtension": []}) == ["c1"]


def reduced(system: str, code: str, **more: Any) -> Resource:
    return condition() | {"meta": {system: [{"code": "x"}, {"code": code}]}} | more


@pytest.mark.parametrize(
    "resource",
    [reduced("tag", "SUBSETTED"), reduced("security", "REDACTED"), reduced("security", "MASKED")],
)
def test_what_came_without_some_of_its_data_counts_and_leaves_a_hole(resource: Resource):
    record = record_of_bundle("p1", [PATIENT, resource])
    assert [one["id"] for one in record.of_type("Condition")] == ["c1"]
    assert [hole.reason for hole in record.holes_of(["conditions"])] == ["truncated"]
    assert not record_of_bundle("p1", [PATIENT, reduced("security", "R")]).holes


def test_the_whole_resource_stands_before_the_reduced_one():
    short, whole = reduced("tag", "SUBSETTED"), condition() | {"code": {"text": "pain"}}
    for order in ([short, whole], [whole, short]):
        gathering = Gathering("p1")
        gathering.take("conditions", [{"resource": one} for one in order])
        assert gathering.record().of_type("Condition") == [whole]


def test_another_patients_patient_is_not_this_one():
    record = record_of_bundle("p1", [{"resourceType": "Patient", "id": "p2"}])
    assert record.of_type("Patient") == ()
    assert record.holes_of(["patient"])[0].reason == "another-patient"


def test_a_foreign_observation_is_a_hole_wherever_observations_are_read():
    odd = {"resourceType": "Observation", "id": "o", "subject": {"reference": "Patient/p2"}}
    record = record_of_bundle("p1", [PATIENT, odd])
    assert all(record.holes_of([key]) for key in ("measures", "vitals", "exams"))


@pytest.mark.parametrize(
    "retraction",
    [
        {"status": "entered-in-error"},
        {"verificationStatus": WRONG},
        {"verificationStatus": "entered-in-error"},
        {"verificationStatus": {"text": "Entered in Error"}},
        {"docStatus": "entered-in-error"},
        {"lifecycleStatus": "entered-in-error"},
    ],
)
def test_entered_in_error_is_dropped_without_a_hole(retraction: dict[str, Any]):
    record = record_of_bundle("p1", [PATIENT, condition(**retraction)])
    assert record.of_type("Condition") == ()
    assert record.resolve("Condition/c1") is None
    assert record.holes_of(["conditions"]) == ()


def version(number: str | None = None, updated: str | None = None, **rest: Any) -> Resource:
    return condition(meta={"versionId": number, "lastUpdated": updated}, **rest)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (version("9"), version("10")),
        (version("2", "2026-01-01T10:00:00Z"), version("1", "2026-01-01T08:00:00-05:00")),
        (version(None, "2026-01-01T10:00:00Z"), version(None, "2026-01-01T10:00:00.5Z")),
        (version(), version(status="entered-in-error")),
    ],
)
def test_the_newest_version_wins_whatever_the_order(older: Resource, newer: Resource):
    assert supersedes(newer, older)
    assert not supersedes(older, newer)


def test_a_newer_retraction_takes_the_older_version_away():
    good, gone = version("1"), version("2", status="entered-in-error")
    assert ids(good, gone) == ids(gone, good) == []
    assert ids(version("3"), gone) == ["c1"]


@pytest.mark.parametrize("meta", [None, 5, {"versionId": 5}, {"lastUpdated": "soon"}])
def test_an_unreadable_version_does_no_harm(meta: Any):
    assert ids(condition(meta=meta), version("1")) == ["c1"]


def test_resources_without_id_are_all_kept():
    assert ids(condition(None), condition(None), condition(7)) == [None, None, 7]


@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, {"resourceType": 5}, {"resourceType": "X"}])
def test_odd_entries_cost_themselves_only(odd: Any):
    assert ids(odd, condition()) == ["c1"]
    entries = [{"resource": PATIENT}, odd, {"resource": odd}, {"resource": condition()}]
    record = record_of_bundle("p1", {"resourceType": "Bundle", "entry": entries})
    assert len(record.of_type("Condition")) == 1
    assert record.holes_of(["conditions"]) == ()


def test_a_bundle_that_refers_by_full_url():
    urls = ["urn:uuid:1111", "urn:uuid:2222"]
    entries = [
        {"fullUrl": urls[1], "resource": condition(patient=urls[0])},
        {"fullUrl": urls[0], "resource": PATIENT},
    ]
    record = record_of_bundle("p1", {"resourceType": "Bundle", "entry": entries})
    assert record.resolve(urls[1]) == record.resolve("Condition/c1") == entries[0]["resource"]


def test_a_whole_record_has_nothing_unasked():
    record = record_of_bundle("p1", [])
    assert record.holes_of(["conditions", "flags"]) == ()


def test_contained_resources_resolve_within_their_resource():
    role = {"resourceType": "PractitionerRole", "id": "pr"}
    order = {"resourceType": "ServiceRequest", "contained": ["odd", role]}
    record = record_of_bundle("p1", [])
    assert record.resolve("#pr", order) is role
    assert record.resolve("#pr") is record.resolve("#x", order) is record.resolve(None) is None
    assert record.resolve("#pr", {"contained": role}) is role
    assert record.resolve("#pr", {"contained": "odd"}) is None


@needs_shared
@pytest.mark.parametrize("path", sorted(SHARED.glob("patients/*/*.json*")), ids=lambda p: p.stem)
def test_real_charts_are_read_whole(path: Path):
    data = path.read_bytes()
    chart = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    resources = [entry["resource"] for entry in chart["entry"]]
    patient_id = next(r["id"] for r in resources if r["resourceType"] == "Patient")
    record = record_of_bundle(patient_id, chart)
    lost = [r for r in resources if r not in record.of_type(r["resourceType"])]
    assert all("subject" not in resource for resource in lost)
    assert len(lost) == len([hole for holes in record.holes.values() for hole in holes])


REFERRING = {
    "medications": ("Medication", {"resourceType": "MedicationRequest", "id": "m1",
        "subject": {"reference": "Patient/p1"}, "status": "active",
        "medicationReference": {"reference": "Medication/lost"}}),
    "references": ("Organization", {"resourceType": "Coverage", "id": "v1",
        "beneficiary": {"reference": "Patient/p1"},
        "payor": [{"reference": "Organization/lost"}]}),
}  # fmt: skip


@pytest.mark.parametrize(("key", "referring"), REFERRING.items(), ids=REFERRING)
def test_what_a_bundle_refers_to_and_does_not_hold_is_a_hole(key: str, referring: Any):
    kind, resource = referring
    record = record_of_bundle("p1", [PATIENT, resource])
    assert [(h.query, h.reason) for h in record.holes_of([key])] == [(kind, "absent")]
    found = {"resourceType": kind, "id": "lost"}
    assert record_of_bundle("p1", [PATIENT, resource, found]).holes == {}


def test_what_an_order_refers_to_and_nobody_holds_is_a_hole():
    order = {"resourceType": "ServiceRequest", "performer": [{"reference": "Practitioner/lost"}]}
    record = record_of_bundle("p1", [PATIENT], [order])
    assert [(h.query, h.reason) for h in record.holes_of(["references"])] == [
        ("Practitioner", "absent")
    ]
