"""The card where no policy decides, each for its own reason."""

import pytest
from msgspec.structs import replace

from cards import render
from cds_service.card_page import cards_for
from cds_service.record.model import Hole
from cds_service.services import rules_of
from cds_service.settings import load_settings
from fhir_fixtures.stories import build, read_story
from tests.conftest import CASES
from tests.unit.cards_examples import CHRONIC_PAIN, criterion, evaluation, item, request

LAPSED = {"start": "2024-01-01", "end": "2025-12-31"}


@pytest.fixture(scope="module")
def rules():
    return rules_of(load_settings({}))


@pytest.fixture
def case():
    built = build("cca-01", read_story(CASES / "cca-01.yaml"))
    orders = [entry["resource"] for entry in built.request["context"]["draftOrders"]["entry"]]
    coverage = next(r for r in resources(built.record) if r["resourceType"] == "Coverage")
    return built, orders[0], coverage


def resources(bundle):
    return [entry["resource"] for entry in bundle["entry"]]


def test_no_coverage_on_file(case, rules):
    built, order, coverage = case
    order.pop("insurance", None)
    built.record["entry"] = [e for e in built.record["entry"] if e["resource"] is not coverage]
    [card] = cards_for(built.request, built.record, rules)
    assert card["indicator"] == "warning"
    assert card["summary"] == (
        "Massage: no active coverage on file, so no policy was applied - add or verify coverage"
    )
    assert "safety rules were still checked" in card["detail"]
    assert [one["label"] for one in card["suggestions"]] == ["Task - verify coverage"]


def test_a_coverage_that_has_lapsed(case, rules):
    built, order, coverage = case
    coverage["period"] = LAPSED
    order["insurance"] = [{"reference": f"Coverage/{coverage['id']}"}]
    [card] = cards_for(built.request, built.record, rules)
    assert card["summary"] == (
        "Massage: CCA coverage is not in force on 2026-03-16 - verify the coverage"
    )
    assert "(this one: from 2024-01-01 to 2025-12-31) (G-16)" in card["detail"]
    assert "appear met" not in card["summary"] + card["detail"]
    assert card["suggestions"][0]["label"] == "Task - verify coverage"


def test_a_coverage_that_nobody_can_read(case, rules):
    built, order, _ = case
    order["insurance"] = [{"reference": "Coverage/elsewhere"}]
    [card] = cards_for(built.request, built.record, rules)
    assert card["summary"].startswith("Massage: the coverage could not be read, so no policy was")
    assert card["indicator"] == "warning"
    assert [one["label"] for one in card["suggestions"]] == ["Task - verify coverage"]


def test_a_coverage_that_was_not_answered_for_is_an_open_question():
    found = evaluation(
        policy=None, coverage=None, determination="conditional", gap="unread-coverage", missing=()
    )
    [card] = render([found], request())
    assert card["indicator"] == "warning"


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        ("unrouted", "Massage: no policy was applied for Acme Health - check coverage with"),
        ("not-in-force", "Massage: no policy version of Acme Health is in force on the order's"),
        ("code-not-listed", "Massage: the policy of Acme Health does not list this code - check"),
    ],
)
def test_no_policy_for_other_reasons(gap, words):
    head = {} if gap == "code-not-listed" else {"policy": None}
    found = evaluation(determination="not-applicable", payer="Acme Health", gap=gap, **head)
    [card] = render([found], request())
    assert card["indicator"] == "info"
    assert card["summary"].startswith(words)
    assert "Whether massage is covered is unknown" in card["detail"]


def test_several_payers_without_a_policy_are_one_card():
    found = [
        evaluation(policy=None, determination="not-applicable", payer=name, gap="unrouted")
        for name in ("Acme Health", "Other Health")
    ]
    [card] = render(found, request())
    assert "Acme Health, Other Health" in card["summary"]


def test_a_coverage_that_was_cancelled_says_so(case, rules):
    built, order, coverage = case
    coverage["status"] = "cancelled"
    coverage["period"] = {"start": "2025-01-01", "end": "2026-12-31"}
    order["insurance"] = [{"reference": f"Coverage/{coverage['id']}"}]
    [card] = cards_for(built.request, built.record, rules)
    assert card["summary"].startswith("Massage: CCA coverage is not in force on 2026-03-16")
    assert "(this one: cancelled, from 2025-01-01 to 2026-12-31)" in card["detail"]


NOT_TOLD = "the coverage does not tell who pays, so no policy was applied - verify the coverage"
NOT_READ = "the payer could not be read, so no policy was applied - sign again, or verify coverage"


@pytest.mark.parametrize(
    ("payor", "words"),
    [([], NOT_TOLD), ([{"reference": "Organization/elsewhere"}], NOT_READ)],
)
def test_a_payer_that_nobody_can_read_is_no_payer_without_a_policy(case, rules, payor, words):
    built, _, coverage = case
    coverage["payor"] = payor
    [card] = cards_for(built.request, built.record, rules)
    assert card["indicator"] == "warning"
    assert card["summary"] == f"Massage: {words}"
    assert "none is set up here" not in card["detail"]
    assert [one["label"] for one in card["suggestions"]] == ["Task - verify coverage"]


@pytest.mark.parametrize(
    ("reason", "words"),
    [("http-404", NOT_TOLD), ("http-500", NOT_READ), ("timeout", NOT_READ)],
)
def test_a_payer_that_is_not_there_is_none_and_one_behind_a_failure_may_be(reason, words):
    hole = Hole("references", "Organization", reason)
    found = evaluation(policy=None, determination="conditional", gap="no-payer", unread=(hole,))
    [card] = render([found], request())
    assert card["summary"] == f"Massage: {words}"


def test_another_hole_says_nothing_of_the_payer():
    hole = Hole("references", "Practitioner", "timeout")
    found = evaluation(policy=None, determination="conditional", gap="no-payer", unread=(hole,))
    [card] = render([found], request())
    assert card["summary"] == f"Massage: {NOT_TOLD}"


def test_a_payer_that_is_named_and_has_no_policy_is_a_remark(case, rules):
    built, _, coverage = case
    coverage["payor"] = [{"reference": "Organization/elsewhere", "display": "Acme Health"}]
    [card] = cards_for(built.request, built.record, rules)
    assert card["indicator"] == "info"
    assert "none is set up here for this payer" in card["detail"]


def plans_of(*plans):
    return [evaluation(coverage=f"Coverage/c{at}", plan=plan) for at, plan in enumerate(plans)]


@pytest.mark.parametrize(
    ("plans", "named"),
    [
        (["One Care", "CCA Medicare Advantage"], ["One Care", "CCA Medicare Advantage"]),
        (["One Care", "One Care"], ["One Care, coverage 1", "One Care, coverage 2"]),
        (["One Care", None], ["One Care", "coverage 2"]),
    ],
)
def test_coverages_under_one_policy_are_told_apart(plans, named):
    cards = render(plans_of(*plans), request())
    assert [card["summary"].partition(" criteria")[0] for card in cards] == [
        f"Massage: CCA ({name})" for name in named
    ]


def test_one_coverage_needs_no_name():
    [card] = render(plans_of("One Care"), request())
    assert card["summary"].startswith("Massage: CCA criteria")


def branch(identity, operator, *members):
    return replace(criterion(identity, "unknown", identity), operator=operator, members=members)


def asked_in(*members, ways):
    """Return the card where a group is open and each of two branches asks for something."""
    leaves = [criterion(name, "unknown", name, asks=asks) for name, asks in ways.items()]
    names = [name for _, asks in ways.items() for name in asks]
    found = evaluation(
        criteria=(branch("ANY", "any", *members), branch("A", "all", "A1", "A2"), *leaves),
        missing=tuple(item(name, f"Paper {name}") for name in names),
    )
    [card] = render([found], request())
    return card


def test_either_is_enough_where_each_way_takes_one_thing():
    card = asked_in("A1", "B", ways={"A1": ("D1",), "B": ("D2",)})
    assert "either is enough: Paper D1" in card["summary"]
    assert "**Needed** (either is enough)" in card["detail"]


def test_one_of_four_things_is_not_enough_where_three_go_together():
    card = asked_in("A", "B", ways={"A1": ("D1",), "A2": ("D2", "D3"), "B": ("D4",)})
    assert "enough" not in card["summary"]
    assert "one of 2 ways needed, first: Paper D4" in card["summary"]
    assert "- Paper D4\n- Paper D1; Paper D2; Paper D3\n" in card["detail"]
    assert "either is enough" not in card["detail"]


def test_a_way_in_which_something_else_is_open_does_not_claim_to_be_enough():
    card = asked_in("A", "B", ways={"A1": ("D1",), "A2": (), "B": ("D4",)})
    assert "- Paper D4\n- Paper D1; and what is open below\n" in card["detail"]


def test_a_result_that_only_a_limit_keeps_open_says_which():
    limit = criterion("V3", "not-met", "Normally 36 visits", because="37 visits are more than 36.")
    [card] = render([evaluation(criteria=(limit,))], request())
    assert card["summary"] == (
        "Massage: CCA criteria cannot be confirmed yet - 37 visits are more than 36"
    )


def test_a_criterion_is_told_where_its_item_is_mere_advice():
    open_one = criterion("V1", "unknown", "First 12 visits of a year", CHRONIC_PAIN)
    found = evaluation(criteria=(open_one,), missing=(item("V1", "Number of visits", False),))
    [card] = render([found], request())
    assert "First 12 visits of a year: not clear" in card["summary"]
