"""No state of a page breaks a rule of axe-core."""

import pytest

from tests.browser.axe import violations_everywhere
from tests.browser.steps import bring, compare, course, coverage_card, fixture, open_folds, sign
from tests.live import FhirServer, serve

# The list of patients is the same beside every order; the first page holds it.
MAIN = "main"


def test_first_page(walk):
    page = walk()
    assert violations_everywhere(page) == {}
    page.get_by_label("Search patients").fill("nobody of this name")
    assert violations_everywhere(page, ".patients") == {}


def test_refused_upload(walk):
    page = walk()
    page.watch.expected.add(422)
    bring(page, "{")
    page.locator("#upload-problem").wait_for()
    assert violations_everywhere(page, "#bring") == {}


def test_unknown_patient(walk):
    page = walk()
    page.watch.expected.add(404)
    page.goto(f"{page.watch.origin}/?patient=nobody")
    assert violations_everywhere(page, MAIN) == {}


def test_other_servers(walk):
    page = walk()
    page.watch.expected.add(400)
    page.goto(f"{page.watch.origin}/?server=http://127.0.0.1:1/fhir")
    page.locator("#server-problem").wait_for()
    assert violations_everywhere(page, MAIN) == {}
    with serve(FhirServer([fixture("kp-complete")]).app) as url:
        page.goto(f"{page.watch.origin}/?server={url}/fhir&find=Bao")
        page.locator("#found-title").wait_for()
        assert violations_everywhere(page, "#bring") == {}


def test_order_of_two_codes(walk):
    page = walk("/?patient=ev-two-codes-patient")
    page.get_by_role("button", name="Add another order").click()
    assert violations_everywhere(page, MAIN) == {}


@pytest.mark.parametrize(
    "patient", ["kp-complete", "cca-missing-promis", "ev-calf-clot", "two-coverages"]
)
def test_answer(walk, patient):
    page = walk(f"/?patient={patient}-patient")
    sign(page)
    assert violations_everywhere(page, "#results") == {}


def test_everything_unfolded(walk):
    page = walk("/?patient=ash-difference-reached-patient")
    sign(page)
    compare(page)
    course(page)
    open_folds(page)
    open_folds(page)  # what a fold holds may come with its opening
    assert violations_everywhere(page, MAIN) == {}


def test_what_the_payer_writes(walk):
    page = walk("/?patient=cca-missing-promis-patient")
    page.get_by_text("Service and route").click()
    page.get_by_label("CDS service").select_option("order-sign-crd")
    sign(page)
    page.get_by_text("Applied.").wait_for()
    open_folds(page)
    assert violations_everywhere(page, "#results") == {}


def test_what_if(walk):
    page = walk("/?patient=cca-missing-promis-patient")
    sign(page)
    page.locator("#why").get_by_role("checkbox").first.check()
    page.get_by_text("Nothing was stored").first.wait_for()
    assert violations_everywhere(page, "#why") == {}


def test_evidence(walk):
    page = walk("/?patient=kp-complete-patient")
    sign(page)
    page.locator("#why .evidence button").first.click()
    page.get_by_role("dialog").wait_for()
    assert violations_everywhere(page, "dialog") == {}


def test_override_and_withdrawal(walk):
    page = walk("/?patient=ev-calf-clot-patient")
    sign(page)
    coverage_card(page).get_by_text("Override: proceed without it").click()
    coverage_card(page).get_by_role("button", name="Clinical judgement").click()
    page.locator(".overridden").wait_for()
    assert violations_everywhere(page, "#cards") == {}
    page.get_by_role("button", name="Withdraw the massage order").click()
    page.get_by_role("heading", name="Nothing left to sign").wait_for()
    assert violations_everywhere(page, MAIN) == {}


@pytest.mark.parametrize(
    "path", ["/policies", "/policies/kpwa-massage", "/policies/kpwa-massage/stories", "/insight"]
)
def test_page(walk, path):
    assert violations_everywhere(walk(path)) == {}
