"""What-if on the policies themselves: it never makes a result worse, and lifts no bare stop."""

from dataclasses import replace
from functools import cache

import pytest

from cds_service.policies.library import default_library
from cds_service.policy_tests.stories import read_tests, shipped_tests
from cds_service.record.reader import record_of_bundle
from cds_service.review import Case, review
from cds_service.services import rules_of
from cds_service.settings import load_settings
from fhir_fixtures.stories import ORDER_DATE, build

WORST_FIRST = ("not-covered", "conditional", "not-applicable", "covered")
EVERY = 5


@cache
def rules():
    return rules_of(load_settings({}))


def cases(policy):
    """Return every fifth story of a policy as a case."""
    for test in read_tests(shipped_tests(), policy)[::EVERY]:
        made = build("supposing", test.story)
        context = made.request["context"]
        orders = [entry["resource"] for entry in context["draftOrders"]["entry"]]
        yield Case(orders, record_of_bundle(context["patientId"], made.record), ORDER_DATE)


def everything(made):
    """Return all ids that a reader could try: items, open criteria, safety findings."""
    open_ = {one.id for one in made.criteria if one.status == "unknown"}
    return frozenset(open_ | {one.id for one in (*made.missing, *made.safety)})


@cache
def pairs(policy):
    """Return each evaluation with what it becomes when everything is supposed."""
    return [pair for case in cases(policy) for pair in tried(case)]


def tried(case):
    for made in review(case, rules()):
        supposed = review(replace(case, supposed=everything(made)), rules())
        yield made, next(one for one in supposed if one.coverage == made.coverage)


@pytest.mark.parametrize("policy", default_library().ids())
def test_supposing_never_makes_a_result_worse(policy):
    ranks = [[WORST_FIRST.index(one.determination) for one in pair] for pair in pairs(policy)]
    assert all(before <= after for before, after in ranks)
    assert any(before < after for before, after in ranks)


def without_document(made):
    return {one.id for one in made.safety if one.effect == "stop" and not one.asks}


def test_stop_that_asks_for_no_document_stays():
    tried = [pair for policy in default_library().ids() for pair in pairs(policy)]
    stopped = [(bare, after) for before, after in tried if (bare := without_document(before))]
    assert stopped
    for bare, after in stopped:
        assert bare <= {one.id for one in after.safety if one.effect == "stop"}
        assert after.determination == "not-covered"


def ruled_out(made):
    findings = {one.id for one in made.safety}
    held = {one.id for one in made.criteria if one.status == "not-met" and not one.derived}
    return held - findings


@pytest.mark.parametrize("policy", default_library().ids())
def test_what_the_record_rules_out_is_ruled_out_still(policy):
    fixed = [(ruled_out(before), after) for before, after in pairs(policy)]
    assert any(names for names, _ in fixed)
    for names, after in fixed:
        assert not names & {one.id for one in after.criteria if one.supposed}
