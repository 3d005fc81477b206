"""What describes the services to programs: JSON Schemas and an OpenAPI document built on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml
from flask import Blueprint, Response

from cds_service.hooks import schemas
from cds_service.hooks.errors import HookError
from cds_service.hooks.service import Service

_FRAME = Path(__file__).with_name("openapi.yaml")
_FOLDER = "schemas/"
_SERVICES = "/cds-services"


def documents(
    services: Iterable[Service],
    *,
    version: str,
    open_access: bool,
    bases: Mapping[str, str] | None = None,
) -> Blueprint:
    """Return the routes /openapi.json and /schemas/; nobody needs a token for them.

    `version` is that of the software, `open_access` tells that no call needs a token; `bases` names
    families of services that have a base URL of their own too, by its path.
    """
    routes = Blueprint("documents", __name__)
    told = openapi(services, version=version, open_access=open_access, bases=bases)
    described = orjson.dumps(told)

    @routes.get("/openapi.json")
    def openapi_document() -> Response:
        return Response(described, content_type="application/json")

    @routes.get("/schemas/<name>.json")
    def schema(name: str) -> Response:
        if name not in schemas.names():
            known = ", ".join(schemas.names())
            raise HookError(404, "not-found", f"There is no such schema here, but: {known}.")
        body = orjson.dumps(schemas.published(name))
        return Response(body, content_type="application/schema+json")

    return routes


def openapi(
    services: Iterable[Service],
    *,
    version: str,
    open_access: bool,
    bases: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these services; arguments as of `documents`."""
    listed = list(services)
    document = _described(listed)
    document["info"]["version"] = version
    if open_access:
        document["security"] = []
    for prefix, family in (bases or {}).items():
        own = _described([service for service in listed if service.family == family])
        _add_base(document, own, prefix)
    return document


def _add_base(document: dict[str, Any], own: Mapping[str, Any], prefix: str) -> None:
    """Describe the services of one more base URL beside the others."""
    name = f"Service-{prefix.strip('/')}"
    document["components"]["parameters"][name] = own["components"]["parameters"]["Service"]
    served = {path: item for path, item in own["paths"].items() if path.startswith(_SERVICES)}
    for path, item in served.items():
        for operation in ("get", "post"):
            if operation in item:
                item[operation]["operationId"] += f"-{prefix.strip('/')}"
        if "parameters" in item:
            item["parameters"] = [{"$ref": f"#/components/parameters/{name}"}]
        document["paths"][f"{prefix}{path}"] = item


def _described(listed: Sequence[Service]) -> dict[str, Any]:
    hooks = dict.fromkeys(service.hook for service in listed)
    parts = {
        "hooks": {"anyOf": [_inline(schemas.whole(f"{hook}-request")) for hook in hooks] or [{}]},
        "ids": _one_of([service.id for service in listed]),
        "names": _one_of(schemas.names()),
    }
    document = _filled(yaml.safe_load(_FRAME.read_text(encoding="utf-8")), parts)
    assert isinstance(document, dict)
    return document


def _one_of(texts: Iterable[str]) -> dict[str, Any]:
    listed = list(texts)
    return {"type": "string"} | ({"enum": listed} if listed else {})


def _filled(node: Any, parts: Mapping[str, Any]) -> Any:
    """Put schemas and parts where the frame refers to them."""
    if isinstance(node, list):
        return [_filled(item, parts) for item in node]
    if not isinstance(node, dict):
        return node
    target = str(node.get("$ref", "#"))
    if target.startswith("#"):
        return {key: _filled(item, parts) for key, item in node.items()}
    if target.startswith(_FOLDER):
        return _inline(schemas.whole(target.removeprefix(_FOLDER).removesuffix(".json")))
    return parts[target]


def _inline(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in schema.items() if key != "$schema"}
