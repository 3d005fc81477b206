"""Throughput and latency of the services beside the floor, all in turns."""

import statistics
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.bodies import REVIEW, call_of
from tests.bench.load import loaded
from tests.bench.servers import floor, service
from tests.callers import Ehr, clients_file
from tests.live import free_port, http

CRD = "order-sign-crd"
TOKENS = 400
ATTEMPTS = 3  # a machine that others use may stand still for a while
MEASURED = ("rate", "p50", "p99", "cpu")


@dataclass(frozen=True)
class Target:
    """Something that is called; `tokens` gives as many as asked, each for one call."""

    name: str
    server: object
    url: str
    body: bytes
    tokens: object = lambda _count: ()

    def run(self, connections, seconds):
        """Return calls a second, p50 and p99 in milliseconds, CPU milliseconds a call."""
        for _ in range(ATTEMPTS):
            before = self.server.cpu()
            found = loaded(self.url, self.body, connections, seconds, self.tokens(TOKENS))
            spent = self.server.cpu() - before
            if found["errors"]:
                raise SystemExit(f"{self.name}: {found['errors']} of {found['calls']} calls failed")
            if found["calls"]:
                return {
                    "rate": found["calls"] / found["seconds"],
                    "p50": found["p50"],
                    "p99": found["p99"],
                    "cpu": spent / found["calls"] * 1000,
                }
        raise SystemExit(f"{self.name}: no answer in {ATTEMPTS} x {seconds} seconds")


@contextmanager
def targets(workers):
    """Start everything that is compared; gives the targets, the floor first."""
    with ExitStack() as stack:
        bare = stack.enter_context(floor(workers))
        ours = stack.enter_context(service("--open", workers=workers))
        offered = {
            one["id"]: one["prefetch"]
            for one in http().get(f"{ours.url}/cds-services", timeout=10).json()["services"]
        }
        call = call_of(offered[REVIEW])
        found = [
            Target("floor", bare, f"{bare.url}/cds-services/{REVIEW}", call.body),
            Target(REVIEW, ours, f"{ours.url}/cds-services/{REVIEW}", call.body),
            stack.enter_context(_with_tokens(call.body, workers)),
        ]
        if CRD in offered:
            body = call_of(offered[CRD]).body
            found.append(Target(CRD, ours, f"{ours.url}/cds-services/{CRD}", body))
        yield found


@contextmanager
def _with_tokens(body, workers):
    ehr, public = Ehr(), f"http://127.0.0.1:{free_port()}"
    with TemporaryDirectory() as folder:
        told = {"CLIENTS": clients_file(Path(folder), ehr), "PUBLIC_URL": public}
        with service(workers=workers, **told) as server:
            path = f"/cds-services/{REVIEW}"

            def tokens(count):
                return [ehr.token(f"{public}{path}") for _ in range(count)]

            yield Target(f"{REVIEW}, JWT", server, f"{server.url}{path}", body, tokens)


def measured(listed, connections, turns, seconds):
    """Return {connections: {target: {figure: [one for each turn]}}}."""
    for target in listed:
        target.run(4, 1)
    found = {count: defaultdict(lambda: defaultdict(list)) for count in connections}
    for _ in range(turns):
        for count in connections:
            for target in listed:
                for name, value in target.run(count, seconds).items():
                    found[count][target.name][name].append(value)
    return found


def rows(found):
    """Yield one row for each number of connections and target, with ratios turn by turn."""
    for count, by_target in found.items():
        base = by_target["floor"]
        for name, figures in by_target.items():
            pairs = {
                one: [a / b for a, b in zip(figures[one], base[one], strict=True) if b]
                for one in MEASURED
            }
            yield {
                "connections": count,
                "target": name,
                **{one: _middle(figures[one]) for one in MEASURED},
                **{f"{one} x floor": _middle(pairs[one]) for one in MEASURED},
            }


def _middle(values):
    """Return median, lowest and highest."""
    return [round(one, 3) for one in (statistics.median(values), min(values), max(values))]


def table(listed):
    yield "Calls a second, latency and CPU of the workers beside the floor (median, and range)"
    yield (
        f"{'conn.':>5} | {'target':<27} | {'calls/s':>17} | {'p50 ms':>7} | {'p99 ms':>7} | "
        f"{'CPU ms':>6} | {'rate x floor':>17} | {'p99 x floor':>11} | {'CPU x floor':>11}"
    )
    for row in listed:
        rate, ratio = row["rate"], row["rate x floor"]
        yield (
            f"{row['connections']:5d} | {row['target']:<27} | "
            f"{rate[0]:5.0f} ({rate[1]:.0f}-{rate[2]:.0f})".ljust(54)
            + f" | {row['p50'][0]:7.2f} | {row['p99'][0]:7.2f} | {row['cpu'][0]:6.2f} | "
            f"{ratio[0]:5.2f} ({ratio[1]:.2f}-{ratio[2]:.2f}) | "
            f"{row['p99 x floor'][0]:11.2f} | {row['cpu x floor'][0]:11.2f}"
        )


def soak(target, calls, checks=10):
    """Return (calls so far, resident megabytes) at even steps of a long run."""
    seconds, found, done = 3, [], 0
    while done < calls:
        loaded_now = target.run(4, seconds)
        done += round(loaded_now["rate"] * seconds)
        found.append((done, round(target.server.memory(), 1)))
    step = max(1, len(found) // checks)
    return [*found[::step], found[-1]]
