"""Probes and measurements over HTTP; nobody needs a token for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, request

OK = "ok"
NOT_READY = "not ready"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Check = Callable[[], str]
"""Returns "ok", a state in which calls are still answered, or "not ready"; ": why" may follow."""


def probes(checks: Mapping[str, Check], metrics: Callable[[], bytes]) -> Blueprint:
    """Return the routes /livez, /readyz and /metrics.

    /readyz answers 200 while calls are answered, 503 when they cannot be: its first line is the
    worst state of the checks, the lines below name each check that is not ok (with `?verbose`:
    each).
    """
    routes = Blueprint("observe", __name__)

    @routes.get("/livez")
    def live() -> Response:
        return _plain(OK)

    @routes.get("/readyz")
    def ready() -> Response:
        found = {name: check() for name, check in checks.items()}
        states = {name: told.partition(":")[0] for name, told in found.items()}
        bad = [state for state in states.values() if state != OK]
        worst = NOT_READY if NOT_READY in bad else bad[0] if bad else OK
        shown = (
            found
            if "verbose" in request.args
            else {n: t for n, t in found.items() if states[n] != OK}
        )
        lines = [worst, *(f"{name}: {told}" for name, told in shown.items())]
        return _plain("\n".join(lines), 503 if worst == NOT_READY else 200)

    @routes.get("/metrics")
    def measurements() -> Response:
        return Response(metrics(), content_type=METRICS_TYPE)

    return routes


def _plain(text: str, status: int = 200) -> Response:
    return Response(f"{text}\n", status, content_type="text/plain; charset=utf-8")
