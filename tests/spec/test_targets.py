"""A target is drawn where its criterion turns: met at the band's edge, not met a point short."""

from datetime import date, timedelta
from functools import cache

import pytest

from cds_service.course import courses
from cds_service.record.reader import record_of_bundle
from cds_service.review import Case, review
from cds_service.services import rules_of
from cds_service.settings import load_settings
from fhir_fixtures.stories import ORDER_DATE, build

COVERAGE = {
    "evicore-massage-2017": "CASCADIA-PPO",
    "ash-cpg-167": "HARBORLIGHT-HMO",
    "cca-mng-084": "CCA-ONE-CARE",
    "kpwa-massage": "KFHPWA-CORE",
    "vha-cdi-00036": "VA-COMMUNITY-CARE",
}
MEASURES = {"nprs": "nprs", "pain-days-per-week": "pain-days", "odi": "odi"}
BASE = {"nprs": 8, "pain-days-per-week": 4, "odi": 40}
LASTING = "vha-cdi-00036"
"""Asks for the gain twice, some days apart."""
LAST_DAY = 70


@cache
def rules():
    return rules_of(load_settings({}))


def targets():
    library = rules().library
    for name in library.ids():
        yield from ((name, target) for target in library.versions[name][0].targets)


def days(target):
    """Return days of the episode that a target speaks of: its first and its last, or a late one."""
    last = target.before - 1 if target.before else LAST_DAY
    return sorted({int(target.first or LAST_DAY), int(last)})


def durable():
    return int(rules().library.versions[LASTING][0].numbers["durable-days"])


def story(policy, day, scores):
    """A course of care on some day, with scores before its first visit and now."""
    measured = [{"day": -day - 1, **said(BASE)}, {"day": 0, **said(scores)}]
    if policy == LASTING:
        measured.append({"day": -durable(), **said(scores)})
    return {
        "title": "A course",
        "shows": "Scores over time.",
        "policy": policy,
        "patient": {"name": "Ann Ash", "age": 50, "sex": "female"},
        "coverage": [COVERAGE[policy]],
        "orders": [
            {
                "code": "97124",
                "units": 4,
                "visits": 2,
                "weekly": 1,
                "site": "lumbar",
                "reason": "M54.50",
                "by": "massage therapist",
            },
        ],
        "conditions": [{"code": "M54.50 Low back pain", "since": -200}],
        "measures": measured,
        "visits": list(range(-day, 0, 7)),
    }


def said(scores):
    return {MEASURES[name]: value for name, value in scores.items()}


def case(policy, day, scores):
    made = build("course", story(policy, day, scores))
    context = made.request["context"]
    drafts = [entry["resource"] for entry in context["draftOrders"]["entry"]]
    return Case(drafts, record_of_bundle(context["patientId"], made.record), ORDER_DATE)


def status(rule, asked):
    [made] = review(asked, rules())
    return next(item.status.value for item in made.criteria if item.id == rule)


def edges(policy, target, day):
    """Return where the band of that day begins, by measure, as the picture has it."""
    [course] = courses(case(policy, day, BASE), rules())
    assert course.anchor == ORDER_DATE - timedelta(days=day)
    return {
        line.measure.id: float(band.edge)
        for line in course.lines
        for band in line.bands
        if band.rule == target.rule and band.first <= ORDER_DATE <= (band.last or date.max)
    }


@pytest.mark.parametrize(
    ("policy", "target", "day"),
    [(policy, target, day) for policy, target in targets() for day in days(target)],
    ids=lambda value: getattr(value, "rule", value),
)
def test_criterion_turns_at_the_edge_of_the_band(policy, target, day):
    found = edges(policy, target, day)
    assert found
    gain = 1 if target.size == "any" else 0
    reached = {name: value - gain for name, value in found.items()}
    short = {name: value + 1 - gain for name, value in found.items()}
    assert status(target.rule, case(policy, day, BASE | reached)) == "met"
    assert status(target.rule, case(policy, day, BASE | short)) != "met"


@pytest.mark.parametrize(("policy", "target"), list(targets()))
def test_band_is_not_drawn_on_other_days(policy, target):
    if target.first:
        assert edges(policy, target, int(target.first) - 1) == {}
    if target.before:
        assert edges(policy, target, int(target.before)) == {}
