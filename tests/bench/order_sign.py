"""CPU of an order-sign call with complete prefetch, step by step and by size: `make bench`.

Every figure is CPU time of this process, so that what else runs on the machine counts little; and
every call is set against parsing the same body alone, measured beside it.
"""

import argparse
import gc
import json
import math
import statistics
import sys
import time
from collections import defaultdict
from itertools import pairwise
from urllib.parse import parse_qsl

import orjson

import cards
from cds_service import services
from cds_service.app import create_app
from cds_service.hooks import blueprint
from cds_service.record.reader import RecordReader
from cds_service.sandbox import SandboxStore
from cds_service.sandbox.search import parse, search
from cds_service.server import GC_THRESHOLD
from cds_service.settings import load_settings
from tests.live import TOKEN, resources_of
from tests.long_record import CCA, KAISER, long_record

SERVICE = "/cds-services/massage-order-review"
CALLS = {150: 60, 1500: 20, 15000: 4}
WARM_UP = 15
STEPS = {
    "parse": (blueprint, "parse_request"),
    "record": (RecordReader, "read"),
    "review": (services, "review"),
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


class Case:
    """A request of one size under one payer, with what its calls took."""

    def __init__(self, app, payer, size):
        built = long_record(size, payer)
        self.payer, self.size = payer, size
        body = with_prefetch(app, built)
        self.resources = sum(1 for _ in resources_of(body["prefetch"]))
        self.body = orjson.dumps(body)
        self.taken = defaultdict(list)

    def call(self, client, watch):
        watch.spent.clear()
        start = time.process_time()
        answer = client.post(SERVICE, data=self.body, content_type="application/json")
        call = (time.process_time() - start) * 1000
        if answer.status_code != 200:
            raise SystemExit(f"HTTP {answer.status_code}: {answer.text}")
        start = time.process_time()
        orjson.loads(self.body)
        floor = (time.process_time() - start) * 1000
        for name, value in {**watch.spent, "call": call, "floor": floor}.items():
            self.taken[name].append(value)

    def row(self):
        """Return medians in milliseconds, the spread of the call, and its ratio to the floor."""
        medians = {name: statistics.median(values) for name, values in self.taken.items()}
        low, *_, high = statistics.quantiles(self.taken["call"], n=10, method="inclusive")
        return {
            "payer": self.payer,
            "resources": self.resources,
            "kilobytes": len(self.body) // 1000,
            **{name: round(value, 2) for name, value in medians.items()},
            "low": round(low, 2),
            "high": round(high, 2),
            "ratio": round(medians["call"] / medians["floor"], 1),
        }


def with_prefetch(app, built):
    """Return the request, everything that discovery asks for beside it, each search on one page."""
    listed = app.test_client().get("/cds-services").get_json()["services"]
    templates = next(one["prefetch"] for one in listed if SERVICE.endswith(one["id"]))
    context, store = built.request["context"], SandboxStore([built.record])
    asked = {key: TOKEN.sub(lambda m: context[m[1]], text) for key, text in templates.items()}
    return built.request | {"prefetch": {key: answer(store, one) for key, one in asked.items()}}


def answer(store, question):
    """Return what a FHIR server answers to a read or a search."""
    kind, _, terms = question.partition("?")
    if not terms:
        return store.read(*kind.split("/"))
    query = parse(kind, parse_qsl(terms))
    query.count = sys.maxsize
    return search(store, query, "https://ehr.example.org/fhir")


def measured(sizes):
    """Return one row for each payer and size; calls of all cases take turns."""
    app = create_app(load_settings({}), open_access=True, demo=False)
    cases = [Case(app, payer, size) for payer in (CCA, KAISER) for size in sizes]
    client, watch = app.test_client(), Stopwatch()
    for case in cases:
        for _ in range(WARM_UP if case.size == min(sizes) else 1):
            case.call(client, watch)
        case.taken.clear()
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    for turn in range(max(CALLS[size] for size in sizes)):
        for case in cases:
            if turn < CALLS[case.size]:
                case.call(client, watch)
    return [case.row() for case in cases]


def exponents(rows):
    """Return for each payer how CPU grows from each size to the next: 1.0 is linear."""
    for before, after in pairwise(rows):
        if before["payer"] == after["payer"]:
            grown = math.log(after["call"] / before["call"])
            longer = math.log(after["resources"] / before["resources"])
            yield before["payer"], before["resources"], after["resources"], grown / longer


def table(rows):
    """Yield the lines of the table."""
    yield "CPU of one massage-order-review call, milliseconds (median; 10 to 90 % of calls)"
    columns = ["floor", *STEPS, "call"]
    yield " | ".join(f"{name:>9}" for name in ["resources", *columns, "10 %", "90 %", "x floor"])
    for row in rows:
        figures = [row[name] for name in [*columns, "low", "high", "ratio"]]
        shown = " | ".join(f"{figure:9.2f}" for figure in figures)
        yield f"{row['resources']:9d} | {shown}  {row['payer']}"
    for payer, before, after, exponent in exponents(rows):
        yield f"{payer}: from {before} to {after} resources CPU grows with exponent {exponent:.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[*CALLS], choices=[*CALLS])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    asked = parser.parse_args()
    rows = measured(sorted(asked.sizes))
    print(json.dumps(rows, indent=2) if asked.json else "\n".join(table(rows)))


if __name__ == "__main__":
    main()
