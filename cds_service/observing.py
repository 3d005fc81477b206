"""The application under observation: its calls watched and counted, its probes and measurements."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from threading import Event, Thread
from time import perf_counter_ns

from flask import Flask

from cds_service.guidance import caller_of
from cds_service.hooks.blueprint import ARRIVED
from cds_service.hooks.client import Client
from cds_service.hooks.request import HookRequest
from cds_service.hooks.response import HookResponse
from cds_service.hooks.service import Service
from cds_service.observe.call import current
from cds_service.observe.routes import NOT_READY, OK, probes
from cds_service.observe.watcher import Watcher
from cds_service.store import Store

OBSERVATION = "massage-cds.observation"
TICK = 1.0
STORE_STATES = {
    OK: OK,
    "degraded": "degraded: the database cannot be used; answers wait in files",
    "losing": "losing: the database cannot be used and the files are full; answers are not kept",
}


class Observation:
    """Watches one application and its store; `version` is the application's."""

    def __init__(self, store: Store, version: str) -> None:
        # Imported here: prometheus_client decides at its import whether processes add up, and makes
        # every other command slower to start.
        from cds_service.observe.metrics import Metrics  # noqa: PLC0415

        self._store = store
        self._metrics = Metrics()
        self._metrics.built(version)
        self._end = Event()

    def install(self, app: Flask, services: Collection[str], policies: Collection[str]) -> None:
        """Watch the calls of an application and add its probes.

        `services` are the ids of those it has, `policies` of those it goes by.
        """
        checks = {
            "store": lambda: STORE_STATES[self._store.health()],
            "policies": lambda: (
                f"{OK}: {len(policies)} loaded" if policies else f"{NOT_READY}: none"
            ),
            "services": lambda: OK if services else f"{NOT_READY}: none is offered",
        }
        app.register_blueprint(probes(checks, self.text))
        watcher = Watcher(app.wsgi_app, services, self._metrics.count, ARRIVED)
        app.wsgi_app = watcher  # type: ignore[assignment, method-assign]
        app.extensions[OBSERVATION] = self

    def text(self) -> bytes:
        """Return the measurements."""
        self._look_at_store()
        return self._metrics.text()

    def refused(self, reason: str) -> None:
        """Count a caller that was not let in."""
        self._metrics.refused(reason)

    def start(self) -> None:
        """Keep the store's counts up to date: another worker may be asked for measurements."""
        Thread(target=self._run, name="observation", daemon=True).start()

    def _run(self) -> None:
        while not self._end.wait(TICK):
            self._look_at_store()

    def _look_at_store(self) -> None:
        self._metrics.store(self._store.health(), self._store.counts())


def known(client: Client) -> Client:
    """Note who makes the current call, once that is proven."""
    if call := current():
        call.client = caller_of(client)
        call.spend("caller", perf_counter_ns() - call.started - sum(call.steps.values()))
    return client


def watched(service: Service) -> Service:
    """Return a service that tells which call it answers, and how long reading the call took."""
    handler = service.handler

    def answer(request: HookRequest) -> HookResponse:
        if call := current():
            call.hook, call.instance = request.hook, request.hook_instance
            before = sum(call.steps.values())
            call.spend("parse", perf_counter_ns() - call.started - before)
        return handler(request)

    return replace(service, handler=answer)
