"""Browser-based clients: which pages may read our answers."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, request

MAX_AGE_SECONDS = 7200


def install(app: Flask, allowed: Callable[[str], bool]) -> None:
    """Answer preflights and mark answers, errors too, on every path that holds "cds-services".

    `allowed` tells whether an Origin may read them. No credentials: callers send a bearer header,
    never a cookie.
    """

    @app.before_request
    def preflight() -> Response | None:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=204) if asks and _concerned() and request.url_rule else None

    @app.after_request
    def mark(response: Response) -> Response:
        if _concerned():
            response.vary.add("Origin")
            _mark(response, allowed)
        return response


def _concerned() -> bool:
    return "cds-services" in request.path.split("/")


def _mark(response: Response, allowed: Callable[[str], bool]) -> None:
    origin = request.headers.get("Origin")
    if not origin or not allowed(origin):
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = "authorization, content-type"
        response.headers["Access-Control-Max-Age"] = str(MAX_AGE_SECONDS)
