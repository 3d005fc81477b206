"""The JSON Schemas: sound, worded throughout, and true for what clients were seen to send."""

import copy
import json
from time import process_time

import pytest
from jsonschema import Draft202012Validator

from cds_service.hooks import schemas
from tests.hook_calls import CARD, REQUEST, changed
from tests.shared import SHARED, needs_shared

PARTS = ("properties", "$defs")


def members(node):
    """Yield (name, schema) of every member that a schema describes."""
    if isinstance(node, dict):
        for part in PARTS:
            if isinstance(node.get(part), dict):
                yield from node[part].items()
        for inner in node.values():
            yield from members(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from members(inner)


@pytest.mark.parametrize("name", schemas.names())
class TestSchema:
    def test_it_is_a_schema_of_2020(self, name):
        found = schemas.published(name)
        assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        Draft202012Validator.check_schema(found)
        assert found["title"]

    def test_resolved_it_refers_to_nothing(self, name):
        whole = schemas.whole(name)
        Draft202012Validator.check_schema(whole)
        assert not {"$ref", "$defs"} & set(json.dumps(whole).split('"'))

    def test_both_engines_agree(self, name):
        slow = Draft202012Validator(schemas.whole(name))
        for value in (REQUEST, {"cards": [CARD]}, {"cards": []}, {"services": []}, {}, [], None):
            assert slow.is_valid(value) == schemas.validator(name).is_valid(value)


@pytest.mark.parametrize("name", [n for n in schemas.names() if n != "operation-outcome"])
def test_every_member_says_what_it_must_be(name):
    unsaid = [
        member
        for member, schema in members(schemas.whole(name))
        if "const" not in schema and schema.get("type") is not None and "description" not in schema
    ]
    assert unsaid == []


def test_a_breach_names_place_and_remedy():
    spoilt = copy.deepcopy(REQUEST)
    del spoilt["hookInstance"]
    spoilt["context"]["draftOrders"]["entry"][0] = {"resource": {"id": "x"}}
    assert {str(one) for one in schemas.problems("order-sign-request", spoilt)} == {
        "hookInstance is missing: it must be a UUID, new for each event",
        "context.draftOrders.entry[0].resource.resourceType is missing: "
        "it must be the type of the resource",
    }
    nearest = schemas.shallowest(schemas.problems("order-sign-request", spoilt))
    assert nearest.place == "hookInstance"


def test_the_whole_may_be_wrong():
    (problem,) = schemas.problems("response", [])
    assert str(problem).startswith("the whole must be")


def test_breaches_without_end_are_cut():
    many = changed("context.draftOrders.entry", [7] * 1000)
    assert len([*schemas.problems("order-sign-request", many)]) == 50


def test_an_envelope_takes_microseconds():
    body = changed("prefetch", {str(at): {"resourceType": "Bundle"} for at in range(200)})
    checker = schemas.validator("order-sign-request")
    start = process_time()
    for _ in range(200):
        assert checker.is_valid(body)
    assert (process_time() - start) / 200 < 0.001


def captured(path):
    lines = (SHARED / "captures" / "cds-hooks-sandbox.jsonl").read_text(encoding="utf-8")
    calls = [json.loads(line) for line in lines.splitlines()]
    return [json.loads(one["body"]) for one in calls if one["method"] == "POST" and path(one)]


@needs_shared
def test_calls_of_the_sandbox_fit():
    calls = captured(lambda one: not one["path"].endswith("/feedback"))
    assert calls
    for call in calls:
        assert [*schemas.problems(f"{call['hook']}-request", call)] == []


@needs_shared
def test_feedback_of_the_sandbox_fits():
    bodies = captured(lambda one: one["path"].endswith("/feedback"))
    assert bodies
    assert [problem for body in bodies for problem in schemas.problems("feedback", body)] == []
