"""Our forms: valid FHIR, one question for each rule that is asked, none that nobody reads."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from flask import Flask

from cds_service.policies.expressions import walk
from cds_service.policies.library import default_library
from cds_service.questionnaires import code_systems, questionnaire_blueprint, questionnaires

R4B = "fhir.resources.R4B"
SCREEN = questionnaires()["massage-safety-screen"]


def links(resource: dict[str, Any]) -> list[str]:
    return [item["linkId"] for group in resource["item"] for item in group["item"]]


def asked_in_policies(word: str) -> set[str]:
    library = default_library()
    asked: set[str] = set()
    for source in library.sources.values():
        for found, argument in walk(source.data):
            if found == word:
                items = argument.get("item", ())
                asked |= {items} if isinstance(items, str) else set(items)
    return asked


@pytest.mark.parametrize("resource", [*questionnaires().values(), *code_systems().values()])
def test_is_valid_fhir(resource):
    model = getattr(
        import_module(f"{R4B}.{resource['resourceType'].lower()}"), resource["resourceType"]
    )
    assert model.model_validate_json(json.dumps(resource)).id == resource["id"]


def test_every_question_a_policy_asks_stands_on_the_screen():
    assert asked_in_policies("screen") - set(links(SCREEN)) == set()


def test_no_question_is_asked_that_no_policy_reads():
    assert set(links(SCREEN)) - asked_in_policies("screen") == set()


def test_each_question_stands_once():
    assert len(links(SCREEN)) == len(set(links(SCREEN)))


@pytest.fixture
def client():
    app = Flask(__name__)
    app.register_blueprint(questionnaire_blueprint("https://site.example.org/fhir"))
    return app.test_client()


def test_reads_one_under_the_canonical_of_the_site(client):
    answer = client.get("/fhir/Questionnaire/massage-safety-screen")
    assert answer.status_code == 200
    assert answer.content_type == "application/fhir+json"
    assert answer.get_json(force=True)["url"] == (
        "https://site.example.org/fhir/Questionnaire/massage-safety-screen"
    )


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("", 3),
        ("?_id=member-satisfaction", 1),
        ("?url=https://site.example.org/fhir/Questionnaire/member-satisfaction|1.0.0", 1),
        ("?url=https://site.example.org/fhir/Questionnaire/member-satisfaction|2.0.0", 0),
        ("?url=https://elsewhere.example.org/x", 0),
    ],
)
def test_searches_by_canonical(client, query, total):
    assert client.get(f"/fhir/Questionnaire{query}").get_json(force=True)["total"] == total


def test_an_unknown_one_is_told_which_there_are(client):
    answer = client.get("/fhir/Questionnaire/none")
    assert answer.status_code == 404
    assert "massage-safety-screen" in answer.get_json(force=True)["issue"][0]["diagnostics"]
