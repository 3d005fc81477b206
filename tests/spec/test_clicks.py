"""A click that changes the order brings it nearer to being supported: it is signed again."""

import pytest

from cards import CardRequest, render
from cds_service.policy_tests.stories import read_tests, shipped_tests
from cds_service.record.reader import record_of_bundle
from cds_service.review import Case, review
from cds_service.services import rules_of
from cds_service.settings import load_settings
from fhir_fixtures.stories import ORDER_DATE, build

STORIES = {(test.policy, test.title): test.story for test in read_tests(shipped_tests())}


@pytest.fixture(scope="module")
def rules():
    return rules_of(load_settings({}))


def written(policy, title):
    built = build("clicks", STORIES[policy, title])
    return built, [entry["resource"] for entry in built.request["context"]["draftOrders"]["entry"]]


def signed(orders, built, rules):
    """Return the evaluation of the orders of a story and the coverage card."""
    patient = built.request["context"]["patientId"]
    record = record_of_bundle(patient, built.record)
    [found] = review(Case(orders, record, ORDER_DATE), rules)
    named = {f"ServiceRequest/{one['id']}": one for one in orders}
    asked = CardRequest("h", f"Patient/{patient}", named, record=record, day=ORDER_DATE)
    return found, next(
        card for card in render([found], asked) if card["source"]["topic"]["code"] == "coverage"
    )


@pytest.mark.parametrize(
    ("title", "amount"),
    [
        ("Three times a week for four weeks - twice a week would be eight visits", "8 of 12"),
        ("Twice a week for five weeks is too long - eight visits twice weekly and one more fit",
         "9 of 10"),
    ],
)  # fmt: skip
def test_too_many_visits_a_week_are_spread(rules, title, amount):
    built, orders = written("cca-mng-084", title)
    _, card = signed(orders, built, rules)
    assert card["summary"] == (
        f"Massage: CCA supports at most {amount} visits now - Order the visits once a week"
    )
    changes = [made for made in card["suggestions"] if made["actions"][0]["type"] == "update"]
    assert [made["label"] for made in changes] == ["Change to once a week"]
    changed = [step["resource"] for made in changes for step in made["actions"]]
    again, _ = signed(changed, built, rules)
    assert (again.determination, again.approvable_now) == ("covered", None)


@pytest.mark.parametrize(
    ("policy", "title"),
    [
        ("vha-cdi-00036", "C3.2 better once"),
        ("kpwa-massage", "Day 29 of care and no repeat measure"),
    ],
)
def test_what_is_measured_again_is_the_instrument_of_the_start(rules, policy, title):
    """Another instrument has no baseline: its score would leave the question as open as before."""
    built, orders = written(policy, title)
    _, card = signed(orders, built, rules)
    labels = [made["label"] for made in card["suggestions"]]
    assert "Task - repeat the measure" in labels
    assert not [label for label in labels if label.startswith("Order ")]
