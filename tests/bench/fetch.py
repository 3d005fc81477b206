"""The route that reads the record from a FHIR server, which takes its time for each query."""

import statistics
import threading
import time

from cds_service.app import create_app
from cds_service.settings import load_settings
from tests.bench.bodies import REVIEW, without_prefetch
from tests.live import FhirServer, serve

DELAYS = (0, 0.05, 0.2)
CALLS = 7


class Slow:
    """Answers each query of a record after a delay, without the work of a server."""

    def __init__(self, bundle):
        self.inner = FhirServer([bundle])
        self.delay = 0.0
        self.spans, self.lock = [], threading.Lock()
        self.answers = {}

    def __call__(self, environ, start_response):
        start = time.monotonic()
        asked = (environ["PATH_INFO"], environ["QUERY_STRING"])
        if asked not in self.answers:
            kept = {}
            body = b"".join(self.inner.app(environ, lambda *told: kept.update(told=told)))
            self.answers[asked] = (kept["told"], body)
        told, body = self.answers[asked]
        time.sleep(max(0.0, self.delay - (time.monotonic() - start)))
        with self.lock:
            self.spans.append((start, time.monotonic()))
        start_response(*told)
        return [body]

    def rounds(self):
        """Return how many queries followed upon one another: the longest chain."""
        chain, end = 0, 0.0
        for start, done in sorted(self.spans):
            if start >= end:
                chain, end = chain + 1, done
        return chain


def by_delay(call, delays=DELAYS):
    """Return for each delay of a query: ms of a call, queries, the chain, and what it adds."""
    slow = Slow(call.built.record)
    app = create_app(load_settings({}), open_access=True, demo=False)
    with serve(slow) as url:
        body = without_prefetch(call, f"{url}/fhir")
        client = app.test_client()
        _call(client, body)
        return [_row(client, body, slow, delay) for delay in delays]


def _row(client, body, slow, delay):
    slow.delay = delay
    taken, rounds, queries = [], [], []
    for _ in range(CALLS):
        slow.spans.clear()
        taken.append(_call(client, body))
        rounds.append(slow.rounds())
        queries.append(len(slow.spans))
    call, chain = statistics.median(taken), statistics.median(rounds)
    return {
        "delay": round(delay * 1000),
        "call": round(call, 1),
        "queries": statistics.median(queries),
        "chain": chain,
        "beyond the chain": round(call - chain * delay * 1000, 1),
    }


def _call(client, body):
    start = time.monotonic()
    answer = client.post(f"/cds-services/{REVIEW}", data=body, content_type="application/json")
    if answer.status_code != 200:
        raise SystemExit(f"HTTP {answer.status_code}: {answer.text}")
    return (time.monotonic() - start) * 1000
