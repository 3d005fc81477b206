"""Real hook calls, and what goes wrong with them on their way: at any depth, of any kind."""

import copy
import json
from functools import cache
from pathlib import Path

from fhir_fixtures.stories import build, read_story
from tests.conformance.ehr import EXPLAIN, held
from tests.shared import SHARED

ROOT = Path(__file__).parents[2]
STORIES = ROOT / "fhir_fixtures" / "stories"
CASES = ROOT / "tests" / "spec" / "cases"
CAPTURES = SHARED / "captures" / "cds-hooks-sandbox.jsonl"

TEXTS = (
    "",
    " ",
    "\x00",
    "x" * 100_000,
    "🦴" * 1000,
    "\ud800",
    "\u202e\u2066\u0301",
    "__proto__",
    "../../etc/passwd",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "${7*7}{{7*7}}{% raw %}",
    "NaN",
    "-1e999",
    "Patient/",
    "urn:uuid:",
    "#",
    "http://[::1",
)
DATES = (
    "2026-02-30",
    "0000-01-01",
    "9999-12-31T23:59:59+14:00",
    "0001-01-01T00:00:00+14:00",
    "2026",
    "2026-13",
    "2026-03-16T25:00:00Z",
    "2026-03-16T10:00:00",
    "16/03/2026",
    "-2026-01-01",
    "2026-06-30T23:59:60Z",
)
NUMBERS = (0, -1, 1e308, -1e-308, 2**63, -(2**63), 10**400, float("nan"), float("inf"), 0.1)
OTHERS = (None, True, False, [], {}, [None], [[]], {"": None}, {"resourceType": "Bundle"})
VALUES = (*TEXTS, *DATES, *NUMBERS, *OTHERS)


@cache
def calls():
    """Return hook calls, each with all it needs in prefetch, and those that others have sent."""
    paths = [*sorted(STORIES.glob("*.yaml")), *sorted(CASES.glob("*.yaml"))]
    made = [whole(build(path.stem, read_story(path))) for path in paths]
    return [*made, *captured()]


def captured():
    if not CAPTURES.is_file():
        return []
    lines = map(json.loads, CAPTURES.read_text(encoding="utf-8").splitlines())
    bodies = [json.loads(line["body"]) for line in lines if line["body"]]
    return [body for body in bodies if "hook" in body]


def whole(built):
    """Return a story's call with its record as prefetch."""
    resources = [entry["resource"] for entry in built.record["entry"]]
    return {
        **{name: value for name, value in built.request.items() if name != "fhirServer"},
        "prefetch": held(resources),
        "extension": EXPLAIN,
    }


def mutated(call, random, times):
    """Return a copy of a call with so many things wrong in it."""
    spoilt = copy.deepcopy(call)
    for _ in range(times):
        places = list(_places(spoilt))
        if places:
            random.choice(MUTATIONS)(*random.choice(places), random)
    return spoilt


def _places(node):
    """Yield (container, key) of every value in a JSON value."""
    inner = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(inner):
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _delete(node, key, _):
    del node[key]


def _replace(node, key, random):
    node[key] = copy.deepcopy(random.choice(VALUES))


def _twice(node, key, _):
    if isinstance(node, list):
        node.insert(key, copy.deepcopy(node[key]))
    else:
        node[key] = [node[key], copy.deepcopy(node[key])]


def _swap(node, key, random):
    other = random.choice(list(node) if isinstance(node, dict) else range(len(node)))
    node[key], node[other] = node[other], node[key]


def _nest(node, key, random):
    for _ in range(random.choice((1, 2, 50, 300))):
        node[key] = [node[key]] if random.random() < 0.5 else {"value": node[key]}


def _rename(node, key, random):
    if isinstance(node, dict):
        node[random.choice(TEXTS)] = node.pop(key)


MUTATIONS = (_delete, _replace, _replace, _replace, _twice, _swap, _nest, _rename)
