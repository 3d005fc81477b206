"""The work of a review, counted and not timed: nothing twice, and in proportion to the record."""

import gc
import json
import os
import re
import sys
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pytest

import cards
import fhir_fixtures
from cds_service.evidence.context import Context
from cds_service.evidence.orders import OrderGroup
from cds_service.record.reader import record_of_bundle
from cds_service.review import Case, facts_of, review
from cds_service.services import rules_of
from cds_service.settings import load_settings
from fhir_fixtures.stories import ORDER_DATE, build, read_story
from tests.long_record import long_record

FOLDER = Path(fhir_fixtures.__file__).parent / "stories"
STORIES = [build(path.stem, read_story(path)) for path in sorted(FOLDER.glob("*.yaml"))]
READ_ONCE = {
    "Condition": "recordedDate",
    "Encounter": "participant",
    "Goal": "achievementStatus",
    "Observation": "valueQuantity",
    "Procedure": "performedDateTime",
    "QuestionnaireResponse": "item",
}
LASTING = ("Coverage", "Organization", "Patient", "Practitioner", "PractitionerRole")
SHORT, LONG = 5, 20
LARGEST_EXPONENT = 1.1
STEEP, NOISE = 1.5, 1000
MOST_STEPS = 10_000
MOST_WRITING = 2_000
MOST_LEFT = 50
DAY = re.compile(r"\d{4}-\d\d-\d\d")


@cache
def rules():
    return rules_of(load_settings({}))


def case_of(built, resources=None):
    context = built.request["context"]
    orders = [entry["resource"] for entry in context["draftOrders"]["entry"]]
    record = record_of_bundle(context["patientId"], resources or built.record)
    return Case(orders, record, ORDER_DATE)


def question(case, policy):
    facts = facts_of(case, rules())
    return Context(facts, OrderGroup.of(facts), None, policy.numbers)


class Watched(dict):
    """A resource that counts how often each of its elements is looked up."""

    def __init__(self, resource):
        super().__init__(resource)
        self.read = Counter()

    def get(self, name, default=None):
        self.read[name] += 1
        return super().get(name, default)


def test_a_resource_is_read_once_however_many_rules_ask():
    met = Counter()
    for built in STORIES:
        case = case_of(built)
        watched = {
            kind: [Watched(resource) for resource in resources]
            for kind, resources in case.record.by_type.items()
        }
        review(replace(case, record=replace(case.record, by_type=watched)), rules())
        for kind, element in READ_ONCE.items():
            reads = [one.read[element] for one in watched.get(kind, [])]
            assert max(reads, default=0) <= 1, f"{built.name}: {element} of a {kind} read {reads}"
            met[kind] += sum(reads)
    assert set(met) == set(READ_ONCE)
    assert min(met.values()) > 0


@pytest.mark.parametrize("policy", rules().library.ids())
def test_a_criterion_is_decided_once(policy):
    (policy, *_) = rules().library.versions[policy]
    decided = Counter()

    def counted(name, body):
        def decide(context, outcome_of):
            decided[name] += 1
            return body(context, outcome_of)

        return decide

    criteria = {
        name: replace(criterion, body=counted(name, criterion.body))
        for name, criterion in policy.criteria.items()
    }
    watched = replace(policy, criteria=criteria)
    watched.evaluate(question(case_of(long_record(150)), watched))
    assert decided == dict.fromkeys(policy.criteria, 1)


def steps(work, given):
    """Return how often each function is called to do a piece of work."""
    counts = Counter()

    def note(frame, event, _argument):
        if event == "call":
            counts[frame.f_code] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work(given)
    finally:
        sys.setprofile(before)
    return Counter({f"{code.co_filename}:{code.co_qualname}": n for code, n in counts.items()})


def test_a_review_takes_no_more_steps_than_it_did():
    case = case_of(long_record(150))
    review(case, rules())
    taken = steps(lambda one: review(one, rules()), case)
    ours = sum(n for name, n in taken.items() if f"{Path('cds_service')}{os.sep}" in name)
    assert ours <= MOST_STEPS


def test_cards_take_no_more_steps_than_they_did():
    case = case_of(long_record(150))
    group = OrderGroup.of(facts_of(case, rules()))
    orders = {draft.reference: draft.resource for draft in group.drafts}
    patient = f"Patient/{case.record.patient_id}"
    asked = cards.CardRequest("call", patient, orders, record=case.record, day=case.day)
    made = review(case, rules())
    cards.render(made, asked)
    taken = steps(lambda one: cards.render(one, asked), made)
    ours = sum(n for name, n in taken.items() if f"{os.sep}cards{os.sep}" in name)
    assert 0 < ours <= MOST_WRITING


def test_a_review_leaves_nothing_to_the_garbage_collector():
    case = case_of(long_record(150))
    review(case, rules())
    gc.collect()
    gc.disable()
    try:
        review(case, rules())
        assert gc.collect() <= MOST_LEFT
    finally:
        gc.enable()


def long_case(times):
    """Return the first story's orders over what happened in all stories, so many times each."""
    first, *_ = STORIES
    mine = first.request["context"]["patientId"]
    own = [one for one in entries_of(first, mine) if one["resourceType"] in LASTING]
    events = [
        one
        for story in STORIES
        for one in entries_of(story, mine)
        if one["resourceType"] not in LASTING
    ]
    repeated = [
        moved(one, days) | {"id": f"{one['id']}-{days}"} for one in events for days in range(times)
    ]
    return case_of(first, [*own, *repeated])


def entries_of(story, patient):
    """Return the resources of a story as those of another patient."""
    theirs = story.request["context"]["patientId"]
    text = json.dumps([entry["resource"] for entry in story.record["entry"]])
    return json.loads(text.replace(f"Patient/{theirs}", f"Patient/{patient}"))


def moved(node, days):
    """Return the same, so many days earlier."""
    if isinstance(node, dict):
        return {key: moved(value, days) for key, value in node.items()}
    if isinstance(node, list):
        return [moved(value, days) for value in node]
    if isinstance(node, str) and DAY.match(node):
        day = date.fromisoformat(node[:10]) - timedelta(days=days)
        return f"{day.isoformat()}{node[10:]}"
    return node


@pytest.mark.parametrize("policy", sorted(rules().library.versions))
def test_work_grows_in_proportion_to_the_record(policy):
    judged = rules().library.versions[policy][0]
    short, long = (question(long_case(times), judged) for times in (SHORT, LONG))
    few, many = steps(judged.evaluate, short), steps(judged.evaluate, long)
    grown = LONG / SHORT
    assert many.total() <= few.total() * grown**LARGEST_EXPONENT
    steep = {name: n for name, n in many.items() if n > max(few[name] * grown**STEEP, NOISE)}
    assert steep == {}
