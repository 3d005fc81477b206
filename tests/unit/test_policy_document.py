"""docs/policies says what the policy files say."""

import pytest

from cds_service.policies.document import COMMAND, FOLDER, pages

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name):
    path = FOLDER / name
    written = path.read_text(encoding="utf-8") if path.is_file() else ""
    assert written == PAGES[name], f"docs/policies/{name} is stale: run {COMMAND}"


def test_there_is_no_page_too_many():
    assert {path.name for path in FOLDER.glob("*.md")} == PAGES.keys()


def test_a_page_holds_what_its_owner_checks():
    page = PAGES["cca-mng-084.md"]
    for part in (
        "**CCA-V1** First 12 visits of a year (Authorization, S2 L175-176)",
        "| chronic-pain-days | 90 d | configured: a clinician signs it off |",
        "| first-year-visits | 12 visits | S2 L175-176 |",
        "**CCA-S5** Pregnancy",
        "specialist, hold, asks for CCA-D7",
        "| CCA-D2 | PROMIS-29",
        "[`osteoarthritis`](../value-sets.md): Osteoarthritis",
        "| Stories that test it | ",
    ):
        assert part in page
