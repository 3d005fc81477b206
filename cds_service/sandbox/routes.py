"""The sandbox as a Flask blueprint: FHIR R4 REST, open to every origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Blueprint, Response, request

from cds_service.sandbox.bundles import process
from cds_service.sandbox.capability import capability
from cds_service.sandbox.outcome import FhirError
from cds_service.sandbox.search import parameters_of, parse, search
from cds_service.sandbox.store import Resource, SandboxStore, checked

FHIR_JSON = "application/fhir+json"
READABLE = frozenset({"", "application/json", FHIR_JSON, "application/json+fhir", "text/json"})
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, Prefer",
    "Access-Control-Expose-Headers": "Content-Location, ETag, Location",
    "Access-Control-Max-Age": "600",
}


def sandbox_blueprint(store: SandboxStore, prefix: str = "/fhir") -> Blueprint:
    """Return the FHIR server over `store`, mounted at `prefix`."""
    blueprint = Blueprint("sandbox", __name__, url_prefix=prefix)
    blueprint.before_request(_refuse_other_formats)
    blueprint.after_request(_allow_every_origin)
    blueprint.register_error_handler(FhirError, _told)
    _add_system(blueprint, store, prefix)
    _add_types(blueprint, store, prefix)
    _add_instances(blueprint, store, prefix)
    blueprint.add_url_rule("/<path:rest>", "nowhere", _nowhere, methods=METHODS)
    return blueprint


def _add_system(blueprint: Blueprint, store: SandboxStore, prefix: str) -> None:
    @blueprint.get("/metadata")
    def metadata() -> Response:
        return _answer(capability(_base(prefix)))

    @blueprint.post("/", strict_slashes=False)
    def bundle() -> Response:
        return _answer(process(store, _body(), _base(prefix)))


def _add_types(blueprint: Blueprint, store: SandboxStore, prefix: str) -> None:
    def page(kind: str, pairs: list[tuple[str, str]]) -> Response:
        strict = "handling=strict" in request.headers.get("Prefer", "")
        return _answer(search(store, parse(kind, pairs, strict), _base(prefix)))

    @blueprint.get("/<kind>")
    def search_by_get(kind: str) -> Response:
        return page(kind, list(request.args.items(multi=True)))

    @blueprint.post("/<kind>/_search")
    def search_by_post(kind: str) -> Response:
        return page(kind, [*request.args.items(multi=True), *request.form.items(multi=True)])

    @blueprint.post("/<kind>")
    def create(kind: str) -> Response:
        parameters_of(kind)
        return _written(store.create(checked(_body(), kind)), 201, prefix)


def _add_instances(blueprint: Blueprint, store: SandboxStore, prefix: str) -> None:
    @blueprint.get("/<kind>/<identity>")
    def read(kind: str, identity: str) -> Response:
        parameters_of(kind)
        resource = store.read(kind, identity)
        if resource is None:
            raise _absent(store, kind, identity)
        return _answer(resource)

    @blueprint.put("/<kind>/<identity>")
    def update(kind: str, identity: str) -> Response:
        parameters_of(kind)
        resource = checked(_body(), kind)
        if resource.get("id") != identity:
            text = f"the body's id is {resource.get('id')}, the address says {identity}"
            raise FhirError(400, "invalid", text)
        stored, new = store.update(resource)
        return _written(stored, 201 if new else 200, prefix)

    @blueprint.delete("/<kind>/<identity>")
    def delete(kind: str, identity: str) -> Response:
        parameters_of(kind)
        store.delete(kind, identity)
        return Response(status=204)


def _absent(store: SandboxStore, kind: str, identity: str) -> FhirError:
    if store.was_deleted(kind, identity):
        return FhirError(410, "deleted", f"{kind}/{identity} was deleted")
    return FhirError(404, "not-found", f"{kind}/{identity} is not known")


def _nowhere(rest: str) -> Response:
    text = f"{request.method} {rest} is not served here; see metadata for what is"
    raise FhirError(404, "not-supported", text)


def _base(prefix: str) -> str:
    return request.host_url.rstrip("/") + prefix


def _body() -> Any:
    if request.mimetype not in READABLE:
        raise FhirError(415, "not-supported", f"send {FHIR_JSON}, not {request.mimetype}")
    try:
        return orjson.loads(request.get_data())
    except orjson.JSONDecodeError as error:
        raise FhirError(400, "structure", f"the body is not JSON: {error}") from error


def _refuse_other_formats() -> None:
    asked = request.headers.get("Accept", "*/*")
    if asked and not any(part in asked for part in ("json", "*/*", "application/*")):
        raise FhirError(406, "not-supported", f"only {FHIR_JSON} is served, not {asked}")


def _allow_every_origin(response: Response) -> Response:
    response.headers.update(CORS)
    response.headers["Cache-Control"] = "no-store"
    return response


def _told(error: FhirError) -> Response:
    return _answer(error.outcome(), error.status)


def _written(resource: Resource, status: int, prefix: str) -> Response:
    response = _answer(resource, status)
    version = resource["meta"]["versionId"]
    place = f"{_base(prefix)}/{resource['resourceType']}/{resource['id']}"
    response.headers["ETag"] = f'W/"{version}"'
    response.headers["Location"] = f"{place}/_history/{version}"
    return response


def _answer(resource: Mapping[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(resource), status, content_type=FHIR_JSON)
