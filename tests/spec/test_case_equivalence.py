"""The cases in our own form build the same records and requests as the files they came from."""

import json
from pathlib import Path

import pytest

from fhir_fixtures.stories import build, read_story
from tests.shared import SHARED, needs_shared

CASES = Path(__file__).parent / "cases"
ORIGINALS = sorted((SHARED / "cases").glob("*-*.json"))

# Words for people: labels, names and file titles carry no fact.
WORDS = {"display", "fullUrl", "name", "identifier", "qualification", "description", "content"}
WORDS |= {"dosageInstruction", "hookInstance"}
CODED = {"coding", "linkId", "measure"}


def flat(items):
    """Return the items of a form without the groups around them, which say nothing."""
    for item in items:
        yield from [item] if "answer" in item or "item" not in item else flat(item["item"])


def facts(value, key=None):
    """Return the value without words that stand beside a code, and without a form's groups."""
    if key == "item" and isinstance(value, list):
        value = sorted(flat(value), key=lambda one: one["linkId"])
    if isinstance(value, list):
        return [facts(item, key) for item in value]
    if not isinstance(value, dict):
        return value
    beside_code = key != "bodySite" and CODED & value.keys()
    dropped = WORDS | ({"text"} if beside_code else set())
    if key == "type" and "text" in value:
        dropped = dropped | {"text"}
    return {k: facts(v, k) for k, v in value.items() if k not in dropped}


def by_id(bundle):
    resources = [entry["resource"] for entry in bundle["entry"]]
    return {f"{r['resourceType']}/{r['id']}": r for r in resources}


def payors(bundle):
    return {
        name: (r["identifier"], r["name"])
        for name, r in by_id(bundle).items()
        if name.startswith("Organization/")
    }


def licences(bundle):
    return {
        name: [q["code"]["coding"][0]["code"] for q in r["qualification"]]
        for name, r in by_id(bundle).items()
        if name.startswith("Practitioner/")
    }


def aims(bundle):
    return {n: r["description"] for n, r in by_id(bundle).items() if n.startswith("Goal/")}


@pytest.fixture(params=ORIGINALS, ids=lambda path: path.stem)
def pair(request):
    original = json.loads(request.param.read_text(encoding="utf-8"))
    story = read_story(CASES / f"{request.param.stem.lower()}.yaml")
    return original, build(request.param.stem, story), story


@needs_shared
class TestEquivalence:
    def test_record(self, pair):
        original, built, _ = pair
        ours, theirs = by_id(built.record), by_id(original["record"])
        assert ours.keys() == theirs.keys()
        for name, resource in theirs.items():
            assert facts(ours[name]) == facts(resource), name

    def test_words_that_are_facts(self, pair):
        original, built, _ = pair
        for reading in (payors, licences, aims):
            assert reading(built.record) == reading(original["record"])

    def test_request(self, pair):
        original, built, _ = pair
        assert facts(built.request) == facts(original["request"])

    def test_expectation(self, pair):
        original, _, story = pair
        wanted = {key: value for key, value in original["expect"].items() if value != []}
        assert {key: value for key, value in story["expect"].items() if value != []} == wanted
        assert story["policy"] == original["policy"]


@needs_shared
def test_no_case_is_left_out():
    ours = {path.stem for path in CASES.glob("*.yaml")}
    assert {path.stem.lower() for path in ORIGINALS} <= ours
