"""Searches, pages, versions and gone resources as a server that nobody here wrote has them."""

import time
from copy import deepcopy
from uuid import uuid4

import pytest

from cds_service.record.client import FhirClient, Limits, fhir_session
from cds_service.record.queries import catalogue
from tests.hapi.charts import FIXTURES, OTHERS, charts, signed_by_fixture, signed_by_other
from tests.http.fault_server import passes, serving
from tests.shared import needs_shared
from tests.spec.records import mapped

FORMS = [
    pytest.param(key, form, id=f"{key}-{at}")
    for key, query in catalogue().queries.items()
    for at, form in enumerate(query.forms("{patient}"))
]
SUMMARY = [path for path in FIXTURES if path.stem == "kp-complete"]


def client_of(base, **limits):
    return FhirClient(base, None, fhir_session(), time.monotonic() + 60, Limits(**limits))


def of_type(resources, resource_type):
    return {one["id"] for one in resources if one["resourceType"] == resource_type}


def patient_of(resources):
    (patient,) = of_type(resources, "Patient")
    return patient


@pytest.fixture
def chart():
    """A chart of one's own, to be changed: (request, resources)."""
    return renamed(signed_by_fixture(SUMMARY[0]), f"own-{uuid4().hex[:12]}")


def renamed(signed, name):
    return mapped(deepcopy(list(signed)), lambda _, text: text.replace("kp-complete", name))


def evaluation(service, hapi, request, **change):
    (found,) = service.evaluations(request | {"fhirServer": hapi.url} | change)
    return found


@pytest.mark.parametrize(("key", "form"), FORMS)
def test_every_search_is_accepted_and_none_of_it_ignored(key, form, hapi):
    patient = patient_of(signed_by_fixture(SUMMARY[0])[1])
    asked = form.replace("%7Bpatient%7D", patient)
    headers = {"Prefer": "handling=strict", "Cache-Control": "no-cache"}
    answer = hapi.session.get(f"{hapi.url}/{asked}", headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    kinds = [entry["resource"]["resourceType"] for entry in body.get("entry", [])]
    assert body["resourceType"] in ("Bundle", "Patient")
    assert "OperationOutcome" not in kinds


def test_no_search_is_empty_for_every_chart(hapi, chart):
    """What is accepted above also finds: for each query there is a chart in which it does."""
    own = [*chart[1], *rarely_charted(patient_of(chart[1]))]
    hapi.put(own)
    client, lacking = client_of(hapi.url), dict(catalogue().queries)
    for resources in [own, *charts()]:
        for key, query in list(lacking.items()):
            if of_type(resources, query.resource_type) and _found(client, query, resources):
                del lacking[key]
    assert list(lacking) == []


def rarely_charted(patient):
    subject = {"reference": f"Patient/{patient}"}
    yield {"resourceType": "AllergyIntolerance", "id": f"{patient}-a", "patient": subject}
    yield {"resourceType": "EpisodeOfCare", "id": f"{patient}-e", "patient": subject}
    yield {"resourceType": "FamilyMemberHistory", "id": f"{patient}-m", "patient": subject}
    yield {"resourceType": "Flag", "id": f"{patient}-f", "subject": subject}


def _found(client, query, resources):
    reading = client.fetch(query.forms(patient_of(resources)))
    assert reading.reason is None
    return [e for e in reading.entries if e["resource"]["resourceType"] == query.resource_type]


@needs_shared
@pytest.mark.parametrize("size", [1, 7, 50])
def test_pages_are_followed_to_the_end(size, hapi):
    signed = signed_by_other(OTHERS[1])
    with serving({"*": passes(hapi.url)}) as proxy:
        form = f"Observation?patient={signed.patient}&_count={size}"
        client = FhirClient(
            proxy.base, None, fhir_session(), time.monotonic() + 60, Limits(1 << 24, 500)
        )
        reading = client.fetch([form])
        pages = len(proxy.asked)
    held = of_type(signed.resources, "Observation")
    assert reading.reason is None
    assert {entry["resource"]["id"] for entry in reading.entries} == held
    assert len(reading.entries) == len(held)
    assert pages == -(-len(held) // size) > 1


@needs_shared
def test_pages_beyond_the_cap_are_a_hole(hapi):
    patient = signed_by_other(OTHERS[1]).patient
    reading = client_of(hapi.url, max_pages=2).fetch([f"Observation?patient={patient}&_count=5"])
    assert (len(reading.entries), reading.reason) == (10, "too-many-pages")


def test_a_first_page_in_prefetch_is_completed_from_the_server(hapi, unhurried):
    request, resources = signed_by_fixture(SUMMARY[0])
    whole = evaluation(unhurried, hapi, request)
    query = f"Observation?patient={patient_of(resources)}&_count=1"
    page = hapi.session.get(f"{hapi.url}/{query}", timeout=30).json()
    assert [link["relation"] for link in page["link"]].count("next") == 1
    prefetch = {"measures": page}
    assert evaluation(unhurried, hapi, request, prefetch=prefetch) == whole


def test_an_unknown_patient_is_a_precondition(hapi, unhurried, chart):
    answer = unhurried.post(chart[0] | {"fhirServer": hapi.url})
    assert answer.status_code == 412
    assert "http-404" in answer.text


def test_a_deleted_patient_is_a_precondition(hapi, unhurried, chart):
    request, resources = chart
    hapi.put(resources)
    assert evaluation(unhurried, hapi, request)["unread"] == []
    hapi.delete(f"Patient/{patient_of(resources)}")
    answer = unhurried.post(request | {"fhirServer": hapi.url})
    assert answer.status_code == 412
    assert "http-410" in answer.text


def test_who_treats_and_is_not_there_is_named(hapi, unhurried, chart):
    request, resources = chart
    hapi.put(resources)
    (order,) = [entry["resource"] for entry in request["context"]["draftOrders"]["entry"]]
    order["performer"] = [{"reference": "PractitionerRole/nobody-here"}]
    found = evaluation(unhurried, hapi, request)
    assert {"query": "PractitionerRole", "reason": "http-404"} in found["unread"]


def test_what_was_deleted_is_named_where_it_is_referred_to_and_else_is_gone(hapi, unhurried, chart):
    request, resources = chart
    hapi.put(resources)
    goal = next(iter(of_type(resources, "Goal")))
    (payor,) = of_type(resources, "Organization")
    hapi.delete(f"Goal/{goal}")
    hapi.delete(f"Organization/{payor}")
    found = evaluation(unhurried, hapi, request)
    cited = {e["reference"] for c in found["criteria"] for e in c["evidence"]}
    assert f"Goal/{goal}" not in cited
    assert found["unread"] == [{"query": "Organization", "reason": "http-410"}]


def test_the_newest_version_counts_at_once(hapi, unhurried, chart):
    request, resources = chart
    hapi.put(resources)
    before = evaluation(unhurried, hapi, request)
    patient = {"reference": f"Patient/{patient_of(resources)}"}
    clot = {
        "resourceType": "Condition",
        "id": f"{patient_of(resources)}-clot",
        "subject": patient,
        "clinicalStatus": status("condition-clinical", "active"),
        "verificationStatus": status("condition-ver-status", "confirmed"),
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "I82.401"}]},
        "recordedDate": "2026-03-15",
    }
    hapi.put([clot])
    after = evaluation(unhurried, hapi, request)
    assert f"Condition/{clot['id']}" in safety_evidence(after)
    hapi.put([clot | {"verificationStatus": status("condition-ver-status", "entered-in-error")}])
    assert evaluation(unhurried, hapi, request) == before


def status(system, code):
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def safety_evidence(found):
    return {e["reference"] for one in found["safety"] for e in one["evidence"]}


def test_a_reference_to_a_version_is_read(hapi, unhurried, chart):
    request, resources = chart
    hapi.put(resources)
    plain = evaluation(unhurried, hapi, request)
    (order,) = [entry["resource"] for entry in request["context"]["draftOrders"]["entry"]]
    order["performer"][0]["reference"] += "/_history/1"
    assert evaluation(unhurried, hapi, request)["criteria"] == plain["criteria"]
    assert plain["unread"] == []
