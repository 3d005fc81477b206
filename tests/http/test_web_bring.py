"""Patients of one's own on the page: a Bundle, or another FHIR server."""

import json
from base64 import urlsafe_b64encode

import pytest
from flask import Flask

from cds_service.auth.addresses import is_loopback
from cds_service.record.client import fhir_session
from cds_service.sandbox import SandboxStore, sandbox_blueprint
from cds_service.web import Outside, web_blueprint
from tests.live import FhirServer, serve

SUBJECT = {"reference": "urn:uuid:1"}
OWN = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {
            "fullUrl": "urn:uuid:1",
            "resource": {"resourceType": "Patient", "id": "ann", "name": [{"text": "Own Ann"}]},
        },
        {
            "fullUrl": "urn:uuid:2",
            "resource": {
                "resourceType": "Condition",
                "subject": SUBJECT,
                "code": {"text": "Own pain"},
            },
        },
        {
            "resource": {
                "resourceType": "Coverage",
                "id": "cov",
                "beneficiary": {"reference": "Patient/ann"},
                "payor": [{"display": "Own payer"}],
            }
        },
        {
            "resource": {
                "resourceType": "ServiceRequest",
                "id": "draft",
                "status": "draft",
                "intent": "order",
                "subject": SUBJECT,
                "code": {"coding": [{"code": "97140"}]},
                "requester": {"reference": "Practitioner/own"},
            }
        },
    ],
}
HELD = {
    "resourceType": "Bundle",
    "entry": [
        {"resource": {"resourceType": "Patient", "id": "ann", "name": [{"text": "First Ann"}]}},
        {"resource": {"resourceType": "Coverage", "id": "cov", "status": "active"}},
    ],
}
BY_URL = {
    "resourceType": "Goal",
    "id": "goal",
    "subject": {"reference": "https://ehr.example.org/fhir/Patient/ann/_history/3"},
}


@pytest.fixture
def store():
    return SandboxStore([HELD])


def client_of(store, **more):
    app = Flask("web", static_folder=None)
    app.register_blueprint(sandbox_blueprint(store))
    app.register_blueprint(web_blueprint(store, **more))
    return app.test_client()


@pytest.fixture
def client(store):
    return client_of(store)


def bring(client, body=OWN, **more):
    return client.post("/patients", **({"json": body} if body is not None else {}), **more)


def test_own_patient_gets_a_page_with_its_chart(client):
    answer = bring(client)
    assert answer.status_code == 201
    text = client.get(answer.get_json()["page"]).text
    assert "Own Ann" in text
    assert "Brought along: 4 resources" in text
    assert "Own pain" in text
    assert "Own payer" in text


def test_clashing_ids_are_given_anew_and_references_follow(client, store):
    key = bring(client).get_json()["patient"]
    assert key != "ann"
    assert store.read("Patient", "ann")["name"] == [{"text": "First Ann"}]
    (coverage,) = store.of_patient("Coverage", key)
    (condition,) = store.of_patient("Condition", key)
    assert coverage["id"] != "cov"
    assert condition["subject"] == {"reference": f"Patient/{key}"}
    assert condition["id"]


def test_references_by_full_url_follow(client, store):
    body = OWN | {"entry": [*OWN["entry"], {"resource": BY_URL}]}
    key = bring(client, body).get_json()["patient"]
    assert [goal["id"] for goal in store.of_patient("Goal", key)] == ["goal"]


def test_ids_that_are_free_stay(store):
    client = client_of(SandboxStore())
    assert bring(client).get_json()["patient"] == "ann"


def test_drafts_of_the_bundle_are_the_orders_to_sign(client):
    text = client.get(bring(client).get_json()["page"]).text
    assert "draft" in text
    assert "97140" in text
    assert "Practitioner/own" in text
    assert "-order" not in text.split("data-request")[1].split("data-others")[0]


def test_who_has_no_coverage_may_be_given_a_plan_of_the_demo():
    payor = [{"display": "Some payer"}]
    whose = {"beneficiary": {"reference": "Patient/x"}, "subscriberId": "SECRET-7"}
    known = {"resourceType": "Coverage", "id": "k", "status": "active", "payor": payor} | whose
    over = known | {"id": "o", "payor": [{"display": "Past"}], "status": "cancelled"}
    bare = {"resourceType": "Patient", "id": "bare"}
    entries = [{"resource": one} for one in (known, over, bare)]
    client = client_of(SandboxStore([{"resourceType": "Bundle", "entry": entries}]))
    text = client.get("/?patient=bare").text
    assert ">Some payer</option>" in text
    assert "Past" not in text
    assert "SECRET-7" not in text
    assert "Patient/x" not in text


def test_who_has_coverage_is_given_none(client):
    text = client.get(bring(client).get_json()["page"]).text
    assert "data-plan" not in text


def test_the_reset_forgets_it(client, store):
    key = bring(client).get_json()["patient"]
    answer = client.post("/reset", data={"patient": key})
    assert answer.headers["Location"] == "/"
    assert store.read("Patient", key) is None
    assert key not in store.stories
    assert client.get(f"/?patient={key}").status_code == 404


def test_a_bad_bundle_is_told_and_nothing_is_kept(client, store):
    two = OWN | {"entry": [*OWN["entry"], OWN["entry"][0]]}
    before = len(store.of_type("Patient"))
    answer = bring(client, two)
    assert "2 patients" in answer.get_json()["problem"]
    assert len(store.of_type("Patient")) == before


def test_too_large_is_refused_by_its_length(store):
    answer = bring(client_of(store, largest=100))
    assert answer.status_code == 413
    assert "at most" in answer.get_json()["problem"]


def test_nesting_without_end_is_told(client):
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    entry = b'{"resource":{"resourceType":"Patient","id":"q","x":' + deep + b"}}"
    body = b'{"resourceType":"Bundle","entry":[' + entry + b"]}"
    answer = client.post("/patients", data=body, content_type="application/json")
    assert "problem" in answer.get_json()


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", None])
def test_a_form_of_another_page_is_not_taken(client, kind):
    answer = client.post("/patients", data=json.dumps(OWN), content_type=kind)
    assert answer.status_code == 415


PATIENT_ELSEWHERE = {
    "resourceType": "Bundle",
    "entry": [
        {
            "resource": {
                "resourceType": "Patient",
                "id": "away",
                "name": [{"family": "Elsewhere", "given": ["Eve"]}],
            }
        },
        {
            "resource": {
                "resourceType": "Condition",
                "id": "c",
                "subject": {"reference": "Patient/away"},
                "code": {"text": "Pain elsewhere"},
            }
        },
    ],
}


@pytest.fixture
def elsewhere():
    with serve(FhirServer([PATIENT_ELSEWHERE]).app) as url:
        yield f"{url}/fhir"


@pytest.fixture
def looking(store):
    return client_of(store, outside=Outside(fhir_session(), is_loopback))


def token_of(base):
    return urlsafe_b64encode(base.encode()).decode().rstrip("=")


def test_patients_of_another_server_are_found_by_name(looking, elsewhere):
    text = looking.get("/", query_string={"server": elsewhere, "find": "elsew"}).text
    assert "1 patient found" in text
    assert "Eve Elsewhere" in text
    none = looking.get("/", query_string={"server": elsewhere, "find": "nobody"}).text
    assert "0 patients found" in none


def test_patients_of_another_server_are_found_by_id(looking, elsewhere):
    text = looking.get("/", query_string={"server": elsewhere, "find": "away"}).text
    assert "Eve Elsewhere" in text


def test_a_patient_of_another_server_has_a_page(looking, elsewhere):
    page = looking.get("/", query_string={"server": elsewhere, "patient": "away"})
    assert page.status_code == 200
    assert "Pain elsewhere" in page.text
    assert f'data-fhir="{elsewhere}"' in page.text
    assert f'data-reads="/outside/{token_of(elsewhere)}"' in page.text
    assert "data-keeps" not in page.text


def test_what_could_not_be_read_there_is_named(looking):
    app = Flask("half")

    @app.get("/fhir/<path:rest>")
    def half(rest):
        patient = {"resourceType": "Patient", "id": "away"}
        return patient if rest == "Patient/away" else ({"resourceType": "OperationOutcome"}, 500)

    with serve(app) as url:
        base = f"{url}/fhir"
        text = looking.get("/", query_string={"server": base, "patient": "away"}).text
    assert "Could not be read there" in text
    assert "Coverage (http-500)" in text


def test_unknown_patient_there_is_not_found(looking, elsewhere):
    page = looking.get("/", query_string={"server": elsewhere, "patient": "nobody"})
    assert page.status_code == 404
    assert f"nobody</code> on {elsewhere}" in page.text


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("https://fhir.example.org/r4", "is not read from here"),
        ("http://169.254.169.254/latest", "is not read from here"),
        ("http://127.0.0.1@evil.example.org/fhir", "is not read from here"),
        ("file:///etc/passwd", "is not read from here"),
        ("http://localhost.evil.example.org/", "is not read from here"),
        ("http://127.0.0.1:9/fhir", "could not be reached"),
    ],
)
def test_a_server_that_cannot_be_read_is_told(looking, base, words):
    text = looking.get("/", query_string={"server": base}).text
    assert 'role="alert"' in text
    assert words in text


def test_named_servers_are_offered(store):
    outside = Outside(fhir_session(), is_loopback, ("https://named.example.org/fhir",))
    text = client_of(store, outside=outside).get("/").text
    assert '<option value="https://named.example.org/fhir">' in text


def test_reading_for_the_page_gives_a_search_whole(looking, elsewhere):
    answer = looking.get(f"/outside/{token_of(elsewhere)}/Condition?patient=away&_count=1")
    assert answer.status_code == 200
    assert answer.content_type == "application/fhir+json"
    assert [e["resource"]["id"] for e in answer.get_json()["entry"]] == ["c"]


def test_reading_for_the_page_gives_a_resource(looking, elsewhere):
    answer = looking.get(f"/outside/{token_of(elsewhere)}/Condition/c")
    assert answer.get_json()["code"] == {"text": "Pain elsewhere"}


def test_what_is_not_there_stays_an_error(looking, elsewhere):
    answer = looking.get(f"/outside/{token_of(elsewhere)}/Condition/none")
    assert answer.status_code == 404
    assert answer.get_json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "path",
    [
        f"/outside/{token_of('https://fhir.example.org')}/Patient/a",
        f"/outside/{token_of('http://10.0.0.1')}/Patient/a",
        "/outside/!/Patient/a",
        "/outside/____/Patient/a",
    ],
)
def test_no_other_server_is_read(looking, path):
    assert looking.get(path).status_code == 403


@pytest.mark.parametrize("form", ["..%2fsecret", "%2e%2e/secret", "http://127.0.0.1:9/x"])
def test_no_path_leads_out_of_the_base(looking, elsewhere, form):
    answer = looking.get(f"/outside/{token_of(elsewhere)}/{form}")
    assert answer.status_code in (404, 502)
    assert answer.get_json(silent=True) is None or "entry" not in answer.get_json()


def test_nothing_is_ever_written_there(looking, elsewhere):
    path = f"/outside/{token_of(elsewhere)}/Condition"
    assert looking.post(path, json={}).status_code == 405
    assert looking.delete(f"{path}/c").status_code == 405
