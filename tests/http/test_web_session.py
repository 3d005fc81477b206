"""Orders that wait for a signature, coverages, and the token of the page's calls."""

import json
from html import unescape
from re import findall

import jwt
import pytest
from flask import Flask

from cds_service.app import create_app
from cds_service.sandbox import SandboxStore
from cds_service.settings import load_settings
from cds_service.web import web_blueprint

PORT = "http://127.0.0.1:8080"


def order(identity, code="97124", **more):
    return {
        "resourceType": "ServiceRequest",
        "id": identity,
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/ann"},
        "code": {"coding": [{"code": code}]},
    } | more


def coverage(identity, name):
    return {
        "resourceType": "Coverage",
        "id": identity,
        "beneficiary": {"reference": "Patient/ann"},
        "payor": [{"display": name}],
    }


RECORD = {
    "resourceType": "Bundle",
    "entry": [
        {"resource": {"resourceType": "Patient", "id": "ann"}},
        {"resource": coverage("c1", "One")},
        {"resource": coverage("c2", "Two")},
    ],
}
DRAFTED = {
    "hook": "order-sign",
    "context": {"patientId": "ann", "draftOrders": {"entry": [{"resource": order("first")}]}},
}


@pytest.fixture
def store():
    return SandboxStore([RECORD], [DRAFTED])


@pytest.fixture
def client(store):
    app = Flask("web", static_folder=None)
    app.register_blueprint(web_blueprint(store, sign=lambda audience: f"for {audience}"))
    return app.test_client()


def shown(client):
    """Return the ids of the orders on the form, and of those beside it."""
    text = client.get("/?patient=ann").text
    (request,) = findall(r'data-request="([^"]*)"', text)
    (others,) = findall(r'data-others="([^"]*)"', text)
    drafts = json.loads(unescape(request))["context"]["draftOrders"]["entry"]
    return [e["resource"] for e in drafts], [o["id"] for o in json.loads(unescape(others))]


def test_drafts_that_were_kept_wait_beside_the_form(client, store):
    store.create(order("x", code="62337-1"), "kept")
    store.create(order("x", status="active"), "signed")
    on_form, others = shown(client)
    assert [one["id"] for one in on_form] == ["first"]
    assert others == ["kept"]


def test_the_form_starts_with_the_draft_as_it_was_last_kept(client, store):
    store.update(order("first", priority="urgent"))
    on_form, others = shown(client)
    assert [one.get("priority") for one in on_form] == ["urgent"]
    assert others == []


def test_each_coverage_can_be_chosen_and_both(client):
    text = client.get("/?patient=ann").text
    for words in (">One</option>", ">Two</option>", ">One and Two</option>"):
        assert words in text
    assert "Coverage/c1" in text


def test_token_is_for_the_services_of_this_origin(client):
    url = "http://localhost/cds-services/massage-order-review/feedback"
    assert client.post("/token", json={"audience": url}).get_json() == {"token": f"for {url}"}


@pytest.mark.parametrize(
    "audience",
    [
        "https://other.example.org/cds-services",
        "http://localhost/cds-services-of-another",
        "http://localhost/fhir",
        7,
        None,
    ],
)
def test_no_token_for_anything_else(client, audience):
    answer = client.post("/token", json={"audience": audience})
    assert answer.status_code == 400
    assert "http://localhost/cds-services" in answer.get_json()["problem"]


def test_no_token_for_what_is_no_json(client):
    assert client.post("/token", data="audience=x").status_code == 400


@pytest.fixture(scope="module")
def demo():
    settings = load_settings({"MASSAGE_CDS_PUBLIC_URL": PORT})
    return create_app(settings, open_access=True, demo=True).test_client()


def test_demo_signs_calls_with_es384_and_says_how_long_it_took(demo):
    url = f"{PORT}/cds-services"
    answer = demo.post("/token", json={"audience": url}, base_url=PORT)
    token = answer.get_json()["token"]
    assert jwt.get_unverified_header(token)["alg"] == "ES384"
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == url
    assert answer.headers["Server-Timing"].startswith("server;dur=")


def test_no_other_origin_reads_a_token(demo):
    asked = {"Origin": "http://127.0.0.1:9999"}
    url = f"{PORT}/cds-services"
    answer = demo.post("/token", json={"audience": url}, base_url=PORT, headers=asked)
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", ["/token", "/patients", "/outside/x/Patient", "/"])
def test_production_has_none_of_it(path):
    app = create_app(load_settings({}), open_access=True, demo=False)
    assert app.test_client().get(path).status_code == 404
    assert app.test_client().post(path, json={}).status_code in (404, 405)
