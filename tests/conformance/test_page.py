"""docs/conformance.md is complete, true and fresh."""

import pytest

from tests.conformance.page import PAGE, STATUS, marked, render, requirements

NUMBERS = range(1, 71)


def test_every_requirement_is_listed_once_and_in_order():
    assert [item["number"] for item in requirements()] == [*NUMBERS]


@pytest.mark.parametrize("item", requirements(), ids=lambda item: str(item["number"]))
def test_each_has_a_test_or_a_reason_and_not_both(item):
    tests = marked().get(item["number"], [])
    assert item["level"] in ("SHALL", "SHOULD", "MAY", "design")
    assert item["status"] in STATUS
    if item["status"] == "met":
        assert tests, "mark the test that shows it with @pytest.mark.requirement"
        assert "why" not in item
    else:
        assert item["why"], "say why no test shows it"
        assert not tests, f"{tests[0].node} shows it: say met in requirements.yaml"


def test_no_test_carries_a_number_that_there_is_not():
    assert set(marked()) <= set(NUMBERS)


def test_the_page_is_fresh():
    made = PAGE.read_text(encoding="utf-8")
    assert made == render({}), "run: python -m tests.conformance.page"
