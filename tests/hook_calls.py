"""Hook calls and a fake service for tests of the protocol."""

from __future__ import annotations

import copy
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from cds_service.hooks import cors, errors
from cds_service.hooks.blueprint import blueprint
from cds_service.hooks.request import HookRequest
from cds_service.hooks.response import HookResponse
from cds_service.hooks.service import Handler, Registry, Service
from tests.oracle import CheckedClient

INSTANCE = "619f38c5-b202-43d8-875b-48a0a41e519f"
LIMIT = 20_000
PAGE = "http://localhost:8092"
OUTCOME = "application/fhir+json"

CARD = {
    "uuid": "4e0a3a1e-3283-4575-ab82-028d55fe2719",
    "summary": "Massage 97124: criteria appear met",
    "indicator": "info",
    "source": {"label": "A guideline"},
}

REQUEST: dict[str, Any] = {
    "hookInstance": INSTANCE,
    "hook": "order-sign",
    "fhirServer": "http://localhost:8090/fhir",
    "context": {
        "patientId": "p1",
        "userId": "Practitioner/COREPRACTITIONER1",
        "selections": ["ServiceRequest/sr-1"],
        "draftOrders": {
            "resourceType": "Bundle",
            "entry": [
                {
                    "resource": {
                        "resourceType": "ServiceRequest",
                        "id": "sr-1",
                        "status": "draft",
                        "intent": "plan",
                        "subject": {"reference": "Patient/p1"},
                    }
                }
            ],
        },
    },
    "prefetch": {"conditions": None},
}

ABSENT = object()


def changed(path: str, value: Any = ABSENT) -> dict[str, Any]:
    """Return the good request with one member set, or taken out."""
    request = copy.deepcopy(REQUEST)
    *way, last = path.split(".")
    node: Any = request
    for step in way:
        node = node[int(step)] if step.isdigit() else node[step]
    if value is ABSENT:
        del node[last]
    else:
        node[last] = value
    return request


def one_card(request: HookRequest) -> HookResponse:
    return HookResponse(cards=[dict(CARD)])


def service(name: str = "review", handler: Handler = one_card, **more: Any) -> Service:
    values: dict[str, Any] = {
        "id": name,
        "hook": "order-sign",
        "title": "Review",
        "description": "Reviews an order.",
        "handler": handler,
    }
    return Service(**(values | more))


def make_app(*services: Service, testing: bool = True) -> Flask:
    app = Flask("test")
    app.testing = testing
    app.test_client_class = CheckedClient
    errors.install(app)
    cors.install(app, lambda origin: origin == PAGE)
    app.register_blueprint(blueprint(Registry(services or [service()]), max_body=LIMIT))
    return app


def client_of(*services: Service, testing: bool = True) -> FlaskClient:
    return make_app(*services, testing=testing).test_client()


def assert_outcome(response: Any, status: int, *words: str) -> dict[str, Any]:
    """Assert the one shape of errors and return the issue."""
    assert response.status_code == status, response.text
    assert response.content_type == OUTCOME
    body = response.get_json(force=True)
    assert set(body) == {"resourceType", "issue"}
    assert body["resourceType"] == "OperationOutcome"
    (issue,) = body["issue"]
    assert issue["severity"] == "error"
    assert issue["code"]
    for word in words:
        assert word in issue["diagnostics"]
    return dict(issue)
