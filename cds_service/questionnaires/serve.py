"""Where our Questionnaires and CodeSystems are read: `{public URL}/fhir/Questionnaire/...`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from flask import Blueprint, Response, request

from cds_service.questionnaires.build import CANONICAL_BASE, code_systems, questionnaires

FHIR_JSON = "application/fhir+json"
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
        return _answer(_bundle(_matching(resources.values())), 200)

    pages.add_url_rule(f"/{kind}/<name>", f"read-{kind}", read)
    pages.add_url_rule(f"/{kind}", f"search-{kind}", search)


def _matching(resources: Iterable[Json]) -> list[Json]:
    """Return the resources that `_id`, `url` (with or without version) and `version` name."""
    wanted = {name: request.args.get(name) for name in ("_id", "url", "version")}
    return [r for r in resources if _fits(r, wanted)]


def _fits(resource: Json, wanted: Mapping[str, str | None]) -> bool:
    url, _, version = (wanted["url"] or "").partition("|")
    return (
        wanted["_id"] in (None, resource["id"])
        and url in ("", resource["url"])
        and (version or wanted["version"]) in (None, "", resource["version"])
    )


def _bundle(resources: list[Json]) -> Json:
    entries = [{"fullUrl": r["url"], "resource": r, "search": {"mode": "match"}} for r in resources]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(resources)}
    return bundle | ({"entry": entries} if entries else {})


def _not_found(kind: str, name: str, resources: Mapping[str, Json]) -> Json:
    words = f"There is no {kind} '{name}' here; there are: {', '.join(resources)}."
    issue = {"severity": "error", "code": "not-found", "diagnostics": words}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _answer(resource: Json, status: int) -> Response:
    return Response(orjson.dumps(resource), status, content_type=FHIR_JSON)
