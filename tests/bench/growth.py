"""How CPU grows with what a call holds and with how many policies there are, in one process."""

import gc
import json
import math
import re
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import yaml

from cds_service.app import create_app
from cds_service.policies.library import shipped
from cds_service.policies.routing import TABLE
from cds_service.server import GC_THRESHOLD
from cds_service.settings import PREFIX, load_settings
from tests.bench.bodies import REVIEW, call_of

SIZES = (150, 1500, 15000)
ORDERS = (1, 5, 20)
POLICIES = (5, 50, 500)
COPIED = "kpwa-massage.yaml"


def client_of(variables=None):
    """Return a test client of the open application and the prefetch templates it declares."""
    app = create_app(load_settings(variables or {}), open_access=True, demo=False)
    settled()
    client = app.test_client()
    services = {one["id"]: one for one in client.get("/cds-services").get_json()["services"]}
    return client, services[REVIEW]["prefetch"]


def settled():
    """Let garbage collection be as in a worker."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def milliseconds(client, body, calls):
    """Return the median CPU milliseconds of a call."""
    taken = []
    for _ in range(calls):
        start = time.process_time()
        answer = client.post(f"/cds-services/{REVIEW}", data=body, content_type="application/json")
        taken.append((time.process_time() - start) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"HTTP {answer.status_code}: {answer.text}")
    return statistics.median(taken)


def by_size(client, templates, sizes=SIZES):
    """Return (resources, ms) for each size."""
    listed = [call_of(templates, size) for size in sizes]
    return [(call.resources, _timed(client, call.body)) for call in listed]


def by_orders(client, templates, counts=ORDERS):
    """Return (orders, ms) for each number of orders signed together."""
    return [(count, _timed(client, call_of(templates, orders=count).body)) for count in counts]


def _timed(client, body):
    first = milliseconds(client, body, 3)
    return milliseconds(client, body, max(5, min(60, int(1000 / first))))


def by_policies(counts=POLICIES):
    """Return (policy files, ms), each library in a process of its own."""
    return [(count, _in_process(count)) for count in counts]


def _in_process(count):
    command = [sys.executable, "-m", __name__, str(count)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def exponents(found):
    """Yield how figures grow from each step to the next: 1.0 is linear."""
    for (few, before), (many, after) in pairwise(found):
        yield few, many, math.log(after / before) / math.log(many / few)


def _with_policies(count):
    """Return CPU of a call where so many policies are routed."""
    own = sum(name.endswith(".yaml") for name, _ in shipped()) - 3
    with TemporaryDirectory() as folder:
        payers = _write(Path(folder), max(0, count - own))
        told = {"POLICIES": folder, "PAYERS": str(payers)}
        client, templates = client_of({f"{PREFIX}{name}": value for name, value in told.items()})
        body = call_of(templates).body
        milliseconds(client, body, 20)
        return milliseconds(client, body, 100)


def _write(folder, count):
    """Write so many policies, each a copy with its own names, and a table that routes to them."""
    text = dict(shipped())[COPIED]
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    row = next(one for one in table["payers"] if one["policy"] == COPIED.removesuffix(".yaml"))
    for at in range(count):
        (folder / f"generated-{at}.yaml").write_text(_renamed(text, at), encoding="utf-8")
        payor = row["payor"] | {"value": f"GENERATED-{at}"}
        named = {"payor": payor, "names": [f"Payer {at}"], "policy": f"generated-{at}"}
        table["payers"].append(row | named)
    (folder / "tables").mkdir()
    path = folder / "tables" / "payers.yaml"
    path.write_text(yaml.safe_dump(table), encoding="utf-8")
    return path


def _renamed(text, at):
    data = yaml.safe_load(text)
    names = sorted({*data["criteria"], *data.get("safety", {})}, key=len, reverse=True)
    known = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, names))})(?![\w-])")
    own = known.sub(lambda found: f"{found[1]}-g{at}", text)
    return own.replace(f"policy: {data['policy']}", f"policy: generated-{at}", 1)


if __name__ == "__main__":
    print(orjson.dumps(_with_policies(int(sys.argv[1]))).decode())
