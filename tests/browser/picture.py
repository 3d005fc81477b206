"""The picture of README.md: a coverage card and a critical one, as the demo's page shows them.

`make picture` writes it.
"""

import base64
import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from cds_service.app import create_app
from cds_service.settings import load_settings
from tests.browser.conftest import CHROMIUM, PATIENCE_MS
from tests.live import serve

FILE = Path(__file__).parents[2] / "docs" / "images" / "card.png"
SHOWN = ("cca-missing-promis-patient", "cca-new-clot-patient")
VIEW = {"width": 1280, "height": 900}


def card_of(page, url, patient):
    """Sign the patient's order; return the first card as PNG."""
    page.goto(f"{url}/?patient={patient}")
    page.get_by_role("button", name="Sign order").click()
    expect(page.locator("#progress")).to_contain_text("Answered in", timeout=PATIENCE_MS)
    return page.locator("article.card").first.screenshot()


def beside(page, pictures):
    """Return pictures side by side as one PNG."""
    told = "".join(
        f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}">' for png in pictures
    )
    page.set_content(
        "<style>body{margin:0;background:#fff}main{display:inline-flex;gap:24px;padding:12px;"
        f"align-items:flex-start}}</style><main>{told}</main>"
    )
    return page.locator("main").screenshot()


def take(url):
    """Return the picture as PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport=VIEW)
        pictures = [card_of(page, url, patient) for patient in SHOWN]
        return beside(browser.new_page(viewport=VIEW), pictures)  # free of the page's own policy


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    with serve(create_app(load_settings({}), open_access=True, demo=True)) as address:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(take(address))
