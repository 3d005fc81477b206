"""Refusals: one OperationOutcome shape for every answer that is not a 200."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from flask import Flask, Response, current_app, g
from werkzeug.exceptions import HTTPException

from cds_service.failure import failure

log = logging.getLogger(__name__)

ISSUE_CODES = {
    400: "structure",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    408: "timeout",
    412: "processing",
    413: "too-long",
    415: "not-supported",
    422: "invalid",
    429: "throttled",
    503: "transient",
    504: "timeout",
}


@dataclass(eq=False)
class HookError(Exception):
    """A call that is refused.

    `status` is the HTTP status, `code` an issue type of FHIR, `diagnostics` says what is wrong,
    where, and what to send instead (never a clinical value), `expression` the place in the request
    ("context.patientId"), `headers` what the status demands beside the body, `hook_instance` the
    call's where it could be read.
    """

    status: int
    code: str
    diagnostics: str
    expression: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hook_instance: str | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.diagnostics}"


def operation_outcome(code: str, diagnostics: str, expression: str | None = None) -> dict[str, Any]:
    """Return an OperationOutcome with one error."""
    issue: dict[str, Any] = {"severity": "error", "code": code, "diagnostics": diagnostics}
    if expression:
        issue["expression"] = [expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def outcome_response(error: HookError) -> Response:
    """Return the HTTP answer for a refusal."""
    outcome = operation_outcome(error.code, error.diagnostics, error.expression)
    answer = Response(orjson.dumps(outcome), error.status, content_type="application/fhir+json")
    answer.headers.update(error.headers)
    return answer


Correlation = Callable[[str | None], str]
"""Returns the id of the current call in the log, given its hookInstance where that is known."""


def _own(hook_instance: str | None) -> str:
    return hook_instance or "-"


def install(app: Flask, correlation: Correlation = _own) -> None:
    """Make every error of the app an OperationOutcome, also those Flask raises itself."""

    def refused(error: HookError) -> Response:
        correlation(error.hook_instance)
        return outcome_response(error)

    def failed(error: Exception) -> Response:
        return _failure(error, correlation(g.get("hook_instance")))

    app.register_error_handler(HookError, refused)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, failed)


def _http_error(error: HTTPException) -> Response | HTTPException:
    status = error.code or 500
    if error.response is not None or status < 400:
        return error
    code = ISSUE_CODES.get(status, "processing")
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    diagnostics = error.description or f"HTTP status {status}."
    return outcome_response(HookError(status, code, diagnostics, headers=headers))


def _failure(error: Exception, call: str) -> Response:
    whole = error if current_app.testing else None
    log.error("call %s failed: %s", call, failure(error), exc_info=whole)
    words = f"The service failed while it answered; its log names call {call}."
    return outcome_response(HookError(500, "exception", words))
