"""How fast a call is, held against the floor: `make bench`.

Ratios count, not the figures: everything that is compared runs in turns on the same machine. What
is measured and what it must reach stands in docs/performance.md.
"""

import argparse
import json
import os
import platform
import sys
from pathlib import Path

from tests.bench import fetch, growth, http_load, steps
from tests.bench.bodies import call_of

WHOLE_SOAK = 100_000


def main():
    asked = _arguments()
    found = {"machine": machine(), "python": platform.python_version()}
    for name, part in PARTS.items():
        if name in asked.only:
            found[name] = part(asked)
    if asked.json:
        Path(asked.json).write_text(json.dumps(found, indent=2), encoding="utf-8")


def _arguments():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*PARTS], default=[*PARTS])
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--turns", type=int, default=5, help="times that all are measured in turn")
    parser.add_argument("--seconds", type=float, default=2, help="of load for each figure")
    parser.add_argument("--workers", type=int, default=1, help="processes of each server")
    parser.add_argument("--calls", type=int, default=3000, help="of the run that watches memory")
    parser.add_argument(
        "--whole", action="store_true", help=f"watch memory over {WHOLE_SOAK} calls"
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures to a file, too")
    return parser.parse_args()


def machine():
    """Return kind and number of cores."""
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    kind = next((one.partition(":")[2].strip() for one in told if "model name" in one), "unknown")
    return f"{os.cpu_count()} cores, {kind}, {platform.system()} {platform.machine()}"


def say(lines):
    print("\n".join(lines), "", sep="\n", flush=True)


def load(asked):
    with http_load.targets(asked.workers) as listed:
        say([f"{machine()}; {asked.workers} worker, body of {len(listed[0].body) // 1000} kB"])
        rows = [
            *http_load.rows(
                http_load.measured(listed, asked.connections, asked.turns, asked.seconds)
            )
        ]
        say(http_load.table(rows))
        calls = WHOLE_SOAK if asked.whole else asked.calls
        memory = http_load.soak(listed[1], calls)
        ready = {target.name: round(target.server.ready, 2) for target in listed}
    say(_memory(memory))
    say([f"From start to ready: {seconds} s ({name})" for name, seconds in ready.items()])
    return {"rows": rows, "memory": memory, "ready": ready}


def _memory(found):
    """Yield how memory went; what fewer calls than the whole let expect is said to be that."""
    (first, start), (last, end) = found[len(found) // 2], found[-1]
    slope = (end - start) / max(1, last - first)
    yield f"Memory of a worker: {found[0][1]} MB after {found[0][0]} calls, {end} MB after {last}"
    if last < WHOLE_SOAK:
        far = end + slope * (WHOLE_SOAK - last)
        yield f"(extrapolated from the second half of this run to {WHOLE_SOAK} calls: {far:.0f} MB)"


def calls(_asked):
    rows = steps.measured()
    say(steps.table(rows))
    return rows


def growing(_asked):
    client, templates = growth.client_of()
    found = {
        "resources": growth.by_size(client, templates),
        "orders": growth.by_orders(client, templates),
        "policies": growth.by_policies(),
    }
    for what, listed in found.items():
        say(_grown(what, listed))
    return found


def _grown(what, listed):
    yield f"CPU milliseconds of a call by number of {what}"
    yield from (f"{count:>9} | {taken:8.2f}" for count, taken in listed)
    for few, many, exponent in growth.exponents(listed):
        yield f"from {few} to {many}: exponent {exponent:.2f}"
    if what == "policies":
        yield f"{listed[-1][0]} cost {listed[-1][1] / listed[0][1]:.2f} x {listed[0][0]}"


def fetching(_asked):
    _, templates = growth.client_of()
    rows = fetch.by_delay(call_of(templates))
    say(
        [
            "Reading the record from a FHIR server, by its delay for each query",
            "delay ms |  call ms | prefetch ms | queries | rounds | chain ms | beyond chain ms",
            *(
                f"{row['delay']:8d} | {row['call']:8.1f} | {row['prefetch']:11.1f} | "
                f"{row['queries']:7.0f} | {row['rounds']:6.0f} | {row['chain']:8.1f} | "
                f"{row['beyond the chain']:8.1f}"
                for row in rows
            ),
        ]
    )
    return rows


PARTS = {"load": load, "steps": calls, "growth": growing, "fetch": fetching}

if __name__ == "__main__":
    sys.exit(main())
