"""Decisions by rows: the first that is met decides, unless one before it could have."""

from fractions import Fraction

import pytest

from cds_service.evidence.quantities import Quantity
from cds_service.policies.criteria import Decision, Group, Guarded, Outcome
from tests.unit.engine_parts import (
    HOLE,
    MET,
    NA,
    NOT_MET,
    NOWHERE,
    UNKNOWN,
    no_other,
    row,
    says,
)


def decide(*rows, unsure=()):
    return Decision(rows, unsure)(NOWHERE, no_other)


def limit(value, holes=()):
    amount = None if value is None else Fraction(value)
    return ("visits", lambda _context: Quantity(amount, (), holes))


def test_the_first_row_that_is_met_decides():
    made = decide(
        row(says(NOT_MET), NOT_MET, because="never"),
        row(says(MET, "A/1"), MET, because="this"),
        row(None, UNKNOWN, asks=("D1",)),
    )
    assert (made.status, made.because, made.asks) == (MET, "this", ())
    assert [f.reference for f in made.findings] == ["A/1"]


def test_nothing_met_is_the_else_row():
    made = decide(row(says(NOT_MET), MET), row(None, UNKNOWN, asks=("D1",)))
    assert (made.status, made.asks) == (UNKNOWN, ("D1",))


def test_what_is_decided_by_default_cites_what_was_looked_at():
    made = decide(row(says(NOT_MET, "A/1"), NOT_MET), row(None, MET))
    assert (made.status, [f.reference for f in made.findings]) == (MET, ["A/1"])


def test_an_open_row_that_would_say_the_same_changes_nothing():
    made = decide(row(says(UNKNOWN, "A/1"), MET), row(says(MET, "B/1"), MET), row(None, UNKNOWN))
    assert (made.status, made.weight) == (MET, MET)
    assert [f.reference for f in made.findings] == ["A/1", "B/1"]


@pytest.mark.parametrize("later", [NOT_MET, NA])
def test_an_open_row_that_would_say_otherwise_leaves_it_unknown(later):
    made = decide(row(says(UNKNOWN, "A/1"), MET), row(None, later, because="the rest"))
    assert (made.status, made.weight, made.because) == (UNKNOWN, UNKNOWN, None)
    assert [f.reference for f in made.findings] == ["A/1"]


def test_a_doubt_asks_for_what_the_else_row_asks():
    made = decide(row(says(UNKNOWN), MET), row(None, UNKNOWN, asks=("D1",)), unsure=("D2",))
    assert made.asks == ("D2", "D1")


def test_a_hole_never_asks_for_a_document():
    made = decide(
        row(says(UNKNOWN, holes=(HOLE,)), MET),
        row(None, UNKNOWN, asks=("D1",), because="nothing found"),
        unsure=("D2",),
    )
    assert (made.status, made.asks, made.because, made.holes) == (UNKNOWN, (), None, (HOLE,))


def test_a_row_after_the_decision_is_not_asked():
    def fails(_context):
        raise AssertionError("asked")

    assert decide(row(says(MET), MET), row(fails, NOT_MET), row(None, UNKNOWN)).status is MET


def test_a_limit_with_a_part_that_fits_is_conditional():
    made = decide(row(says(MET), NOT_MET, supports=limit("7/2")), row(None, MET))
    assert (made.status, made.weight, made.supports) == (NOT_MET, UNKNOWN, ("visits", Fraction(3)))


@pytest.mark.parametrize("amount", [0, -2, "1/2"])
def test_a_limit_without_any_part_that_fits_is_not_met(amount):
    made = decide(row(says(MET), NOT_MET, supports=limit(amount)), row(None, MET))
    assert (made.status, made.weight) == (NOT_MET, NOT_MET)


@pytest.mark.parametrize("supports", [limit(None), limit(5, (HOLE,))])
def test_a_limit_that_cannot_be_counted_stays_open(supports):
    made = decide(row(says(MET), NOT_MET, supports=supports), row(None, MET))
    assert (made.status, made.weight, made.supports) == (NOT_MET, UNKNOWN, None)


def test_a_condition_that_is_not_met_is_at_most_conditional():
    made = decide(row(says(MET), NOT_MET, conditional=True), row(None, MET))
    assert (made.status, made.weight) == (NOT_MET, UNKNOWN)


def test_a_question_aside_does_not_weigh():
    made = decide(row(None, UNKNOWN, aside=True, advises=("D1",)))
    assert (made.status, made.weight, made.advises) == (UNKNOWN, NA, ("D1",))


class TestGuarded:
    def made(self, applies, inner, **more):
        body = Decision((row(None, inner, **more),))
        return Guarded(applies, body)(NOWHERE, no_other)

    def test_not_applying(self):
        assert self.made(says(NOT_MET), NOT_MET, asks=("D1",)).status is NA
        assert self.made(says(NA), NOT_MET).status is NA

    def test_applying(self):
        made = self.made(says(MET), NOT_MET, because="so")
        assert (made.status, made.because) == (NOT_MET, "so")

    def test_perhaps_applying_is_unknown_unless_met_anyway(self):
        assert self.made(says(UNKNOWN), MET).status is MET
        assert self.made(says(UNKNOWN), NOT_MET).status is UNKNOWN

    def test_perhaps_applying_asks_only_without_a_hole(self):
        assert self.made(says(UNKNOWN), UNKNOWN, asks=("D1",)).asks == ("D1",)
        made = self.made(says(UNKNOWN, holes=(HOLE,)), UNKNOWN, asks=("D1",))
        assert (made.asks, made.holes) == ((), (HOLE,))


WEIGHTS = {"a": Outcome(NOT_MET, UNKNOWN), "b": Outcome(MET, MET), "c": Outcome(UNKNOWN, NA)}


class TestGroup:
    @pytest.mark.parametrize(
        ("group", "status"),
        [
            (Group("all", ("a", "b", "c")), UNKNOWN),
            (Group("any", ("a", "b")), MET),
            (Group("all", ("b", "c")), MET),
            (Group("at-least", ("a", "b"), 2), UNKNOWN),
            (Group("all", ("c",)), NA),
        ],
    )
    def test_members_count_by_weight(self, group, status):
        assert group(NOWHERE, WEIGHTS.__getitem__).status is status
