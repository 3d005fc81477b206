"""What a visitor may bring along, and what is told of anything else."""

import json

import pytest

from cds_service.web.upload import LARGEST, UploadError, read_upload

PATIENT = {"resourceType": "Patient", "id": "p", "name": [{"family": "Own"}]}


def bundle(*resources, **more):
    entry = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entry} | more


def read(value):
    return read_upload(value if isinstance(value, bytes) else json.dumps(value).encode())


def refusal(value):
    with pytest.raises(UploadError) as told:
        read(value)
    return str(told.value)


def test_bundle_of_one_patient_is_taken():
    upload = read(bundle(PATIENT, {"resourceType": "Condition", "id": "c"}))
    assert [entry["resource"]["id"] for entry in upload.entries] == ["p", "c"]
    assert upload.story.startswith("Brought along: 2 resources")


def test_odd_entries_cost_themselves_and_are_counted():
    entries = [{"resource": PATIENT}, 7, {"resource": {"id": "x"}}, {}]
    upload = read({"resourceType": "Bundle", "entry": entries})
    assert len(upload.entries) == 1
    assert "1 resource, " in upload.story
    assert "3 without resource or type left out" in upload.story


def test_byte_order_mark_is_no_fault():
    assert read(b"\xef\xbb\xbf" + json.dumps(bundle(PATIENT)).encode()).entries


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"  \n", "nothing in it"),
        (b'{"resourceType": "Bundle",\n "entry": [}', "line 2, column"),
        (b'{"resourceType": "Patient"}\n{"resourceType": "Condition"}', "line 2, column 1"),
        (b"\xff\xfe{", "not JSON"),
        (b"<Bundle xmlns='http://hl7.org/fhir'/>", "XML"),
        ([], "no FHIR resource, not a Bundle"),
        (PATIENT, "a Patient, not a Bundle"),
        (bundle(), "no entries"),
        ({"resourceType": "Bundle", "entry": {"resource": PATIENT}}, "no entries"),
        (bundle({"resourceType": "Condition"}), "no Patient"),
        (bundle(PATIENT, PATIENT | {"id": "q"}), "2 patients: Own, Own"),
        (bundle(*[{"resourceType": "Patient"}] * 5), "and 2 more"),
        (b"x" * (LARGEST + 1), "at most 10 MB"),
    ],
)
def test_what_is_wrong_is_told(value, words):
    assert words in refusal(value)


@pytest.mark.parametrize(
    ("resource", "release"),
    [
        ({"resourceType": "Encounter", "class": [{"coding": []}]}, "R5"),
        ({"resourceType": "MedicationRequest", "medication": {"concept": {}}}, "R5"),
        ({"resourceType": "Coverage", "kind": "insurance"}, "R5"),
        ({"resourceType": "NutritionIntake"}, "R5"),
        ({"resourceType": "Condition", "clinicalStatus": "active"}, "DSTU2 or STU3"),
        ({"resourceType": "MedicationOrder"}, "DSTU2 or STU3"),
    ],
)
def test_another_release_is_named_with_what_shows_it(resource, release):
    told = refusal(bundle(PATIENT, resource))
    assert f"FHIR {release}: {resource['resourceType']}" in told
    assert "R4 (4.0.1)" in told


def test_resources_of_r4_are_not_taken_for_another_release():
    r4 = [
        {"resourceType": "Encounter", "class": {"code": "AMB"}},
        {"resourceType": "MedicationRequest", "medicationCodeableConcept": {"text": "x"}},
        {"resourceType": "Condition", "clinicalStatus": {"coding": [{"code": "active"}]}},
        {"resourceType": "Goal", "lifecycleStatus": "active"},
        {"resourceType": "ServiceRequest", "reasonCode": []},
    ]
    assert len(read(bundle(PATIENT, *r4)).entries) == 6


def test_limit_may_be_set():
    with pytest.raises(UploadError, match=r"has 0\.000\d+ MB"):
        read_upload(json.dumps(bundle(PATIENT)).encode(), 10)
