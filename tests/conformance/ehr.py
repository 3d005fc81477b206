"""An EHR for the conformance tests: one patient, a FHIR server that can misbehave, the services."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask

from cds_service.app import create_app
from cds_service.hooks.response import HookResponse
from cds_service.settings import load_settings
from fhir_fixtures.stories import build, read_story
from tests.hook_calls import CARD, INSTANCE, REQUEST, client_of, one_card, service
from tests.http.fault_server import bundle, gives, serving
from tests.live import resources_of
from tests.oracle import CheckedClient

__all__ = [
    "BUILT",
    "CARD",
    "EXPLAIN",
    "INSTANCE",
    "PATIENT",
    "RECORD",
    "REQUEST",
    "REVIEW",
    "SELECT",
    "HookResponse",
    "bundle",
    "call",
    "client",
    "client_of",
    "evaluations",
    "gives",
    "grant",
    "held",
    "of_type",
    "one_card",
    "prefetch",
    "request",
    "resources_of",
    "server_answers",
    "service",
    "serving",
    "told",
]

STORIES = Path(__file__).parents[2] / "fhir_fixtures" / "stories"
BUILT = build("conformance", read_story(STORIES / "cca-full-course.yaml"))
RECORD = [entry["resource"] for entry in BUILT.record["entry"]]
PATIENT = BUILT.request["context"]["patientId"]
EXPLAIN = {"massage-cds.explain": True}
REVIEW = "/cds-services/massage-order-review"
SELECT = "/cds-services/massage-order-select"
UNASKED = ("plans", "flags", "allergies", "family", "episodes", "exams")


def of_type(kind: str) -> list[dict[str, Any]]:
    return [resource for resource in RECORD if resource["resourceType"] == kind]


def server_answers(**more: Any) -> dict[str, Any]:
    """Return what a sound FHIR server answers for the patient's record."""
    kinds = {resource["resourceType"] for resource in RECORD}
    searches = {kind: gives(bundle(*of_type(kind))) for kind in kinds}
    payors = of_type("Organization")
    reads = {f"{r['resourceType']}/{r['id']}": gives(r) for r in RECORD}
    return {**searches, "Coverage": gives(bundle(*of_type("Coverage"), *payors)), **reads, **more}


@cache
def app(**variables: str) -> Flask:
    settings = load_settings({f"MASSAGE_CDS_{name}": value for name, value in variables.items()})
    made = create_app(settings, open_access=True, demo=False)
    made.testing = True
    made.test_client_class = CheckedClient
    return made


def client(**variables: str) -> Any:
    """Return a caller of the services that accepts no answer against the schemas."""
    return app(**variables).test_client()


@cache
def _templates() -> dict[str, str]:
    (entry,) = (
        one
        for one in client().get("/cds-services").get_json()["services"]
        if one["id"] == "massage-order-review"
    )
    return dict(entry["prefetch"])


def held(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a record by prefetch key, as if the EHR had read what is not asked for too."""
    found: dict[str, Any] = dict.fromkeys(UNASKED)
    for key, template in _templates().items():
        kind = template.split("?")[0].split("/")[0]
        kinds = (kind, "Organization") if kind == "Coverage" else (kind,)
        fitting = [one for one in resources if one["resourceType"] in kinds]
        found[key] = fitting[0] if kind == "Patient" else bundle(*fitting)
    return found


def prefetch(**more: Any) -> dict[str, Any]:
    """Return the patient's whole record by key."""
    return held(RECORD) | more


def request(change: Any = None, **more: Any) -> dict[str, Any]:
    """Return the call of the patient's order; `change` gets its context and order."""
    made = copy.deepcopy(BUILT.request) | {"extension": EXPLAIN} | more
    if change:
        change(made["context"], made["context"]["draftOrders"]["entry"][0]["resource"])
    return made


def call(body: Any, path: str = REVIEW, **variables: str) -> Any:
    return client(**variables).post(path, json=body)


def grant(**more: Any) -> dict[str, Any]:
    """Return a whole fhirAuthorization."""
    given = {
        "access_token": "s3cret-token",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": "massage-cds",
        "patient": PATIENT,
    }
    return {name: value for name, value in (given | more).items() if value is not None}


def evaluations(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return list(answer.get_json()["extension"]["massage-cds.evaluations"])


def told(answer: Any) -> str:
    cards = answer.get_json()["cards"]
    return " ".join(f"{card['summary']} {card.get('detail', '')}" for card in cards)
