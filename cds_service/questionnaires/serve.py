"""Where our Questionnaires and CodeSystems are read: `{public URL}/fhir/Questionnaire/...`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Blueprint, Response, request

from cds_service.questionnaires.build import CANONICAL_BASE, code_systems, questionnaires

FHIR_JSON = "application/fhir+json"
SEARCHED = ("_id", "url", "version")
Json = dict[str, Any]


def questionnaire_blueprint(base: str = CANONICAL_BASE, prefix: str = "/fhir") -> Blueprint:
    """Return the routes that read and search our Questionnaires and CodeSystems."""
    pages = Blueprint("questionnaires", __name__, url_prefix=prefix)
    kept = {"Questionnaire": questionnaires(base), "CodeSystem": code_systems(base)}
    for kind, resources in kept.items():
        _add(pages, kind, resources)
    return pages


def _add(pages: Blueprint, kind: str, resources: Mapping[str, Json]) -> None:
    def read(name: str) -> Response:
        found = resources.get(name)
        return _answer(found, 200) if found else _answer(_not_found(kind, name, resources), 404)

    def search() -> Response:
        asked = {name: request.args[name] for name in SEARCHED if name in request.args}
        found = [one for one in resources.values() if _fits(one, asked)]
        return _answer(_bundle(kind, asked, found), 200)

    pages.add_url_rule(f"/{kind}/<name>", f"read-{kind}", read)
    pages.add_url_rule(f"/{kind}", f"search-{kind}", search)


def _fits(resource: Json, asked: Mapping[str, str]) -> bool:
    """Whether a resource is what `_id`, `url` (with or without version) and `version` name."""
    url, _, version = asked.get("url", "").partition("|")
    return (
        asked.get("_id") in (None, resource["id"])
        and url in ("", resource["url"])
        and (version or asked.get("version")) in (None, "", resource["version"])
    )


def _bundle(kind: str, asked: Mapping[str, str], resources: Sequence[Json]) -> Json:
    entries = [{"fullUrl": r["url"], "resource": r, "search": {"mode": "match"}} for r in resources]
    search = f"{kind}?{urlencode(asked)}" if asked else kind
    bundle: Json = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(resources),
        "link": [{"relation": "self", "url": search}],
    }
    return bundle | ({"entry": entries} if entries else {})


def _not_found(kind: str, name: str, resources: Mapping[str, Json]) -> Json:
    words = f"There is no {kind} '{name}' here; there are: {', '.join(resources)}."
    issue = {"severity": "error", "code": "not-found", "diagnostics": words}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _answer(resource: Json, status: int) -> Response:
    return Response(orjson.dumps(resource), status, content_type=FHIR_JSON)
