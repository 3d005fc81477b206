"""The sandbox FHIR server, through HTTP."""

import threading
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from flask import Flask

from cds_service.sandbox import SandboxStore, sandbox_blueprint

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
LOINC = "http://loinc.org"


def coded(system, code, text):
    return {"coding": [{"system": system, "code": code}], "text": text}


def condition(identity, patient, code, **more):
    return {
        "resourceType": "Condition",
        "id": identity,
        "subject": {"reference": f"Patient/{patient}"},
        "code": coded(ICD, code, code),
        "clinicalStatus": coded("http://terminology.hl7.org/x", "active", "active"),
        **more,
    }


def pain(identity, patient, day, **more):
    return {
        "resourceType": "Observation",
        "id": identity,
        "status": "final",
        "subject": {"reference": f"Patient/{patient}"},
        "category": [coded("http://terminology.hl7.org/y", "survey", "survey")],
        "code": coded(LOINC, "72514-3", "Pain"),
        "effectiveDateTime": day,
        **more,
    }


RESOURCES = [
    {"resourceType": "Patient", "id": "ann", "name": [{"family": "Ash", "given": ["Ann"]}]},
    {"resourceType": "Patient", "id": "bob", "name": [{"family": "Birch", "given": ["Bob"]}]},
    {
        "resourceType": "Organization",
        "id": "payer",
        "identifier": [{"system": "urn:x", "value": "cca"}],
        "name": "Payer",
    },
    {
        "resourceType": "Coverage",
        "id": "cov",
        "status": "active",
        "beneficiary": {"reference": "Patient/ann"},
        "payor": [{"reference": "Organization/payer"}],
    },
    condition("back", "ann", "M54.50"),
    condition("neck", "ann", "M54.2", clinicalStatus=coded("x", "resolved", "resolved")),
    condition("knee", "bob", "M25.561"),
    pain("p1", "ann", "2026-01-10"),
    pain("p2", "ann", "2026-02-10T23:30:00-05:00"),
    pain("p3", "ann", "2026-03"),
    {
        "resourceType": "Encounter",
        "id": "visit",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": "Patient/ann"},
        "period": {"start": "2026-01-05", "end": "2026-01-06"},
        "participant": [{"individual": {"reference": "Practitioner/doc"}}],
    },
    {
        "resourceType": "QuestionnaireResponse",
        "id": "form",
        "subject": {"reference": "Patient/ann"},
        "questionnaire": "http://example.org/q|1.0.0",
    },
    {"resourceType": "Observation", "id": "odd", "subject": None, "code": "text", "category": 3},
]
BUNDLE = {"resourceType": "Bundle", "entry": [{"resource": item} for item in RESOURCES]}


@pytest.fixture
def store():
    return SandboxStore([BUNDLE])


@pytest.fixture
def client(store):
    app = Flask(__name__)
    app.register_blueprint(sandbox_blueprint(store))
    return app.test_client()


def ids(response):
    assert response.status_code == 200, response.text
    bundle = orjson.loads(response.data)
    matches = [item for item in bundle.get("entry", []) if item["search"]["mode"] == "match"]
    return [item["resource"]["id"] for item in matches]


def assert_outcome(response, status, code, words):
    body = orjson.loads(response.data)
    assert response.status_code == status
    assert response.content_type == "application/fhir+json"
    assert body["resourceType"] == "OperationOutcome"
    assert body["issue"][0]["code"] == code
    assert words in body["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Condition?patient=ann", ["back", "neck"]),
        ("Condition?patient=Patient/ann", ["back", "neck"]),
        ("Condition?subject:Patient=ann", ["back", "neck"]),
        ("Condition?patient=http://localhost/fhir/Patient/ann", ["back", "neck"]),
        ("Condition?patient=ann,bob", ["back", "neck", "knee"]),
        ("Condition?patient=an", []),
        ("Condition?patient=ann&code=M54.2,M54.50", ["back", "neck"]),
        (f"Condition?code={ICD}|M54.2", ["neck"]),
        ("Condition?code=|M54.2", []),
        (f"Condition?patient=bob&code={ICD}|", ["knee"]),
        ("Condition?patient=ann&clinical-status=active", ["back"]),
        ("Condition?patient=ann&clinical-status:not=active", ["neck"]),
        ("Condition?_id=back,knee", ["back", "knee"]),
        ("Observation?patient=ann&category=survey", ["p1", "p2", "p3"]),
        ("Observation?patient=ann&date=ge2026-02-10", ["p2", "p3"]),
        ("Observation?patient=ann&date=gt2026-02-10", ["p3"]),
        ("Observation?patient=ann&date=lt2026-02-10", ["p1"]),
        ("Observation?patient=ann&date=le2026-02-10", ["p1", "p2"]),
        ("Observation?patient=ann&date=2026-02-10", ["p2"]),
        ("Observation?patient=ann&date=ne2026-02-10", ["p1", "p3"]),
        ("Observation?patient=ann&date=2026", ["p1", "p2", "p3"]),
        ("Observation?patient=ann&date=ge2026-02&date=lt2026-03", ["p2"]),
        ("Observation?patient=ann&_sort=-date", ["p3", "p2", "p1"]),
        ("Observation?patient=ann&date:missing=true", []),
        ("Observation?date:missing=true", ["odd"]),
        ("Encounter?patient=ann&date=ge2026-01-06", ["visit"]),
        ("Encounter?patient=ann&date=sa2026-01-06", []),
        ("Encounter?practitioner=Practitioner/doc", ["visit"]),
        ("Coverage?beneficiary=ann&status=active", ["cov"]),
        ("QuestionnaireResponse?patient=ann&questionnaire=http://example.org/q", ["form"]),
        ("QuestionnaireResponse?questionnaire=http://example.org/q|2.0.0", []),
        ("Organization?identifier=urn:x|cca", ["payer"]),
        ("Patient?name=bir", ["bob"]),
        ("Patient?family:exact=ash", []),
        ("Goal?patient=ann", []),
    ],
)
def test_search_finds(client, query, expected):
    assert ids(client.get(f"/fhir/{query}")) == expected


def test_search_by_post_takes_form_parameters(client):
    form = {"patient": "ann", "clinical-status": "active"}
    assert ids(client.post("/fhir/Condition/_search", data=form)) == ["back"]


def test_search_answers_total_and_self(client):
    bundle = client.get("/fhir/Condition?patient=ann").get_json()
    assert bundle["type"] == "searchset"
    assert bundle["total"] == 2
    assert bundle["link"][0] == {
        "relation": "self",
        "url": "http://localhost/fhir/Condition?patient=ann",
    }
    assert bundle["entry"][0]["fullUrl"] == "http://localhost/fhir/Condition/back"


def test_nothing_found_has_no_empty_list(client):
    bundle = client.get("/fhir/Goal?patient=ann").get_json()
    assert bundle["total"] == 0
    assert "entry" not in bundle


def test_pages_follow_next_to_the_end(client):
    url, found = "/fhir/Observation?patient=ann&_count=2", []
    while url:
        response = client.get(url)
        found.append(ids(response))
        links = {item["relation"]: item["url"] for item in response.get_json()["link"]}
        url = links.get("next")
    assert found == [["p1", "p2"], ["p3"]]


def test_next_link_keeps_the_question(client):
    links = client.get("/fhir/Observation?patient=ann&_count=1&date=ge2026").get_json()["link"]
    asked = dict(parse_qsl(urlsplit(links[1]["url"]).query))
    assert asked == {"patient": "ann", "_count": "1", "date": "ge2026", "_offset": "1"}


def test_count_zero_gives_the_total_alone(client):
    bundle = client.get("/fhir/Observation?patient=ann&_count=0").get_json()
    assert bundle["total"] == 3
    assert "entry" not in bundle
    assert [item["relation"] for item in bundle["link"]] == ["self"]


def test_include_brings_the_payor(client):
    bundle = client.get("/fhir/Coverage?patient=ann&_include=Coverage:payor").get_json()
    modes = {item["resource"]["id"]: item["search"]["mode"] for item in bundle["entry"]}
    assert modes == {"cov": "match", "payer": "include"}
    assert bundle["total"] == 1


def test_unknown_parameter_is_ignored_and_said(client):
    bundle = client.get("/fhir/Condition?patient=bob&colour=red").get_json()
    assert [item["search"]["mode"] for item in bundle["entry"]] == ["match", "outcome"]
    assert "colour" in bundle["entry"][1]["resource"]["issue"][0]["diagnostics"]


def test_unknown_parameter_is_refused_when_strict(client):
    response = client.get("/fhir/Condition?colour=red", headers={"Prefer": "handling=strict"})
    assert_outcome(response, 400, "not-supported", "colour")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("Observation?date=yesterday", "not a date: yesterday"),
        ("Observation?date=ge2026-13-40", "not a date"),
        ("Observation?_count=many", "_count must be a whole number"),
        ("Observation?code:below=1", "modifier :below"),
        ("Observation?code=", "code has no value"),
        ("Observation?date:missing=maybe", "takes true or false"),
    ],
)
def test_bad_search_is_refused_with_the_reason(client, query, words):
    response = client.get(f"/fhir/{query}")
    assert response.status_code == 400
    assert words in response.get_json()["issue"][0]["diagnostics"]


def test_read(client):
    assert client.get("/fhir/Patient/ann").get_json()["name"][0]["given"] == ["Ann"]


def test_read_of_what_is_not_there(client):
    assert_outcome(client.get("/fhir/Patient/zoe"), 404, "not-found", "Patient/zoe")


def test_type_that_is_not_served(client):
    assert_outcome(client.get("/fhir/Spaceship"), 404, "not-supported", "Spaceship")


def test_create_gets_an_id_of_the_server(client):
    sent = condition("mine", "bob", "M54.2")
    response = client.post("/fhir/Condition", json=sent)
    stored = response.get_json()
    assert response.status_code == 201
    assert stored["id"] != "mine"
    assert response.headers["Location"].endswith(f"/fhir/Condition/{stored['id']}/_history/1")
    assert ids(client.get("/fhir/Condition?patient=bob")) == ["knee", stored["id"]]


def test_update_moves_to_the_other_patient(client):
    response = client.put("/fhir/Condition/back", json=condition("back", "bob", "M54.50"))
    assert response.status_code == 200
    assert response.get_json()["meta"]["versionId"] == "2"
    assert ids(client.get("/fhir/Condition?patient=ann")) == ["neck"]
    assert ids(client.get("/fhir/Condition?patient=bob")) == ["knee", "back"]


def test_update_of_something_new_creates_it(client):
    response = client.put("/fhir/Condition/hip", json=condition("hip", "ann", "M25.551"))
    assert response.status_code == 201
    assert client.get("/fhir/Condition/hip").status_code == 200


def test_update_under_another_id_is_refused(client):
    response = client.put("/fhir/Condition/back", json=condition("neck", "ann", "M54.50"))
    assert_outcome(response, 400, "invalid", "the body's id is neck, the address says back")


def test_deleted_is_gone(client):
    assert client.delete("/fhir/Condition/back").status_code == 204
    assert_outcome(client.get("/fhir/Condition/back"), 410, "deleted", "Condition/back")
    assert ids(client.get("/fhir/Condition?patient=ann")) == ["neck"]
    assert client.delete("/fhir/Condition/back").status_code == 204


def test_body_that_is_not_json(client):
    response = client.post("/fhir/Condition", data=b"{", content_type="application/fhir+json")
    assert_outcome(response, 400, "structure", "not JSON")


def test_body_of_another_type(client):
    assert_outcome(
        client.post("/fhir/Goal", json=condition("x", "ann", "M54.2")), 400, "invalid", "Condition"
    )


def test_body_in_another_format(client):
    response = client.post("/fhir/Condition", data=b"<x/>", content_type="application/fhir+xml")
    assert_outcome(response, 415, "not-supported", "application/fhir+xml")


@pytest.mark.parametrize("accept", ["application/json+fhir", "*/*", "application/fhir+json", ""])
def test_every_kind_of_json_is_accepted(client, accept):
    assert client.get("/fhir/Patient/ann", headers={"Accept": accept}).status_code == 200


def test_xml_alone_is_not_served(client):
    response = client.get("/fhir/Patient/ann", headers={"Accept": "application/fhir+xml"})
    assert_outcome(response, 406, "not-supported", "xml")


@pytest.mark.parametrize("path", ["Patient/ann", "Patient/zoe", "Patient/ann/_history/1/x"])
def test_every_answer_allows_every_origin(client, path):
    response = client.get(f"/fhir/{path}", headers={"Origin": "http://elsewhere.example"})
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_preflight_is_answered(client):
    response = client.options("/fhir/Condition/_search", headers={"Origin": "http://e.example"})
    assert response.status_code == 200
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in response.headers["Access-Control-Allow-Headers"]


def test_method_that_is_not_served(client):
    response = client.patch("/fhir/Patient/ann", json={})
    assert_outcome(response, 404, "not-supported", "PATCH")


def test_metadata_says_r4_and_every_parameter(client):
    statement = client.get("/fhir/metadata").get_json()
    kinds = {item["type"]: item for item in statement["rest"][0]["resource"]}
    assert statement["fhirVersion"] == "4.0.1"
    assert {"name": "clinical-status", "type": "token"} in kinds["Condition"]["searchParam"]
    assert "Coverage:payor" in kinds["Coverage"]["searchInclude"]


def entry(method, url, resource=None, **more):
    return {"request": {"method": method, "url": url}, "resource": resource, **more}


def post_bundle(client, kind, *entries):
    bundle = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    return client.post("/fhir", json=bundle)


def test_transaction_joins_what_it_creates(client):
    goal = {"resourceType": "Goal", "id": "g", "subject": {"reference": "Patient/ann"}}
    plan = {
        "resourceType": "CarePlan",
        "subject": {"reference": "Patient/ann"},
        "goal": [{"reference": "urn:uuid:1"}, {"reference": "Goal/g"}],
    }
    response = post_bundle(
        client,
        "transaction",
        entry("POST", "CarePlan", plan),
        entry("POST", "Goal", goal, fullUrl="urn:uuid:1"),
        entry("DELETE", "Condition/neck"),
        entry("GET", "Condition?patient=ann"),
    )
    answers = response.get_json()["entry"]
    made = f"Goal/{answers[1]['resource']['id']}"
    assert response.status_code == 200
    assert [item["reference"] for item in answers[0]["resource"]["goal"]] == [made, made]
    assert [item["response"]["status"] for item in answers] == [
        "201 Created",
        "201 Created",
        "204 No Content",
        "200 OK",
    ]
    assert answers[3]["resource"]["total"] == 1


def test_failed_transaction_changes_nothing(client):
    response = post_bundle(
        client,
        "transaction",
        entry("DELETE", "Condition/back"),
        entry("POST", "Goal", {"resourceType": "CarePlan"}),
    )
    assert_outcome(response, 400, "invalid", "entry 1")
    assert ids(client.get("/fhir/Condition?patient=ann")) == ["back", "neck"]


def test_batch_goes_on_after_a_failure(client):
    response = post_bundle(
        client, "batch", entry("GET", "Patient/zoe"), entry("GET", "Patient/ann")
    )
    answers = response.get_json()["entry"]
    assert answers[0]["response"]["status"] == "404"
    assert answers[0]["response"]["outcome"]["resourceType"] == "OperationOutcome"
    assert answers[1]["resource"]["id"] == "ann"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"resourceType": "Bundle", "type": "searchset"}, "transaction or batch"),
        ({"resourceType": "Patient"}, "the body is a Patient"),
        ({"resourceType": "Bundle", "type": "batch", "entry": 3}, "must be a list"),
        ([], "one FHIR resource"),
    ],
)
def test_bundle_that_is_none(client, body, words):
    response = client.post("/fhir", json=body)
    assert response.status_code == 400
    assert words in response.get_json()["issue"][0]["diagnostics"]


def test_reset_forgets_all_writes(client, store):
    client.delete("/fhir/Condition/back")
    client.post("/fhir/Condition", json=condition("x", "ann", "M54.2"))
    store.reset()
    assert ids(client.get("/fhir/Condition?patient=ann")) == ["back", "neck"]


def test_writes_from_many_threads_are_all_kept(store):
    def write():
        for _ in range(50):
            store.create(condition("x", "bob", "M54.2"))
            store.of_patient("Condition", "bob")

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.of_patient("Condition", "bob")) == 401


def test_folder_gives_patients_and_their_requests(tmp_path):
    (tmp_path / "patients").mkdir()
    (tmp_path / "requests").mkdir()
    (tmp_path / "patients" / "a.json").write_bytes(orjson.dumps(BUNDLE))
    request = {"hook": "order-sign", "context": {"patientId": "ann"}}
    (tmp_path / "requests" / "a.json").write_bytes(orjson.dumps(request))
    store = SandboxStore.from_folder(tmp_path)
    assert store.read("Patient", "ann")["id"] == "ann"
    assert store.requests["ann"] == [request]


def test_folder_with_a_broken_file_names_it(tmp_path):
    (tmp_path / "patients").mkdir()
    (tmp_path / "patients" / "broken.json").write_text("{")
    with pytest.raises(ValueError, match=r"broken\.json is not JSON"):
        SandboxStore.from_folder(tmp_path)


def test_story_of_a_bundle_goes_with_its_patients():
    store = SandboxStore([{**BUNDLE, "meta": {"tag": [{"display": "Back pain"}]}}])
    assert store.stories == {"ann": "Back pain", "bob": "Back pain"}
