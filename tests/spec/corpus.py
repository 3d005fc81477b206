"""Every story we have, reviewed without HTTP: worked cases, the demo's patients, policy tests."""

import os
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from cds_service.policies.library import default_library
from cds_service.policy_tests.stories import read_tests, shipped_tests
from cds_service.record.reader import record_of_bundle
from cds_service.review import Case, review
from cds_service.services import rules_of
from cds_service.settings import load_settings
from fhir_fixtures.stories import ORDER_DATE, build, read_story

SOME = 200
EXAMPLES = int(os.environ.get("MASSAGE_CDS_EXAMPLES", SOME))
ONE_OF = 20
HERE = Path(__file__).parent
DEMO = HERE.parents[1] / "fhir_fixtures" / "stories"


@dataclass(frozen=True)
class Chart:
    """A record as a list of resources, the orders about to be signed, and their day."""

    name: str
    patient: str
    resources: tuple
    orders: tuple
    day: object = ORDER_DATE
    acknowledged: dict = field(default_factory=dict)

    def with_(self, **changes):
        return replace(self, **changes)

    @property
    def record(self):
        return record_of_bundle(self.patient, list(self.resources))


def chart_of(name, story):
    built = build(name, story)
    context = built.request["context"]
    return Chart(
        name,
        context["patientId"],
        tuple(entry["resource"] for entry in built.record["entry"]),
        tuple(entry["resource"] for entry in context["draftOrders"]["entry"]),
        acknowledged=dict.fromkeys(story.get("acknowledged", ()), ORDER_DATE),
    )


@cache
def rules():
    return rules_of(load_settings({}))


def evaluations(chart, record=None):
    """Return the evaluations of a chart as JSON, by coverage and policy."""
    record = record or chart.record
    case = Case(chart.orders, record, chart.day, chart.acknowledged)
    found = [one.as_json() for one in review(case, rules())]
    return {(one["coverage"], one["policy"]): one for one in found}


def outcome(found):
    """Return what an evaluation comes to, whatever order its parts are in."""
    return {
        "determination": found["determination"],
        "criteria": {c["id"]: c["status"] for c in found["criteria"]},
        "missing": {m["id"]: m["blocking"] for m in found["missing"]},
        "safety": {s["id"]: (s["urgency"], s["effect"]) for s in found["safety"]},
        "priorAuth": found["priorAuth"],
        "approvableNow": found["approvableNow"],
    }


def outcomes(chart, record=None):
    return {key: outcome(found) for key, found in evaluations(chart, record).items()}


@cache
def charts():
    """Return the worked cases whose policy is there and the demo's patients, by name."""
    held = {*default_library().ids(), None}
    stories = {p.stem: read_story(p) for p in sorted((HERE / "cases").glob("*.yaml"))}
    stories |= {f"demo-{p.stem}": read_story(p) for p in sorted(DEMO.glob("*.yaml"))}
    kept = {name: story for name, story in stories.items() if story.get("policy") in held}
    return {name: chart_of(name, story) for name, story in kept.items()}


@cache
def policy_test_charts():
    """Return the stories that stand beside the policies, by name: some of them, or all in CI."""
    tests = read_tests(shipped_tests())[:: 1 if EXAMPLES > SOME else ONE_OF]
    found = {f"{test.policy}: {test.title}": chart_of("story", test.story) for test in tests}
    return {name: chart.with_(name=name) for name, chart in found.items()}
