"""Walks through the real demo: the service, the sandbox FHIR server and the store behind it.

Whatever a page complains of, asks of another origin or asks in vain fails the walk (see conftest).
"""

import json
import re
from statistics import median

import pytest
from playwright.sync_api import expect

from tests.browser.axe import PHONE
from tests.browser.steps import (
    bring,
    cards,
    compare,
    course,
    coverage_card,
    fixture,
    open_folds,
    pick,
    picture,
    reach,
    sign,
    until,
)
from tests.live import FhirServer, http, serve

READY_MS = 1000
TRIES = 5


def held(demo, kind, patient):
    """Return a patient's resources of a type as the sandbox FHIR server has them now."""
    answer = http().get(f"{demo}/fhir/{kind}?patient={patient}&_count=200", timeout=10)
    return [entry["resource"] for entry in answer.json().get("entry", [])]


def test_pick_sign_read_accept_until_met(walk, demo):
    page = walk()
    pick(page, "Lila Moreau")
    sign(page)
    expect(coverage_card(page)).to_contain_text("otherwise appear met")
    page.get_by_role("button", name="Consult OB/GYN").click()
    expect(page.locator("#progress")).to_contain_text("Done: Consult OB/GYN")
    referrals = held(demo, "ServiceRequest", "cca-pregnant-patient")
    assert any(order["intent"] == "order" for order in referrals)


def test_a_smaller_order_turns_the_card_to_met(walk):
    page = walk("/?patient=ev-long-visit-patient")
    sign(page)
    expect(coverage_card(page)).to_contain_text("at most 4")
    picture(page, "dose")
    page.get_by_role("button", name="Reduce to 4 units a visit").click()
    expect(coverage_card(page)).to_contain_text("criteria appear met")
    expect(coverage_card(page)).to_have_class(re.compile("info"))
    picture(page, "met-after-suggestion")


def test_an_emergency_comes_first_and_withdraws_the_order(walk, demo):
    page = walk("/?patient=ev-calf-clot-patient")
    sign(page)
    first = cards(page).first
    expect(first).to_have_class(re.compile("critical"))
    expect(first.get_by_role("heading").first).to_contain_text("do not massage")
    picture(page, "emergency")
    first.get_by_role("button", name="Withdraw the massage order").click()
    expect(page.get_by_role("heading", name="Nothing left to sign")).to_be_visible()
    expect(cards(page)).to_have_count(1)
    assert not held(demo, "ServiceRequest", "ev-calf-clot-patient")
    picture(page, "withdrawn")


def test_several_orders_are_signed_together(walk):
    page = walk("/?patient=ev-two-codes-patient")
    sign(page)
    detail = coverage_card(page).locator(".detail")
    expect(detail).to_contain_text("97124")
    expect(detail).to_contain_text("97140")


def test_another_order_is_added_and_counted_in(walk):
    page = walk("/?patient=ev-first-visit-patient")
    sign(page)
    expect(coverage_card(page)).to_contain_text("criteria appear met")
    page.get_by_role("button", name="Add another order").click()
    page.get_by_label("97140 Manual therapy").check()
    page.get_by_label("97124 Massage").uncheck()
    page.get_by_label("15-min units per visit").fill("1")
    page.get_by_label("Visits", exact=True).fill("1")
    sign(page)
    expect(coverage_card(page)).to_contain_text("at most 4 units a visit")


def test_developer_sees_what_went_over_the_wire(walk):
    page = walk("/?patient=kp-complete-patient")
    sign(page)
    panel = page.locator("#developer")
    panel.locator("summary").first.click()
    expect(panel.get_by_role("group", name="Request").first).to_contain_text("hookInstance")
    expect(panel.get_by_role("group", name="Response").first).to_contain_text("cards")
    expect(panel.get_by_role("group", name="Headers").first).to_contain_text("Authorization")
    picture(page, "developer")


def test_payer_writes_its_coverage_on_the_order(walk):
    page = walk("/?patient=kp-complete-patient")
    page.get_by_text("Service and route").click()
    page.get_by_label("CDS service").select_option("order-sign-crd")
    sign(page)
    written = page.locator("#written")
    expect(written).to_contain_text("What the payer would write on the order")
    expect(written).to_contain_text("coverage-assertion-id")
    expect(written).to_contain_text("Applied.")
    picture(page, "crd")


def test_patient_of_another_server_is_reviewed(walk, demo):
    bundles = [fixture("kp-complete"), fixture("ev-calf-clot")]
    with serve(FhirServer(bundles).app) as url:
        page = walk()
        page.get_by_text("Bring your own patient").first.click()
        page.get_by_label("FHIR R4 base URL").fill(f"{url}/fhir")
        page.get_by_label("Patient's name or id").fill("Adeyemi")
        page.get_by_role("button", name="Find patients").click()
        page.locator("#bring").get_by_role("link", name="Ruth Adeyemi").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Ruth Adeyemi")
        sign(page)
        expect(cards(page).first).to_contain_text("acute thrombosis of the right leg")


def test_no_card_is_no_all_clear(walk):
    page = walk("/?patient=ev-unlisted-code-patient")
    sign(page)
    expect(page.locator("#cards")).to_contain_text("not an all-clear")
    picture(page, "no-cards")


def test_every_claim_opens_its_evidence(walk):
    page = walk("/?patient=kp-complete-patient")
    sign(page)
    page.locator("#why .evidence button").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("pre")).to_contain_text('"resourceType"')
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_payers_side_by_side(walk):
    page = walk("/?patient=kp-complete-patient")
    sign(page)
    rows = compare(page).locator("tbody tr")
    expect(rows).to_have_count(5)
    expect(rows.filter(has_text="the patient's own")).to_have_count(1)
    picture(page, "compare")


def test_scores_over_time_are_drawn_and_told_as_a_table(walk):
    page = walk("/?patient=ev-plateau-patient")
    sign(page)
    scores = course(page).locator("figure").filter(has_text="Oswestry")
    expect(scores.get_by_role("img")).to_have_accessible_name(re.compile("Oswestry"))
    scores.get_by_text("as a table").click()
    expect(scores.get_by_role("row").filter(has_text="2026-03-14")).to_contain_text("30")
    picture(page, "scores-over-time")


def test_what_if_moves_the_result_and_stores_nothing(walk, demo):
    patient = "cca-missing-promis-patient"
    page = walk(f"/?patient={patient}")
    sign(page)
    before = held(demo, "QuestionnaireResponse", patient)
    box = page.locator("#why").get_by_role("checkbox").first
    box.check()
    expect(page.locator("#why")).to_contain_text("Criteria appear met")
    picture(page, "what-if")
    assert held(demo, "QuestionnaireResponse", patient) == before


def overrides(page, reason):
    """Return how often a reason is counted on the page of insight."""
    page.goto(f"{page.watch.origin}/insight")
    table = page.locator("section").filter(has=page.get_by_role("heading", name="Overrides"))
    line = table.get_by_role("row").filter(has_text=reason)
    return int(line.locator("td").last.inner_text()) if line.count() else 0


def test_override_is_stored_and_counted(walk):
    page = walk("/?patient=ash-maintenance-patient")
    before = overrides(page, "Clinical judgement")
    page.go_back()
    sign(page)
    card = coverage_card(page)
    card.get_by_text("Override: proceed without it").click()
    card.get_by_role("button", name="Clinical judgement").click()
    expect(page.locator(".overridden")).to_contain_text("The service was told")
    picture(page, "overridden")
    until(lambda: overrides(page, "Clinical judgement") == before + 1)
    picture(page, "insight")


def test_counts_can_be_taken_away(walk):
    page = walk("/?patient=kp-complete-patient")
    sign(page)
    page.goto(f"{page.watch.origin}/insight")
    until(lambda: page.reload() and page.get_by_role("link", name="Download as CSV").count())
    with page.expect_download() as started:
        page.get_by_role("link", name="Download as CSV").click()
    text = started.value.path().read_text(encoding="utf-8")
    assert "kpwa-massage" in text
    assert "Nguyen-Hart" not in text
    assert "kp-complete" not in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"resourceType": "Bundle", "type": "collection", "entry": [', "JSON"),
        ('{"resourceType": "Patient", "id": "me"}', "Bundle"),
        ('{"resourceType": "Bundle", "type": "collection", "entry": []}', "no entries"),
    ],
)
def test_broken_bundle_is_refused_in_words(walk, text, words):
    page = walk()
    page.watch.expected.add(422)
    bring(page, text)
    expect(page.locator("#upload-problem")).to_contain_text(words)
    picture(page, f"upload-refused-{words.lower().replace(' ', '-')}")


def test_own_bundle_is_reviewed(walk):
    bundle = json.dumps(fixture("kp-complete")).replace("kp-complete", "my-own")
    page = walk()
    bring(page, bundle.replace("Nguyen-Hart", "Eigen"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Eigen")
    sign(page)
    expect(cards(page).first).to_be_visible()


def test_keyboard_alone_is_enough(walk):
    page = walk()
    reach(page, "Search patients", by="label")
    page.keyboard.type("Moreau")
    reach(page, "Lila Moreau")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Lila Moreau")
    reach(page, "Sign order")
    page.keyboard.press("Enter")
    expect(page.locator("#results-title")).to_be_focused()
    reach(page, "Consult OB/GYN")
    page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_contain_text("Done: Consult OB/GYN")


@pytest.mark.parametrize(
    "path",
    ["/", "/?patient=ev-calf-clot-patient", "/policies", "/policies/kpwa-massage", "/insight"],
)
def test_a_phone_needs_no_scrolling_sideways(walk, path):
    page = walk(path, viewport=PHONE)
    if "patient=" in path:
        sign(page)
        open_folds(page)
        page.get_by_role("region", name="Comparison of payers").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    picture(page, "phone" + re.sub(r"\W+", "-", path).rstrip("-"))


@pytest.mark.parametrize("path", ["/", "/?patient=kp-complete-patient", "/policies", "/insight"])
def test_page_is_ready_within_a_second(walk, path):
    page = walk(path)
    times = []
    for _ in range(TRIES):
        page.reload()
        times.append(page.evaluate("performance.getEntriesByType('navigation')[0].duration"))
    assert median(times) < READY_MS


@pytest.mark.parametrize("path", ["/", "/policies", "/policies/kpwa-massage", "/insight"])
def test_page_forbids_inline_code(walk, path):
    page = walk(path)
    policy = page.request.get(page.watch.origin + path).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.locator("script:not([src]), style, [style]").count() == 0
