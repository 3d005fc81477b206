"""The pictures of README.md: the EHR with a card, and why it came out so beside other payers.

`make picture` writes them.
"""

from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.chromium import launched
from tests.browser.demo import running_demo
from tests.browser.steps import compare, sign

FOLDER = Path(__file__).parents[2] / "docs" / "images"
VIEW = {"width": 1440, "height": 900}


def signed(browser, url, patient):
    """Return a page with the patient's order signed."""
    page = browser.new_page(viewport=VIEW)
    page.goto(f"{url}/?patient={patient}")
    sign(page)
    return page


def simulator(browser, url):
    """Return the desk of the EHR, with the card of an order that lacks one thing."""
    page = signed(browser, url, "cca-missing-promis-patient")
    page.evaluate("scrollTo(0, 0)")
    return page.screenshot()


def payers(browser, url):
    """Return the criteria of one policy with the comparison of all."""
    page = signed(browser, url, "kp-complete-patient")
    compare(page)
    return page.locator(".looking").screenshot()


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        running_demo() as address,
        sync_playwright() as playwright,
        launched(playwright) as browser,
    ):
        (FOLDER / "simulator.png").write_bytes(simulator(browser, address))
        (FOLDER / "payers.png").write_bytes(payers(browser, address))
