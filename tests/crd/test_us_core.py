"""The same patient in the shapes of US Core 3.1.1, 6.1.0 and 7.0.0 is judged alike."""

import copy

import pytest

from tests.crd import ehr
from tests.crd.rules import part

BASE = "http://hl7.org/fhir/us/core/StructureDefinition"
CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
OBSERVATION = "http://terminology.hl7.org/CodeSystem/observation-category"
US_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
PROFILES = {
    "Patient": "us-core-patient",
    "Coverage": "us-core-coverage",
    "Encounter": "us-core-encounter",
    "Procedure": "us-core-procedure",
    "Goal": "us-core-goal",
    "CarePlan": "us-core-careplan",
    "DocumentReference": "us-core-documentreference",
    "MedicationRequest": "us-core-medicationrequest",
    "Practitioner": "us-core-practitioner",
    "PractitionerRole": "us-core-practitionerrole",
    "Organization": "us-core-organization",
    "ServiceRequest": "us-core-servicerequest",
    "QuestionnaireResponse": "us-core-questionnaireresponse",
}
# Profiles that 3.1.1 does not have.
NEWER = {"Coverage", "ServiceRequest", "QuestionnaireResponse"}


def coded(system, code):
    return [{"coding": [{"system": system, "code": code}]}]


def profiled(resource, version, name=None):
    name = name or PROFILES.get(resource["resourceType"])
    if name and not (version == "3.1.1" and resource["resourceType"] in NEWER):
        resource["meta"] = {"profile": [f"{BASE}/{name}|{version}"]}


def patient(one, version):
    """3.1.1 and 6.1 have birth sex, 6.1 adds gender identity; 7.0 has sex as SNOMED CT."""
    told = {
        "3.1.1": [{"url": f"{BASE}/us-core-birthsex", "valueCode": "F"}],
        "6.1.0": [
            {"url": f"{BASE}/us-core-birthsex", "valueCode": "F"},
            {
                "url": f"{BASE}/us-core-genderIdentity",
                "valueCodeableConcept": {"coding": [{"code": "446141000124107"}]},
            },
        ],
        "7.0.0": [{"url": f"{BASE}/us-core-sex", "valueCode": "248152002"}],
    }
    one["extension"] = told[version]


def condition(one, version):
    """From 5.0 on a problem and an encounter's diagnosis are two profiles."""
    one["category"] = coded(CATEGORY, "problem-list-item")
    if version == "3.1.1":
        profiled(one, version, "us-core-condition")
        return
    profiled(one, version, "us-core-condition-problems-health-concerns")
    if "recordedDate" in one:
        url = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
        one["extension"] = [{"url": url, "valueDateTime": one["recordedDate"]}]


def observation(one, version):
    """3.1.1 knows vital signs and laboratory; later versions have surveys and screening too."""
    kinds = {"3.1.1": "exam", "6.1.0": "survey", "7.0.0": "survey"}
    held = one.get("category", [])
    told = {c.get("code") for item in held for c in item.get("coding", ())}
    if not told & {"vital-signs", "laboratory", "exam"}:
        one["category"] = coded(OBSERVATION, kinds[version])
    if version != "3.1.1":
        one["category"] = [*one["category"], *coded(US_CATEGORY, "functional-status")]
        profiled(one, version, "us-core-simple-observation")


def service_request(one, version):
    if version == "7.0.0":
        one["category"] = [*one.get("category", []), *coded(US_CATEGORY, "functional-status")]
    elif version == "6.1.0":
        one["category"] = [
            *one.get("category", []),
            *coded("http://snomed.info/sct", "386053000"),
        ]


def procedure(one, version):
    """Some servers of each version write a period where others write a moment."""
    if version == "7.0.0" and "performedDateTime" in one:
        moment = one.pop("performedDateTime")
        one["performedPeriod"] = {"start": moment, "end": moment}


def encounter(one, version):
    if version != "3.1.1":
        one["identifier"] = [{"system": "urn:ehr", "value": one["id"]}]


def coverage(one, version):
    if version != "3.1.1":
        kind = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MB"}
        one["identifier"] = [{"type": {"coding": [kind]}, "system": "urn:m", "value": "M1"}]
        one["relationship"] = {"coding": [{"code": "self"}]}


def document(one, version):
    if version != "3.1.1":
        more = coded(
            f"{BASE.rsplit('/', 1)[0]}/CodeSystem/us-core-documentreference-category",
            "clinical-note",
        )
        one["category"] = [*one.get("category", []), *more]


SHAPES = {
    "Patient": patient,
    "Condition": condition,
    "Observation": observation,
    "ServiceRequest": service_request,
    "Procedure": procedure,
    "Encounter": encounter,
    "Coverage": coverage,
    "DocumentReference": document,
}


def shaped(resource, version):
    made = copy.deepcopy(resource)
    profiled(made, version)
    SHAPES.get(made["resourceType"], lambda one, _: None)(made, version)
    return made


def signed(name, version):
    found = [shaped(one, version) for one in ehr.resources(name)]

    def change(context, _):
        for entry in context["draftOrders"]["entry"]:
            entry["resource"] = shaped(entry["resource"], version)

    return found, change


@pytest.mark.parametrize("name", ehr.names())
def test_the_three_shapes_come_to_the_same(name):
    outcomes = []
    for version in ("3.1.1", "6.1.0", "7.0.0"):
        found, change = signed(name, version)
        answer = ehr.sign(name, change, found=found, version="2.2")
        outcomes.append(
            (
                [told_of(one) for one in ehr.information(answer)],
                [card["summary"] for card in answer["cards"]],
            )
        )
    assert outcomes[0] == outcomes[1] == outcomes[2]


def told_of(information):
    """Return what is asserted, without the id: it stands for the order's category too."""
    parts = information["extension"]
    return [one for one in parts if one["url"] != "coverage-assertion-id"]


def test_the_shapes_differ():
    """The test above would pass if nothing were changed."""
    (one,) = ehr.resources("kp-01", "Patient")
    made = {str(shaped(one, version)) for version in ("3.1.1", "6.1.0", "7.0.0")}
    assert len(made) == 3
    plain = ehr.only(ehr.sign("kp-01"))
    assert part(plain, "covered") == "covered"
