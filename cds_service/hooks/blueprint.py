"""CDS Hooks over HTTP: discovery and the services."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, g, request

from cds_service.hooks.client import Client, Guard, may_use
from cds_service.hooks.errors import HookError
from cds_service.hooks.feedback import FeedbackSink, parse_feedback
from cds_service.hooks.request import HookRequest, parse_request
from cds_service.hooks.response import finish
from cds_service.hooks.service import Registry, Service, discovery

ARRIVED = "massage-cds.arrived"
"""Where a server notes in the WSGI environment when a call had come, as time.monotonic()."""

MEDIA_TYPES = ("application/json", "application/fhir+json")


def blueprint(  # noqa: PLR0913 - each is one thing that a base URL needs
    registry: Registry,
    *,
    max_body: int,
    hook_version: str = "1.0",
    feedback: FeedbackSink | None = None,
    guard: Guard | None = None,
    name: str = "hooks",
) -> Blueprint:
    """Return the routes of one base URL.

    `max_body` bytes are the most that a call may send; `feedback` keeps what clients report;
    `guard` tells who calls, before anything of the body is read (None: it is not asked).
    `name` tells several blueprints of one app apart. Under Flask's `testing` an answer that breaks
    the specification raises.
    """
    routes = Blueprint(name, __name__)

    def caller(*paths: str) -> Client | None:
        return guard(*paths) if guard else None

    @routes.get("/cds-services")
    def services() -> Response:
        client = caller(request.path)
        offered = [service for service in registry if may_use(client, service.family)]
        return _json(discovery(offered, hook_version))

    @routes.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        client = caller(request.path)
        service = _service(registry, service_id, client)
        asked = _asked(_body(max_body), service.hook, client)
        g.hook_instance = asked.hook_instance
        answer = service.handler(asked)
        if client and not client.system_actions:
            answer = replace(answer, system_actions=[])
        strict = current_app.testing
        response = _json(finish(answer, asked.hook_instance, strict=strict, acts=service.acts))
        if answer.sent:
            answer.sent(service_id, response.get_data())
        return response

    @routes.post("/cds-services/<service_id>/feedback")
    def take_feedback(service_id: str) -> Response:
        client = caller(request.path, request.path.removesuffix("/feedback"))
        _service(registry, service_id, client)
        entries = parse_feedback(_body(max_body))
        if feedback:
            feedback(service_id, client, entries)
        return _json({})

    return routes


def _service(registry: Registry, service_id: str, client: Client | None) -> Service:
    service = registry.find(service_id)
    if not may_use(client, service.family):
        words = "This service is not offered to this client; discovery lists those that are."
        raise HookError(403, "forbidden", words)
    return service


def _asked(body: bytes, hook: str, client: Client | None) -> HookRequest:
    parsed = parse_request(body, hook)
    digest = hashlib.sha256(body).hexdigest()
    # A call may have waited for a thread: that is time of its own, too.
    arrived = request.environ.get(ARRIVED, parsed.arrived)
    return replace(parsed, digest=digest, client=client, arrived=arrived)


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), content_type="application/json")


def _body(limit: int) -> bytes:
    _check_headers()
    if (request.content_length or 0) > limit:
        raise _too_long(limit)
    # Flask cuts a chunked body at its limit in silence; one byte beyond ours shows that it was cut.
    request.max_content_length = limit + 1
    body = request.get_data(cache=False)
    if len(body) > limit:
        raise _too_long(limit)
    return body


def _too_long(limit: int) -> HookError:
    words = f"The body is longer than {limit} bytes: send less in prefetch; we query the rest."
    return HookError(413, "too-long", words)


def _check_headers() -> None:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype not in MEDIA_TYPES or charset not in ("utf-8", "utf8", "us-ascii"):
        words = "Send the body as application/json in UTF-8 and say so in Content-Type."
        raise HookError(415, "not-supported", words, headers={"Accept": ", ".join(MEDIA_TYPES)})
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise HookError(415, "not-supported", "Send the body without Content-Encoding.")
