"""The CDS Hooks Sandbox on the real demo: what its browser sends, replayed byte for byte."""

import json
import re
from urllib.parse import urlsplit

import pytest

from tests.callers import Ehr
from tests.http.test_server import started
from tests.live import checked, http
from tests.shared import SHARED, needs_shared

CAPTURED = SHARED / "captures" / "cds-hooks-sandbox.jsonl"
SERVICE = "massage-order-review"
OURS = f"/cds-services/{SERVICE}"
PAGE = "http://localhost:8092"
PATIENT = "cca-missing-promis-patient"
READS = {"Origin": PAGE, "Accept": "application/json+fhir"}


@pytest.fixture(scope="module")
def demo():
    with started("demo") as (_, url):
        yield url


def captured():
    if not CAPTURED.is_file():
        return []
    return [json.loads(line) for line in CAPTURED.read_text(encoding="utf-8").splitlines()]


def replayed(demo, call):
    """Send a captured call to our service, its FHIR server being ours."""
    path = re.sub(r"/cds-services/massage(?=/|$)", OURS, call["path"])
    body = json.loads(call["body"]) if call["body"] else None
    if body and "fhirServer" in body:
        body["fhirServer"] = f"{demo}/fhir"
    data = None if body is None else json.dumps(body)
    return checked(
        http().request(call["method"], f"{demo}{path}", headers=call["headers"], data=data)
    )


def held_for_browser(answer, call):
    """Hold that the page that called may read the answer."""
    origin = call["headers"]["Origin"]
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    if call["method"] == "OPTIONS":
        assert answer.status_code == 204
        asked = call["headers"]["Access-Control-Request-Headers"].split(",")
        allowed = answer.headers["Access-Control-Allow-Headers"].lower().replace(" ", "")
        assert set(asked) <= set(allowed.split(","))
        method = call["headers"]["Access-Control-Request-Method"]
        assert method in answer.headers["Access-Control-Allow-Methods"]
    else:
        assert answer.status_code == 200, answer.text


def held(demo, call):
    answer = replayed(demo, call)
    held_for_browser(answer, call)
    if call["method"] == "GET":
        assert SERVICE in [service["id"] for service in answer.json()["services"]]
    elif call["method"] == "POST" and not call["path"].endswith("/feedback"):
        assert answer.json()["cards"]
    return answer


@needs_shared
@pytest.mark.requirement(68)
@pytest.mark.parametrize(
    "call", captured(), ids=lambda call: f"{call['method']} {urlsplit(call['path']).path}"
)
def test_what_the_sandbox_sent_is_answered(demo, call):
    held(demo, call)


def preflight(path, method, *names):
    headers = {
        "Accept": "*/*",
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": ",".join(names),
        "Origin": PAGE,
    }
    return {"method": "OPTIONS", "path": path, "headers": headers, "body": None}


def sent(method, path, body=None, **headers):
    """Return a call with a token for another address, by a key that nobody knows: as a demo's."""
    token = Ehr(iss="https://sandbox.cds-hooks.org").token(aud=f"http://localhost:8091{path}")
    named = {"Authorization": f"Bearer {token}", "Accept": "application/json", "Origin": PAGE}
    if body is not None:
        named["Content-Type"] = "application/json"
    return {
        "method": method,
        "path": path,
        "headers": named | headers,
        "body": body and json.dumps(body),
    }


def order(code, reason, **bundle):
    resource = {
        "resourceType": "ServiceRequest",
        "id": "example-request-id",
        "status": "draft",
        "intent": "plan",
        "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": code}]},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "reasonCode": [
            {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": reason}]}
        ],
    }
    return {"resourceType": "Bundle", **bundle, "entry": [{"resource": resource}]}


def call_of(drafts, **more):
    """Return a call as the sandbox makes it: its own user, keys we do not know, no encounter."""
    context = {
        "patientId": PATIENT,
        "userId": "Practitioner/COREPRACTITIONER1",
        "draftOrders": drafts,
    }
    return {
        "hookInstance": "8f3c4d0e-1c54-4d7b-9a57-6f6f0a1c2d3e",
        "hook": "order-sign",
        "fhirServer": "http://localhost:8090/fhir",
        "context": context | more,
        "prefetch": {"obs": {"resourceType": "Bundle", "type": "searchset", "total": 0}},
    }


BOTH = ("authorization", "content-type")
CALLS = {
    "discovery is asked for": preflight("/cds-services", "GET", "authorization"),
    "discovery": sent("GET", "/cds-services"),
    "a call is asked for": preflight(OURS, "POST", *BOTH),
    "a collection": sent("POST", OURS, call_of(order("97124", "M54.50", type="collection"))),
    "a Bundle without type": sent(
        "POST",
        OURS,
        call_of(order("97140", "M54.2"), selections=["ServiceRequest/example-request-id"]),
    ),
    "feedback is asked for": preflight(f"{OURS}/feedback", "POST", *BOTH),
}


@pytest.mark.requirement(68)
@pytest.mark.parametrize("name", CALLS)
def test_calls_of_the_same_shape_are_answered(demo, name):
    held(demo, CALLS[name])


@pytest.mark.requirement(55)
def test_feedback_as_the_sandbox_gives_it_is_taken(demo):
    (card, *_) = held(demo, CALLS["a collection"]).json()["cards"]
    entry = {"card": card["uuid"], "outcomeTimestamp": "2026-11-20T17:46:19.056Z"}
    taken = {"outcome": "accepted", "acceptedSuggestions": [{"id": card["uuid"]}]}
    reason = {"reason": {"code": "x", "system": "http://e.org"}}
    overridden = {"outcome": "overridden", "overrideReason": reason}
    for what in (taken, overridden):
        body = {"feedback": [entry | what]}
        accepts = {"Accept": "application/json, text/plain, */*"}
        held(demo, sent("POST", f"{OURS}/feedback", body, **accepts))


@pytest.mark.parametrize("path", ["metadata", "Patient", f"Patient/{PATIENT}"])
def test_its_fhir_calls_are_answered(demo, path):
    answer = http().get(f"{demo}/fhir/{path}", headers=READS)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_its_searches_by_form_are_answered(demo):
    form = {"patient": PATIENT}
    answer = http().post(f"{demo}/fhir/Condition/_search", data=form, headers=READS)
    assert answer.status_code == 200
    found = answer.json()
    assert found["total"] > 0
    assert found["entry"][0]["resource"]["code"]["text"]


def test_what_it_needs_of_a_patient_is_there(demo):
    patient = http().get(f"{demo}/fhir/Patient/{PATIENT}").json()
    assert isinstance(patient["name"][0]["given"], list)
    statement = http().get(f"{demo}/fhir/metadata").json()
    assert statement["fhirVersion"].startswith("4.")
