"""docs/crd-conformance.md and docs/crd.md are fresh, and no statement of the guide lacks a row."""

import csv

import pytest

from cds_service.crd import document
from tests.crd import page
from tests.shared import SHARED, needs_shared

LIST = SHARED / "specs" / "crd-requirements-2.2.1.tsv"
ROWS = page.rows()


def test_the_page_is_fresh():
    words = "stale: run python -m tests.crd.page"
    assert page.PAGE.read_text(encoding="utf-8") == page.text(), words


def test_the_table_of_codes_is_fresh():
    words = "stale: run python -m cds_service.crd.document"
    assert document.PAGE.read_text(encoding="utf-8") == document.text(), words


@pytest.mark.parametrize("name", ROWS)
def test_each_row_has_one_state_and_its_tests_are_there(name):
    row = ROWS[name]
    assert sum(state in row for state in page.STATES) == 1
    assert set(row) <= {"must", "gist", "note", *page.STATES}
    assert [one for one in page.tests_of(row) if not page.exists(one)] == []
    assert "met" not in row or row["met"]


def statements():
    with LIST.open(encoding="utf-8", newline="") as file:
        found = [*csv.DictReader(file, delimiter="\t")]
    return {one["id"]: one for one in found if "server" in one["actors"]}


@needs_shared
def test_each_statement_about_servers_has_a_row():
    listed = statements()
    assert len(listed) > 100
    assert set(ROWS) == set(listed)


@needs_shared
def test_each_row_demands_what_the_guide_does():
    wrong = {
        name: (ROWS[name]["must"], one["keyword"])
        for name, one in statements().items()
        if ROWS[name]["must"] != one["keyword"]
    }
    assert wrong == {}


def test_a_test_that_is_not_there_is_found():
    assert page.exists("tests/crd/test_page.py::test_the_page_is_fresh")
    assert not page.exists("tests/crd/test_page.py::test_no_such_thing")
    assert not page.exists("tests/crd/test_none.py")
