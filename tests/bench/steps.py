"""CPU of one call with complete prefetch, step by step, in this process.

Every figure is CPU time, so that what else runs on the machine counts little; each call is set
against parsing the same body alone, measured beside it.
"""

import statistics
import time
from collections import defaultdict

import orjson

import cards
from cds_service import reviewer
from cds_service.hooks import blueprint
from cds_service.record.reader import RecordReader
from tests.bench.bodies import REVIEW, call_of, everyday_call
from tests.bench.growth import client_of
from tests.long_record import CCA, KAISER

CALLS, WARM_UP = 60, 15
STEPS = {
    "parse": (blueprint, "parse_request"),
    "record": (RecordReader, "read"),
    "review": (reviewer, "review"),
    "cards": (cards, "render"),
    "answer": (blueprint, "finish"),
}
"""What is timed inside a call, by the name under which it is called."""


class Stopwatch:
    """Adds up the CPU milliseconds of each step of a call."""

    def __init__(self):
        self.spent = defaultdict(float)
        for step, (holder, name) in STEPS.items():
            setattr(holder, name, self._timed(step, getattr(holder, name)))

    def _timed(self, step, work):
        def timed(*args, **kwargs):
            start = time.process_time()
            try:
                return work(*args, **kwargs)
            finally:
                self.spent[step] += (time.process_time() - start) * 1000

        return timed


def measured():
    """Return one row for each kind of call; they take turns."""
    client, templates = client_of()
    listed = {payer: call_of(templates, payer=payer).body for payer in (CCA, KAISER)}
    listed[f"{CCA}, everyday chart"] = everyday_call(templates).body
    watch = Stopwatch()
    taken = {kind: defaultdict(list) for kind in listed}
    for turn in range(WARM_UP + CALLS):
        for kind, body in listed.items():
            figures = _call(client, body, watch)
            for name, value in figures.items() if turn >= WARM_UP else ():
                taken[kind][name].append(value)
    return [_row(kind, found) for kind, found in taken.items()]


def _call(client, body, watch):
    watch.spent.clear()
    start = time.process_time()
    answer = client.post(f"/cds-services/{REVIEW}", data=body, content_type="application/json")
    call = (time.process_time() - start) * 1000
    if answer.status_code != 200:
        raise SystemExit(f"HTTP {answer.status_code}: {answer.text}")
    start = time.process_time()
    orjson.loads(body)
    floor = (time.process_time() - start) * 1000
    return {**watch.spent, "call": call, "loads": floor}


def _row(kind, taken):
    """Return medians in milliseconds and the spread of the call."""
    medians = {name: statistics.median(values) for name, values in taken.items()}
    low, *_, high = statistics.quantiles(taken["call"], n=10, method="inclusive")
    shown = {name: round(value, 2) for name, value in medians.items()}
    return {"call of": kind, **shown, "low": round(low, 2), "high": round(high, 2)}


def table(rows):
    """Yield the lines of the table."""
    yield "CPU milliseconds of a call in one process, by step (median; 10 to 90 % of calls)"
    columns = ["loads", *(step for step in STEPS if step in rows[0]), "call", "low", "high"]
    yield " | ".join(f"{name:>7}" for name in columns)
    for row in rows:
        yield " | ".join(f"{row[name]:7.2f}" for name in columns) + f"  {row['call of']}"
