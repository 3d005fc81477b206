import pytest
from flask import Flask

from cds_service.hooks.blueprint import blueprint
from cds_service.hooks.service import Registry
from tests.hook_calls import PAGE, REQUEST, client_of, service

METHODS = "GET, POST, OPTIONS"


def preflight(path, method, headers, origin=PAGE):
    asked = {
        "Accept": "*/*",
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
        "Origin": origin,
    }
    return client_of().options(path, headers=asked)


def test_no_services_is_an_empty_list():
    app = Flask("none")
    app.register_blueprint(blueprint(Registry([]), max_body=1))
    assert app.test_client().get("/cds-services").get_json() == {"services": []}


def test_an_entry_has_every_member_and_no_empty_one():
    full = service(
        prefetch={"patient": "Patient/{{context.patientId}}"}, usage_requirements="FHIR R4"
    )
    response = client_of(full, service("bare", title="")).get("/cds-services")
    assert response.content_type == "application/json"
    assert response.get_json()["services"] == [
        {
            "hook": "order-sign",
            "title": "Review",
            "description": "Reviews an order.",
            "id": "review",
            "version": "2.0.1",
            "hookVersion": "1.0",
            "prefetch": {"patient": "Patient/{{context.patientId}}"},
            "usageRequirements": "FHIR R4",
        },
        {
            "hook": "order-sign",
            "description": "Reviews an order.",
            "id": "bare",
            "version": "2.0.1",
            "hookVersion": "1.0",
        },
    ]


def test_a_service_may_name_its_own_hook_version_and_extension():
    special = service(hook_version="1.1", extension={"davinci-crd.version": []})
    (entry,) = client_of(special).get("/cds-services").get_json()["services"]
    assert entry["hookVersion"] == "1.1"
    assert entry["extension"] == {"davinci-crd.version": []}


def test_two_services_on_one_hook_answer_side_by_side():
    client = client_of(service("one"), service("two", hook="order-select"), service("three"))
    listed = [entry["id"] for entry in client.get("/cds-services").get_json()["services"]]
    assert listed == ["one", "two", "three"]
    assert client.post("/cds-services/one", json=REQUEST).status_code == 200
    assert client.post("/cds-services/three", json=REQUEST).status_code == 200


@pytest.mark.parametrize("name", ["a/b", "", "a b", "../x"])
def test_an_id_that_is_no_url_segment_stops_the_start(name):
    with pytest.raises(ValueError, match="URL segment"):
        Registry([service(name)])


def test_a_hook_without_a_schema_stops_the_start():
    with pytest.raises(ValueError, match=r"patient-view-request\.json"):
        Registry([service(hook="patient-view")])


def test_an_id_used_twice_stops_the_start():
    with pytest.raises(ValueError, match="'review'"):
        Registry([service(), service()])


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        ("/cds-services", "GET", "authorization"),
        ("/cds-services/review", "POST", "authorization,content-type"),
    ],
)
def test_the_sandbox_preflights_pass_without_a_token(path, method, headers):
    response = preflight(path, method, headers)
    assert 200 <= response.status_code < 300
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert response.headers["Access-Control-Allow-Methods"] == METHODS
    assert response.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    assert int(response.headers["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Origin" in response.headers["Vary"]


@pytest.mark.parametrize(
    "origin", ["http://localhost:8093", "https://evil.example", "null", f"{PAGE}.evil.example"]
)
def test_another_origin_gets_no_leave(origin):
    response = preflight("/cds-services", "GET", "authorization", origin)
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Origin" in response.headers["Vary"]


@pytest.mark.parametrize(
    ("path", "status"), [("/cds-services", 200), ("/cds-services/review/feedback", 405)]
)
def test_answers_and_errors_carry_the_origin(path, status):
    response = client_of().get(path, headers={"Origin": PAGE})
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Origin" in response.headers["Vary"]


def test_an_answer_varies_by_origin_even_without_one():
    assert "Origin" in client_of().get("/cds-services").headers["Vary"]


def test_calls_of_the_sandbox_are_answered_with_their_headers():
    """What the CDS Hooks Sandbox was seen to send: a token unasked, `selections` on order-sign."""
    client = client_of()
    headers = {"Accept": "application/json", "Authorization": "Bearer a.b.c", "Origin": PAGE}
    listed = client.get("/cds-services", headers=headers)
    answer = client.post("/cds-services/review", json=REQUEST, headers=headers)
    for response in (listed, answer):
        assert response.status_code == 200
        assert response.headers["Access-Control-Allow-Origin"] == PAGE
