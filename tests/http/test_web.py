"""The page as the server renders it."""

from pathlib import Path

import pytest
from flask import Flask

import fhir_fixtures
from cds_service.sandbox import SandboxStore
from cds_service.web import web_blueprint

ODD = {
    "resourceType": "Bundle",
    "meta": {"tag": [{"display": "Odd <b>chart</b>"}]},
    "entry": [
        {
            "resource": {
                "resourceType": "Patient",
                "id": "odd",
                "name": [{"text": "<script>alert('x')</script>"}],
                "birthDate": 7,
            }
        },
        {"resource": {"resourceType": "Coverage", "id": "c", "beneficiary": "Patient/odd"}},
        {
            "resource": {
                "resourceType": "Condition",
                "id": "d",
                "subject": {"reference": "Patient/odd"},
                "code": {"text": 'Pain "sharp" <i>'},
            }
        },
        {
            "resource": {
                "resourceType": "Condition",
                "id": "wrong",
                "subject": {"reference": "Patient/odd"},
                "code": {"text": "Never there"},
                "verificationStatus": {"coding": [{"code": "entered-in-error"}]},
            }
        },
        {"resource": {"resourceType": "Patient", "id": "bare", "name": "none", "gender": []}},
    ],
}


def client_of(store):
    app = Flask("web", static_folder=None)
    app.register_blueprint(web_blueprint(store))
    return app.test_client()


@pytest.fixture
def client():
    return client_of(SandboxStore([ODD]))


DEMO = SandboxStore.from_folder(Path(fhir_fixtures.__file__).parent)


@pytest.mark.parametrize("patient", [held["id"] for held in DEMO.of_type("Patient")])
def test_every_patient_of_the_demo_has_a_page_with_the_draft(patient):
    page = client_of(DEMO).get(f"/?patient={patient}")
    draft = DEMO.requests[patient][0]["context"]["draftOrders"]["entry"][0]["resource"]
    assert page.status_code == 200
    assert draft["id"] in page.text
    assert DEMO.stories[patient].split(",")[0] in page.text


def test_list_names_payer_and_story():
    text = client_of(DEMO).get("/").text
    assert "Commonwealth Care Alliance · One Care" in text
    assert "six visits, no measure of function and comfort" in text


def test_words_of_the_record_are_never_markup(client):
    text = client.get("/?patient=odd").text
    assert "<script>alert" not in text
    assert "<b>chart" not in text
    assert "<i>" not in text
    assert "Pain &#34;sharp&#34; &lt;i&gt;" in text


def test_diagnosis_entered_in_error_is_no_reason(client):
    assert "Never there" not in client.get("/?patient=odd").text


def test_patient_without_a_draft_gets_a_new_order(client):
    page = client.get("/?patient=bare")
    assert page.status_code == 200
    assert "bare-order" in page.text
    assert "No coverage on file" in page.text


def test_unknown_patient_is_not_found(client):
    page = client.get("/?patient=<nobody>")
    assert page.status_code == 404
    assert "There is no patient <code>&lt;nobody&gt;</code>" in page.text


@pytest.mark.parametrize("path", ["/", "/assets/page.js", "/assets/vendor/dompurify/purify.js"])
def test_every_file_forbids_inline_code_and_other_hosts(client, path):
    response = client.get(path)
    policy = response.headers["Content-Security-Policy"]
    assert response.status_code == 200
    assert policy.startswith("default-src 'self'")
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_reset_goes_back_to_the_patient(client):
    response = client.post("/reset", data={"patient": "odd"})
    assert response.status_code == 303
    assert response.headers["Location"] == "/?patient=odd"
