"""The charts on the HAPI server: worked cases, patients of the demo, patients of others."""

import json
from functools import cache
from pathlib import Path

from fhir_fixtures.stories import build, read_story
from tests.shared import SHARED
from tests.spec.signed import signed_of

ROOT = Path(__file__).parents[2]
CASES = sorted((ROOT / "tests" / "spec" / "cases").glob("*.yaml"))
FIXTURES = sorted((ROOT / "fhir_fixtures" / "patients").glob("*.json"))
# A short chart, a long one, and two that were written by other programs.
OTHERS = ("synthea/Chauncey_*", "synthea/Lonnie_*", "cds4cpm/ZachBaker*", "cds4cpm/brenda_*")


@cache
def signed_by_case(path):
    """Return (request, resources) of a worked case."""
    built = build(path.stem, read_story(path))
    return built.request, _resources(built.record)


@cache
def signed_by_fixture(path):
    """Return (request, resources) of a patient of the demo."""
    request = path.parents[1] / "requests" / path.name
    return json.loads(request.read_text()), _resources(json.loads(path.read_text()))


def _resources(bundle):
    return [entry["resource"] for entry in bundle["entry"]]


@cache
def signed_by_other(pattern):
    """Return a patient that nobody here wrote, with a coverage of every payer."""
    (path,) = (SHARED / "patients").glob(pattern)
    return signed_of(path, "now")


def charts():
    """Yield the resources of each chart."""
    yield from (signed_by_case(path)[1] for path in CASES)
    yield from (signed_by_fixture(path)[1] for path in FIXTURES)
    if SHARED.is_dir():
        yield from (signed_by_other(pattern).resources for pattern in OTHERS)
