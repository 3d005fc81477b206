"""Watches each call of the services from its arrival to its answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any

import orjson

from cds_service.failure import failure
from cds_service.observe.call import BILLION, CALL, Call, correlation
from cds_service.observe.line import tell

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

SERVICES = "cds-services"
UNKNOWN = "unknown"
KINDS = {0: "discovery", 1: "call", 2: "feedback"}


class Watcher:
    """A WSGI application around another one.

    `services` are the ids that there are; `ended` is given each call of them at its end. `note` is
    the name in the WSGI environment under which a server tells when a call was there, as
    time.monotonic(). What the application raises is logged without its message and answered with
    500.
    """

    def __init__(
        self,
        app: WSGIApplication,
        services: Collection[str],
        ended: Callable[[Call], None],
        note: str,
    ) -> None:
        self._app = app
        self._services = frozenset(services)
        self._ended = ended
        self._note = note

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        call = self._call(environ)
        if call is None:
            return self._answer(environ, start)

        def begin(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            call.status = int(status[:3])
            return start(status, headers, *more)

        if (arrived := environ.get(self._note)) is not None:
            call.wait(int((monotonic() - arrived) * BILLION))
        token = CALL.set(call)
        try:
            return self._answer(environ, begin)
        finally:
            self._end(call)
            CALL.reset(token)

    def _call(self, environ: WSGIEnvironment) -> Call | None:
        path = environ.get("PATH_INFO", "")
        if SERVICES not in path or environ.get("REQUEST_METHOD") == "OPTIONS":
            return None
        _, found, rest = path.partition(f"/{SERVICES}")
        steps = rest.strip("/").split("/") if rest.strip("/") else []
        if not found or (rest and not rest.startswith("/")):
            return None
        named = steps[0] if steps else "discovery"
        known = named in self._services or not steps
        return Call(KINDS.get(len(steps), "other"), named if known else UNKNOWN)

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        try:
            return self._app(environ, start)
        except Exception as error:
            log.error("call %s failed outside of its handler: %s", correlation(), failure(error))
            start("500 Internal Server Error", [("Content-Type", "application/fhir+json")])
            return [_OUTCOME]

    def _end(self, call: Call) -> None:
        call.end()
        try:
            self._ended(call)
            tell(call)
        except Exception as error:  # whoever watches must not cost the answer
            log.error("call %s could not be counted: %s", call.id, failure(error))


_OUTCOME = orjson.dumps(
    {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "exception",
                "diagnostics": "The service failed while it answered; its log names the call.",
            }
        ],
    }
)
