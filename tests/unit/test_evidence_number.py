"""Comparisons of quantities, exact, bounded, with holes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from cds_service.evidence.context import LEAVES
from cds_service.evidence.quantities import QUANTITIES, Quantity, QuantityKind
from cds_service.record.model import Hole
from tests.unit.evidence_facts import ask, context_of

HOLE = (Hole("procedures", "Procedure?", "timeout"),)


@pytest.fixture(autouse=True)
def _quantities(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "test.twelve": Quantity(Fraction(12)),
        "test.third": Quantity(Fraction(1, 3)),
        "test.none": Quantity(None),
        "test.at-least-twelve": Quantity(Fraction(12), (), HOLE),
        "test.six-to-twelve": Quantity(None, (), (), Fraction(6), Fraction(12)),
        "test.hole": Quantity(None, (), HOLE),
    }
    for name, value in given.items():
        kind = QuantityKind(name, lambda _context, value=value: value, ("procedures",))
        monkeypatch.setitem(QUANTITIES, name, kind)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"of": "test.twelve", "at-most": 12}, "met"),
        ({"of": "test.twelve", "below": 12}, "not-met"),
        ({"of": "test.twelve", "above": 11.5}, "met"),
        ({"of": "test.twelve", "at-least": 13}, "not-met"),
        ({"of": "test.twelve", "equals": 12}, "met"),
        ({"of": "test.third", "plus": ["test.third", "test.third"], "equals": 1}, "met"),
        ({"of": "test.twelve", "minus": [12], "equals": 0}, "met"),
        ({"of": "test.twelve", "plus": "test.twelve", "at-most": 24}, "met"),
        ({"of": "test.twelve", "at-most": "test.six-to-twelve"}, "unknown"),
        ({"of": "test.none", "at-most": 12}, "unknown"),
        ({"of": "test.twelve", "plus": ["test.none"], "above": 3}, "unknown"),
        ({"of": "test.at-least-twelve", "at-most": 12}, "unknown"),
        ({"of": "test.at-least-twelve", "at-most": 11}, "not-met"),
        ({"of": "test.at-least-twelve", "at-least": 12}, "met"),
        ({"of": "test.at-least-twelve", "equals": 0}, "not-met"),
        ({"of": "test.at-least-twelve", "equals": 12}, "unknown"),
        ({"of": 20, "minus": "test.at-least-twelve", "at-most": 8}, "met"),
        ({"of": "test.six-to-twelve", "at-most": 12}, "met"),
        ({"of": "test.six-to-twelve", "at-most": 11}, "unknown"),
        ({"of": "test.six-to-twelve", "above": 12}, "not-met"),
        ({"of": "test.six-to-twelve", "equals": 9}, "unknown"),
        ({"of": "test.hole", "at-least": 1}, "unknown"),
    ],
)
def test_number(spec: dict[str, Any], expected: str) -> None:
    assert ask("number", spec, context_of()).status == expected


def test_the_hole_is_named() -> None:
    answer = ask("number", {"of": "test.at-least-twelve", "at-most": 12}, context_of())
    assert answer.holes == HOLE


def test_keys_are_those_of_the_quantities() -> None:
    spec = {"of": "test.twelve", "plus": ["order.visits", "patient.age"], "at-most": 3}
    assert LEAVES["number"].keys(spec) == ("procedures", "patient")


@pytest.mark.parametrize(
    ("born", "age", "at_least_65"),
    [
        ("1961-03-16", 65, "met"),
        ("1961-03-17", 64, "not-met"),
        ("1960-02-29", 66, "met"),
        ("1961", None, "unknown"),
        ("1961-03", None, "unknown"),
        ("1961-02", 65, "met"),
        ("1950", None, "met"),
        ("1990", None, "not-met"),
        ("2030-01-01", None, "unknown"),
        (None, None, "unknown"),
        (1961, None, "unknown"),
    ],
)
def test_age(born: Any, age: int | None, at_least_65: str) -> None:
    context = context_of({"resourceType": "Patient", "id": "p1", "birthDate": born})
    assert QUANTITIES["patient.age"](context).value == age
    assert ask("number", {"of": "patient.age", "at-least": 65}, context).status == at_least_65


def test_age_of_a_patient_that_was_not_read() -> None:
    answer = ask("number", {"of": "patient.age", "at-least": 65}, context_of(holes=("patient",)))
    assert answer.status == "unknown"
    assert [hole.key for hole in answer.holes] == ["patient"]
