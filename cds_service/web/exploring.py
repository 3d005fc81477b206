"""Questions of the page beside the hook call, as a Flask blueprint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import orjson
from flask import Blueprint, Response, abort, request

Json = dict[str, Any]


class Explorer(Protocol):
    """What answers; each takes a hook request as JSON."""

    def what_if(self, body: bytes) -> Json:
        """Return the evaluations of a what-if."""

    def compare(self, body: bytes) -> Json:
        """Return what every policy says."""

    def course(self, body: bytes) -> Json:
        """Return how scores went."""


def exploring_blueprint(explorer: Explorer, *, max_body: int) -> Blueprint:
    """Return the routes; `max_body` bytes are the most that a question may send."""
    routes = Blueprint("exploring", __name__, url_prefix="/explore")

    def answered(question: Callable[[bytes], Json]) -> Callable[[], Response]:
        def answer() -> Response:
            return Response(orjson.dumps(question(_body(max_body))), mimetype="application/json")

        return answer

    asked = {"what-if": explorer.what_if, "compare": explorer.compare, "course": explorer.course}
    for path, question in asked.items():
        routes.add_url_rule(f"/{path}", path, answered(question), methods=["POST"])
    return routes


def _body(limit: int) -> bytes:
    """Return what was sent; as JSON alone, which no page of another origin can send unasked."""
    if request.mimetype != "application/json":
        abort(415)
    request.max_content_length = limit
    return request.get_data(cache=False)
