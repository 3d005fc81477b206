"""What every walk does: pick, sign, read."""

import json
import time
from pathlib import Path

from playwright.sync_api import expect

from fhir_fixtures.fhir import HERE

PICTURES = Path(__file__).with_name("screenshots")
MOST_STEPS = 150
PATIENCE = 20


def fixture(name):
    """Return the Bundle of a patient of the demo."""
    return json.loads((HERE / "patients" / f"{name}.json").read_text(encoding="utf-8"))


def pick(page, name):
    """Choose a patient of the list."""
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def sign(page):
    """Sign the order and wait for its guidance."""
    page.get_by_role("button", name="Sign order").click()
    expect(page.locator("#progress")).to_contain_text("Answered in")


def cards(page):
    """Return the cards, the gravest first."""
    return page.locator("article.card")


def coverage_card(page):
    """Return the card that gives the result of the patient's own policy."""
    return cards(page).filter(has=page.get_by_text("Result:", exact=True)).first


def bring(page, text):
    """Paste a Bundle of one's own and send it."""
    page.get_by_text("Bring your own patient").click()
    page.get_by_label("or paste it").fill(text)
    page.get_by_role("button", name="Take in this patient").click()


def compare(page):
    """Open the comparison of payers; return its table's frame."""
    page.get_by_text("Compare payers", exact=True).click()
    table = page.get_by_role("region", name="Comparison of payers")
    table.wait_for()
    return table


def open_folds(page):
    """Unfold all that the main part holds."""
    page.evaluate("document.querySelectorAll('main details').forEach((one) => { one.open = true })")


def reach(page, name, by="textContent"):
    """Go forward with the Tab key until what has this name has the focus."""
    told = "document.activeElement." + ("labels?.[0]?.textContent" if by == "label" else by)
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        if name in (page.evaluate(told) or ""):
            return
    raise AssertionError(f"{name} is not reached by Tab")


def course(page):
    """Open the scores over time; return their panel."""
    page.get_by_text("Scores over time", exact=True).click()
    panel = page.locator(".courses")
    panel.locator("figure").first.wait_for()
    return panel


def until(true):
    """Ask again until it is true: what is kept is counted a moment later."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it never became true"


def picture(page, name):
    """Keep how the page looks now, whole, for people to look at."""
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
