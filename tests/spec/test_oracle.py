"""The slow evaluator and the fast one agree."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.evidence.context import Context
from cds_service.evidence.orders import OrderGroup
from cds_service.policies.library import default_library
from cds_service.record.model import Hole
from cds_service.record.queries import catalogue
from cds_service.review import Case, facts_of, payers_of, review
from tests.spec.corpus import chart_of, charts, policy_test_charts, rules
from tests.spec.oracle import Oracle
from tests.spec.oracle_chart import SlowChart
from tests.spec.story_strategy import drawn, stories


def fast(case):
    """Return what the service says, by coverage, in the form of the slow evaluator."""
    found = {}
    for one in review(case, rules()):
        amount = one.approvable_now
        found[one.coverage] = {
            "determination": one.determination,
            "criteria": once((c.id, c.status.value) for c in one.criteria),
            "missing": {(m.id, m.blocking) for m in one.missing if m.id != "G-16"},
            "safety": {(s.id, s.urgency, s.effect) for s in one.safety},
            "approvableNow": (amount.value, amount.unit) if amount else None,
            "priorAuth": one.prior_auth,
        }
    return found


def once(criteria):
    """Return criteria with their statuses; none is listed twice."""
    listed = list(criteria)
    assert len({name for name, _ in listed}) == len(listed)
    return set(listed)


def ours(resource, patient):
    """Whether a resource is about this patient, or about nobody."""
    about = [resource[name] for name in ("subject", "patient", "beneficiary") if name in resource]
    return all(one["reference"] == f"Patient/{patient}" for one in about)


def slow(case, resources, holes):
    """Return what the slow evaluator says of each coverage that leads to a policy."""
    facts = facts_of(case, rules())
    resources = [one for one in resources if ours(one, case.record.patient_id)]
    group, found = OrderGroup.of(facts), {}
    for payer in payers_of(case, group, rules()):
        policy = payer.policy
        if policy is None or not payer.in_force:
            continue
        covered = group.under(payer.coverage.reference).of_codes(policy.codes)
        if not covered.orders:
            continue
        data = default_library().sources[policy.head.id, policy.head.version].data
        chart = SlowChart(resources, [o.resource for o in covered.orders], case.day, {}, holes)
        chart.drafts, chart.coverage = list(case.orders), payer.coverage
        chart.insurance = chart.resolve({"reference": payer.coverage.reference})
        numbers = policy.numbers
        chart.context = Context(facts, covered, payer.coverage, numbers, case.acknowledged)
        found[payer.coverage.reference] = Oracle(data, chart, case.acknowledged).verdict()
    return found


def case_of(chart, holes=()):
    record = chart.record
    unread = {key: (Hole(key, key, "timeout"),) for key in holes}
    record = replace(record, holes={**record.holes, **unread})
    return Case(chart.orders, record, chart.day, chart.acknowledged)


def apart(one, other):
    """Return what two values differ in."""
    return sorted(one ^ other, key=str) if isinstance(one, set) else (one, other)


def differences(case, resources, holes=()):
    """Return (coverage, part, what differs): the service first, the slow evaluator second."""
    quick, careful = fast(case), slow(case, resources, {*holes, *case.record.holes})
    return [
        (coverage, part, apart(quick[coverage][part], said))
        for coverage, verdict in careful.items()
        for part, said in verdict.items()
        if quick[coverage][part] != said
    ]


CHARTS = {**charts(), **policy_test_charts()}


@pytest.mark.parametrize("name", CHARTS)
def test_stories(name):
    chart = CHARTS[name]
    assert differences(case_of(chart), chart.resources) == []


# Stories that nobody wrote.

POLICIES = default_library().ids()
KEYS = sorted(set(catalogue().queries) - {"patient", "coverage"})


@pytest.mark.parametrize("policy", POLICIES)
@drawn(share=1)
@given(data=st.data())
def test_drawn_stories(policy, data):
    chart = chart_of("drawn", data.draw(stories(policy)))
    assert differences(case_of(chart), chart.resources) == []


@pytest.mark.parametrize("policy", POLICIES)
@drawn(share=4)
@given(data=st.data())
def test_drawn_stories_with_holes(policy, data):
    chart = chart_of("drawn", data.draw(stories(policy)))
    holes = data.draw(st.sets(st.sampled_from(KEYS), min_size=1, max_size=2))
    lost = {catalogue().queries[key].resource_type for key in holes if data.draw(st.booleans())}
    left = [one for one in chart.resources if one["resourceType"] not in lost]
    chart = chart.with_(resources=tuple(left))
    assert differences(case_of(chart, holes), chart.resources, holes) == []
