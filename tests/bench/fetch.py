"""The route that reads the record from a FHIR server, which takes its time for each query."""

import statistics
import time

from cds_service.app import create_app
from cds_service.settings import load_settings
from tests.bench import servers
from tests.bench.bodies import REVIEW, without_prefetch
from tests.live import http

DELAYS = (0, 0.05, 0.2)
WARM_UP, CALLS = 5, 25


def by_delay(call, delays=DELAYS):
    """Return for each delay of a query what a call takes, and how much of it beyond the chain.

    The chain is what the slowest query of each round took, as the FHIR server saw it. What a call
    takes with all in prefetch stands beside it.
    """
    app = create_app(load_settings({}), open_access=True, demo=False)
    client = app.test_client()
    with servers.slow_fhir() as server:
        body = without_prefetch(call, f"{server.url}/fhir")
        for _ in range(WARM_UP):
            _call(client, body)
            _call(client, call.body)
        return [_row(client, body, call.body, server, delay) for delay in delays]


def _row(client, body, whole, server, delay):
    taken, given, chains, queries = [], [], [], []
    _told(server, delay)
    for _ in range(CALLS):
        taken.append(_call(client, body))
        spans = _told(server, delay)
        chains.append(_chain(spans))
        queries.append(len(spans))
        given.append(_call(client, whole))
    beyond = [call - sum(chain) for call, chain in zip(taken, chains, strict=True)]
    return {
        "delay": round(delay * 1000),
        "call": round(statistics.median(taken), 1),
        "prefetch": round(statistics.median(given), 1),
        "queries": statistics.median(queries),
        "rounds": statistics.median(map(len, chains)),
        "chain": round(statistics.median(map(sum, chains)), 1),
        "beyond the chain": round(statistics.median(beyond), 1),
    }


def _told(server, delay):
    return http().get(f"{server.url}/told?seconds={delay}", timeout=10).json()


def _chain(spans):
    """Return the ms of the slowest query of each round: what a call has to wait for at least.

    A query is of the next round when it was asked after the first of this one had its answer.
    """
    rounds, ends = [], 0.0
    for start, done in sorted(spans):
        if start >= ends:
            rounds.append(0.0)
            ends = done
        ends = min(ends, done)
        rounds[-1] = max(rounds[-1], (done - start) * 1000)
    return rounds


def _call(client, body):
    start = time.monotonic()
    answer = client.post(f"/cds-services/{REVIEW}", data=body, content_type="application/json")
    if answer.status_code != 200:
        raise SystemExit(f"HTTP {answer.status_code}: {answer.text}")
    return (time.monotonic() - start) * 1000
