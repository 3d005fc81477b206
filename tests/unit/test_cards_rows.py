"""Which criteria a card shows, and how their evidence reads."""

import orjson
from msgspec.structs import replace

from cards.rows import rows_of, strongest, worded
from cards.tree import Tree, Way
from cds_service.evaluation import CriterionResult
from cds_service.evidence.answer import Finding, Status
from cds_service.hooks.request import parse_request
from cds_service.services import explain
from fhir_fixtures.generate import scenarios
from tests.unit.cards_examples import CHRONIC_PAIN, criterion, evaluation, item

VISITS = [
    Finding(f"Procedure/v{n}", f"2026-02-{n:02}", "97124", "Massage visit") for n in range(1, 6)
]
ODI = Finding("Observation/odi", "2026-03-15", "18 % (baseline 40 % on 2026-02-22)", "ODI")


def group(identity, status, operator, *members):
    return CriterionResult(
        identity, Status(status), f"Group {identity}", "S2 L1", operator=operator, members=members
    )


def rows(*criteria, **more):
    return rows_of(Tree(criteria).deciding, evaluation(criteria=criteria, **more))


def told(finding):
    [row] = rows(criterion("A", "met", "A", finding))
    [shown] = row.evidence
    return shown.text, shown.value, shown.date


class TestEvidence:
    def test_many_of_a_kind_are_a_number(self):
        [row] = rows(criterion("A", "not-met", "Visits", *VISITS))
        [shown] = row.evidence
        assert shown.text == "5 x Massage visit"
        assert shown.value == "97124, 2026-02-01 to 2026-02-05"

    def test_few_of_a_kind_stay_apart(self):
        [row] = rows(criterion("A", "not-met", "Visits", *VISITS[:3]))
        assert len(row.evidence) == 3

    def test_a_fact_is_told_once_and_as_a_change(self):
        plain = replace(ODI, value="18 %")
        [row] = rows(criterion("A", "met", "Function", plain, ODI))
        assert row.evidence == (ODI,)

    def test_a_code_is_a_word_and_a_usual_status_is_none(self):
        visit = Finding("Encounter/e", "2026-03-01", "finished", "office-visit")
        assert told(visit) == ("Office visit", None, "2026-03-01")

    def test_units_as_people_write_them(self):
        fever = Finding("Observation/t", "2026-03-16", "38.7 Cel", "Body temperature")
        assert told(fever)[1] == "38.7 °C"

    def test_dates_that_say_nothing_are_left_out(self):
        assert told(Finding("Coverage/c", "2025-01-01", "One Care", "Plan"))[2] is None
        own = Finding("ServiceRequest/sr-1", "2026-03-16", "6 visits", "Ordered")
        assert told(own)[2] is None
        other = replace(own, reference="ServiceRequest/other")
        assert told(other)[2] == "2026-03-16"
        goal = Finding("Goal/g", "2026-03-16", "due 2026-05-11", "Goal")
        assert told(goal)[2] is None
        assert told(replace(goal, value=None))[2] == "2026-03-16"


class TestRows:
    def test_what_only_repeats_other_criteria_is_left_out(self):
        unmet = criterion("E2", "not-met", "Diagnosis", CHRONIC_PAIN)
        echo = criterion("X1", "not-met", "Experimental", CHRONIC_PAIN, derived=True)
        assert [row.id for row in rows(unmet, echo)] == ["E2"]
        assert [row.id for row in rows(echo)] == ["X1"]

    def test_criteria_that_say_the_same_are_one_line(self):
        both = [
            criterion(name, "not-met", f"Text {name}", ODI, because="No better")
            for name in ("C2", "C3")
        ]
        [row] = rows(*both)
        assert (row.id, row.text) == ("C2, C3", "Text C2; Text C3")

    def test_an_open_question_beside_the_result_is_left_out(self):
        open_one = criterion("B4", "unknown", "Plan maximum", because="Unknown", aside=True)
        assert rows(open_one) == []

    def test_an_unknown_that_shows_nothing_is_said_by_the_items(self):
        silent = criterion("M2", "unknown", "No massage therapist")
        assert rows(silent, missing=(item("D9", "Physical therapist"),)) == []
        assert [row.id for row in rows(silent)] == ["M2"]

    def test_the_strongest_are_changes_and_diagnoses(self):
        plan = Finding("Coverage/c", None, "One Care", "Plan")
        goal = Finding("Goal/g", None, "due 2026-05-11", "Goal")
        met = rows(
            criterion("E1", "met", "Member", plan),
            criterion("D1", "met", "Goals", goal),
            criterion("X", "met", "Not for wellness", CHRONIC_PAIN),
            criterion("E2", "met", "Diagnosis", CHRONIC_PAIN),
            criterion("P", "met", "Progress", ODI),
        )
        assert [row.id for row in strongest(met, [], 2)] == ["E2", "P"]
        assert [row.id for row in strongest(met[:1], [], 2)] == ["E1"]


class TestTree:
    def test_a_choice_of_which_nothing_holds_is_told_as_a_whole(self):
        tree = Tree(
            (
                group("G", "not-met", "any", "A", "B"),
                criterion("A", "not-met", "Back pain", CHRONIC_PAIN),
                criterion("B", "not-met", "Neck pain", would_change=("A listed diagnosis",)),
            )
        )
        [told] = tree.deciding
        assert (told.id, told.evidence) == ("G", (CHRONIC_PAIN,))
        assert told.would_change == ("A listed diagnosis",)
        assert tree.other_ways == ()

    def test_alternatives_that_each_ask_for_something(self):
        criteria = (
            group("G", "unknown", "any", "A", "B"),
            criterion("A", "unknown", "A note", asks=("D1",)),
            criterion("B", "unknown", "A measure", asks=("D2",)),
        )
        assert Tree(criteria).ways(["D1", "D2"]) == [Way(("D1",), True), Way(("D2",), True)]
        assert Tree(criteria).ways(["D1"]) == []
        assert Tree(criteria).ways(["D1", "D2", "D3"]) == []

    def test_ways_that_ask_for_several_things_or_leave_something_open(self):
        criteria = (
            group("G", "unknown", "any", "A", "B"),
            group("A", "unknown", "all", "A1", "A2", "A3"),
            criterion("A1", "unknown", "A note", asks=("D1",)),
            criterion("A2", "unknown", "A goal", asks=("D2",)),
            criterion("A3", "unknown", "A benefit"),
            criterion("B", "unknown", "A measure", asks=("D3",)),
        )
        ways = Tree(criteria).ways(["D1", "D2", "D3"])
        assert ways == [Way(("D3",), True), Way(("D1", "D2"), False)]

    def test_members_shared_by_two_groups_count_in_both(self):
        criteria = (
            group("ROOT", "not-met", "all", "P", "Q"),
            group("P", "not-applicable", "all", "S"),
            group("Q", "not-met", "all", "S"),
            replace(criterion("S", "not-met", "Shared"), parent="P"),
        )
        assert [one.id for one in Tree(criteria).deciding] == ["S"]


def evaluation_of(name):
    built = next(built for _, built in scenarios() if built.name == name)
    [found] = explain(parse_request(orjson.dumps(built.request)), built.record)
    return {one.id: one for one in found.criteria}


def test_what_only_triggers_a_question_is_no_evidence_of_it():
    criteria = evaluation_of("cca-missing-promis")
    assert criteria["CCA-D2"].status is Status.UNKNOWN
    assert criteria["CCA-D2"].evidence == ()


def test_a_diagnosis_given_twice_is_one_fact_and_names_the_condition():
    evidence = evaluation_of("cca-first-session")["CCA-D1a"].evidence
    [found] = evidence
    assert found.reference.startswith("Condition/")


def test_a_diagnosis_without_a_name_says_its_code_once():
    nameless = Finding("Condition/c", "2026-03-06", "R51.9", "R51.9")
    told = worded(nameless)
    assert (told.text, told.value, told.date) == ("R51.9", None, "2026-03-06")
    named = Finding("Condition/c", "2026-03-06", "R51.9", "Headache")
    assert worded(named) == named
