"""Measurements for Prometheus.

Import this module when `PROMETHEUS_MULTIPROC_DIR` is set or known to stay unset: prometheus_client
decides at its import whether worker processes add up. Labels are codes of our own, bounded in
number; none comes from a caller unchecked.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from cds_service.observe import bounded
from cds_service.observe.call import BILLION, Call
from cds_service.observe.folder import VARIABLE, lives

PREFIX = "massage_cds"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
STATES = ("ok", "degraded", "losing")

Counts = Mapping[str, int]


class Metrics:
    """The measurements of one application; several processes add up where the folder is set."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._children: dict[tuple[object, ...], object] = {}
        self._counted: dict[str, int] = {}
        self._calls = self._counter(
            "calls", "Calls answered, by service and HTTP status.", "kind", "service", "status"
        )
        self._call_seconds = self._histogram(
            "call_duration_seconds", "Time from a call's arrival to its answer.", "service"
        )
        self._step_seconds = self._histogram(
            "step_duration_seconds", "Time of one step of a call.", "service", "step"
        )
        self._determinations = self._counter(
            "determinations", "Evaluations made, by policy.", "policy", "determination"
        )
        self._holes = self._counter(
            "holes", "Data that could not be read, by query and reason.", "query", "reason"
        )
        self._fetch_seconds = self._histogram(
            "fetch_duration_seconds", "Time of one query of a FHIR server.", "query"
        )
        self._fetch_errors = self._counter(
            "fetch_errors", "Queries of FHIR servers that did not bring all, by kind.", "kind"
        )
        self._refusals = self._counter("auth_refusals", "Calls refused, by reason.", "reason")
        self._store_events = self._counter(
            "store_events", "What happened to records of the store, by event.", "event"
        )
        self._fallbacks = self._counter(
            "jti_fallbacks", "Tokens that one worker alone remembers, for the database was down."
        )
        self._waiting = self._gauge(
            "store_waiting_bytes", "Bytes in spool files that are not in the database yet."
        )
        self._state = self._gauge("store_state", "Workers by the state of their store.", "state")
        self._build = Gauge(
            f"{PREFIX}_build_info",
            "1, with the version that runs.",
            ["version", "python"],
            registry=self._registry,
            multiprocess_mode="max",
        )

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", about, labels, registry=self._registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        named = f"{PREFIX}_{name}"
        return Gauge(named, about, labels, registry=self._registry, multiprocess_mode="livesum")

    def _histogram(self, name: str, about: str, *labels: str) -> Histogram:
        named = f"{PREFIX}_{name}"
        return Histogram(named, about, labels, registry=self._registry, buckets=SECONDS)

    def built(self, version: str) -> None:
        """Say which version runs."""
        self._build.labels(version, platform.python_version()).set(1)

    def count(self, call: Call) -> None:
        """Add a call that has ended."""
        self._add(self._calls, call.kind, call.service, str(call.status))
        if call.kind != "call":
            return
        self._time(self._call_seconds, call.ended - call.started, call.service)
        for name, spent in call.steps.items():
            self._time(self._step_seconds, spent, call.service, name)
        for policy, determination in call.determinations:
            self._add(self._determinations, policy, determination)
        if call.holes:
            for (key, reason), times in call.lacking.items():
                self._add(self._holes, key, bounded.reason(reason), times=times)
        for key, failed, spent in call.fetches:
            self._time(self._fetch_seconds, spent, key)
            if failed:
                self._add(self._fetch_errors, bounded.reason(failed))

    def refused(self, reason: str) -> None:
        """Count a caller that was not let in; `reason` is one of the guard's words."""
        self._add(self._refusals, reason)

    def _time(self, histogram: Histogram, nanoseconds: int, *labels: str) -> None:
        self._child(histogram, labels).observe(nanoseconds / BILLION)

    def _add(self, counter: Counter, *labels: str, times: int = 1) -> None:
        self._child(counter, labels).inc(times)

    def _child(self, metric: Counter | Histogram, labels: tuple[str, ...]) -> Any:
        """Return a metric's child: `labels()` alone takes longer than counting."""
        key = (metric, *labels)
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = metric.labels(*labels)
        return found

    def store(self, state: str, counts: Counts) -> None:
        """Take over the state of this worker's store, and what has happened since the last time."""
        for name in STATES:
            self._state.labels(name).set(name == state)
        for event, total in counts.items():
            grown = total - self._counted.get(event, 0)
            self._counted[event] = total
            if event == "waiting_bytes":
                self._waiting.set(total)
            elif event == "jti_fallbacks":
                self._fallbacks.inc(grown)
            else:
                self._store_events.labels(event).inc(grown)

    def text(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        folder = os.environ.get(VARIABLE)
        if not folder:
            return generate_latest(self._registry)
        forget_dead(Path(folder))
        together = CollectorRegistry()
        MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def forget_dead(folder: Path) -> None:
    """Drop the gauges of processes that have ended; what they counted stays."""
    for path in folder.glob("gauge_live*.db"):
        pid = path.stem.rsplit("_", 1)[-1]
        if pid.isdigit() and not lives(int(pid)):
            mark_process_dead(int(pid), str(folder))  # type: ignore[no-untyped-call]
