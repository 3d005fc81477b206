"""A record that would act if the page let it: shown as words, nothing runs, nobody is called."""

import copy
import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.attacks.markup import EVIL, spoilt
from tests.browser.conftest import DESK, PATIENCE_MS, new_page
from tests.live import http

FIXTURES = Path(__file__).parents[2] / "fhir_fixtures" / "patients"
FHIR = {"Content-Type": "application/fhir+json"}
ACTIVE = (
    "img[src='x']",
    "img[src*='evil']",
    "svg[onload]",
    "iframe",
    "a[href*='evil']",
    "a[href^='javascript']",
    "a[href^='data']",
    "script:not([src]):not([type='application/json']):not([type='importmap'])",
)


@pytest.fixture
def spoil(demo):
    """Overwrite the texts of a patient's resources in the running demo; all is reset after."""

    def change(name, first):
        record = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
        whole = spoilt({"prefetch": copy.deepcopy(record)}, first)["prefetch"]
        for resource in (entry["resource"] for entry in whole["entry"]):
            address = f"{demo}/fhir/{resource['resourceType']}/{resource['id']}"
            http().put(address, json=resource, headers=FHIR, timeout=20).raise_for_status()
        kinds = (entry["resource"] for entry in record["entry"])
        return next(one["id"] for one in kinds if one["resourceType"] == "Patient")

    yield change
    http().post(f"{demo}/reset", timeout=PATIENCE_MS / 1000)


@pytest.mark.requirement(39)
@pytest.mark.parametrize("first", range(0, len(EVIL), 10))
@pytest.mark.parametrize("name", ["cca-full-course", "two-coverages"])
def test_what_a_record_says_does_not_run(chromium, demo, spoil, name, first):
    context = chromium.new_context(viewport=DESK)
    page = new_page(context, demo, f"/?patient={spoil(name, first)}")
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.get_by_role("button", name="Sign order").click()
    expect(page.locator("#progress")).to_contain_text("Answered in")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.locator("article.card").count() >= 1
    shown = page.inner_text("main")
    assert any(" ".join(text.split()) in shown for text in EVIL), "it is told as words"
    assert page.evaluate("window.pwned") is None
    assert {one: page.locator(one).count() for one in ACTIVE} == dict.fromkeys(ACTIVE, 0)
    assert (dialogs, page.watch.strays, page.watch.complaints) == ([], [], [])
    context.close()
