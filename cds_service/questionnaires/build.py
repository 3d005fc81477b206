"""Questionnaires and CodeSystems as FHIR R4, made from the YAML files beside this module."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

CANONICAL_BASE = "https://massage-cds.example.org/fhir"
FORMS = ("massage-safety-screen", "massage-functional-status", "member-satisfaction")
PUBLISHER = "massage-cds"

Json = dict[str, Any]


@cache
def form_data(name: str) -> Mapping[str, Any]:
    """Return the content of a form's YAML file."""
    path = files("cds_service.questionnaires") / f"{name}.yaml"
    content: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def questionnaires(base: str = CANONICAL_BASE) -> dict[str, Json]:
    """Return our Questionnaires by id; `base` is where their canonical URLs live."""
    return {name: _questionnaire(name, base) for name in FORMS}


def code_systems(base: str = CANONICAL_BASE) -> dict[str, Json]:
    """Return our CodeSystems by id."""
    stated = form_data("code-systems")
    return {name: _code_system(name, entry, base) for name, entry in stated.items()}


def _questionnaire(name: str, base: str) -> Json:
    data = form_data(name)
    return {
        "resourceType": "Questionnaire",
        "id": name,
        "url": f"{base}/Questionnaire/{name}",
        "version": data["version"],
        "name": name.title().replace("-", ""),
        "title": data["title"],
        "status": "active",
        "publisher": PUBLISHER,
        "description": data["purpose"],
        "subjectType": ["Patient"],
        "item": [
            _group(f"{name}-{number}", group, data.get("answers"), base)
            for number, group in enumerate(data["groups"], start=1)
        ],
    }


def _group(link_id: str, group: Mapping[str, Any], answers: str | None, base: str) -> Json:
    items = [_item(link, text, answers, base) for link, text in group["items"].items()]
    return {"linkId": link_id, "text": group["text"], "type": "group", "item": items}


def _item(link_id: str, text: str, answers: str | None, base: str) -> Json:
    if answers is None:
        return {"linkId": link_id, "text": text, "type": "boolean"}
    concepts = form_data("code-systems")[answers]["concepts"]
    options = [
        {"valueCoding": _coding(f"{base}/CodeSystem/{answers}", code, display)}
        for code, display in concepts.items()
    ]
    return {"linkId": link_id, "text": text, "type": "choice", "answerOption": options}


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}


def _code_system(name: str, entry: Mapping[str, Any], base: str) -> Json:
    return {
        "resourceType": "CodeSystem",
        "id": name,
        "url": f"{base}/CodeSystem/{name}",
        "version": "1.0.0",
        "name": name.title().replace("-", ""),
        "title": entry["title"],
        "status": "active",
        "publisher": PUBLISHER,
        "caseSensitive": True,
        "content": "complete",
        "concept": [
            {"code": code, "display": display} for code, display in entry["concepts"].items()
        ],
    }
