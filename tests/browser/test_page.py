"""The page as a clinician uses it, in a real browser."""

import re

from playwright.sync_api import expect

from tests.browser.steps import cards, sign


def test_pick_sign_read(open_page, site):
    page = open_page()
    page.get_by_role("link", name="Ann Ash").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ann Ash")
    sign(page)
    expect(cards(page)).to_have_count(1)
    expect(cards(page).get_by_text("Warning", exact=True)).to_be_visible()
    expect(page.locator("#progress")).to_contain_text("1 card: 1 warning")
    assert page.watch.complaints == []
    assert page.watch.strays == []
    assert site.calls[0]["hook"] == "order-sign"
    assert site.calls[0]["extension"] == {"massage-cds.explain": True}


def test_order_in_the_form_is_the_drafted_one(open_page):
    page = open_page("/?patient=ann")
    expect(page.get_by_label("97124 Massage")).to_be_checked()
    expect(page.get_by_label("97140 Manual therapy")).not_to_be_checked()
    expect(page.get_by_label("Visits")).to_have_value("12")
    expect(page.get_by_label("15-min units per visit")).to_have_value("4")
    expect(page.get_by_label("Reason")).to_have_value(re.compile("Chronic low back pain"))
    expect(page.get_by_label("Order date")).to_have_value("2026-03-16")
    assert "Neck pain" not in page.get_by_label("Reason").inner_text()


def test_untouched_order_is_sent_as_it_was_drafted(open_page, site):
    page = open_page("/?patient=ann")
    sign(page)
    sent = site.calls[0]["context"]["draftOrders"]["entry"]
    assert [entry["resource"] for entry in sent] == [
        entry["resource"]
        for entry in site.store.requests["ann"][0]["context"]["draftOrders"]["entry"]
    ]


def test_changed_fields_are_sent_and_the_rest_is_kept(open_page, site):
    page = open_page("/?patient=ann")
    page.get_by_label("Visits").fill("6")
    page.get_by_label("Site").select_option("Neck")
    page.get_by_label("97140 Manual therapy").check()
    page.get_by_label("Performed by").select_option("Not assigned")
    sign(page)
    massage, manual = [e["resource"] for e in site.calls[0]["context"]["draftOrders"]["entry"]]
    assert massage["occurrenceTiming"]["repeat"] == {
        "count": 6,
        "frequency": 1,
        "period": 1,
        "periodUnit": "wk",
    }
    assert massage["bodySite"][0]["coding"][0]["code"] == "45048000"
    assert massage["extension"][0]["valueString"] == "as it was"
    assert "performer" not in massage
    assert manual["code"]["coding"][0]["code"] == "97140"
    assert manual["id"] != massage["id"]


def test_prefetch_is_resolved_from_the_templates(open_page, site):
    page = open_page("/?patient=ann")
    sign(page)
    call = site.calls[0]
    assert call["fhirServer"] == f"{site.url}/fhir"
    assert set(call["prefetch"]) == {"patient", "conditions"}
    assert call["prefetch"]["conditions"]["total"] == 2


def test_route_can_be_chosen(open_page, site):
    page = open_page("/?patient=ann")
    page.get_by_text("Service and route").click()
    page.get_by_label("FHIR server only").check()
    sign(page)
    page.get_by_label("Prefetch only").check()
    sign(page)
    server, prefetch = site.calls
    assert "prefetch" not in server
    assert "fhirServer" in server
    assert "fhirServer" not in prefetch
    assert "prefetch" in prefetch


def test_suggestion_is_applied_and_the_order_signed_again(open_page, site):
    page = open_page("/?patient=ann")
    sign(page)
    page.get_by_role("button", name="Order a PROMIS-29").click()
    expect(cards(page).get_by_role("heading")).to_contain_text("appear met")
    expect(page.locator("#others")).to_contain_text("PROMIS-29")
    made = site.kept("ServiceRequest")
    assert [order["code"]["text"] for order in made] == ["PROMIS-29"]
    assert len(site.calls) == 2


def test_split_shows_on_the_form_and_keeps_both_parts_apart(open_page, site):
    page = open_page("/?patient=ann")
    sign(page)
    page.get_by_role("button", name="Order 4 visits now").click()
    expect(page.get_by_label("Visits")).to_have_value("4")
    assert site.store.read("ServiceRequest", "ann-order-1")["occurrenceTiming"] == {
        "repeat": {"count": 4}
    }
    expect(page.locator("#others")).to_contain_text("97124 Massage, 8 visits")
    page.get_by_label("Visits").fill("3")
    page.get_by_label("Note").fill("gentle")
    sign(page)
    sent = [e["resource"] for e in site.calls[-1]["context"]["draftOrders"]["entry"]]
    assert [order["occurrenceTiming"]["repeat"]["count"] for order in sent] == [3, 8]
    assert [order.get("note") for order in sent] == [[{"text": "gentle"}], None]


def test_critical_comes_first_and_withdrawing_leaves_nothing_to_sign(open_page, site):
    page = open_page("/?patient=bea")
    sign(page)
    expect(cards(page).first.get_by_text("Critical", exact=True)).to_be_visible()
    page.get_by_role("button", name="Withdraw the order").click()
    expect(page.get_by_role("heading", name="Nothing left to sign")).to_be_visible()
    expect(page.get_by_label("97124 Massage")).not_to_be_checked()
    assert len(site.calls) == 1


def test_emergency_outlives_the_withdrawn_order(open_page, site):
    page = open_page("/?patient=bea")
    sign(page)
    page.get_by_role("button", name="Withdraw the order").click()
    expect(page.get_by_role("heading", name="Nothing left to sign")).to_be_visible()
    expect(cards(page)).to_have_count(1)
    expect(cards(page).get_by_text("Critical", exact=True)).to_be_visible()
    page.get_by_role("button", name="Refer to the emergency department").click()
    expect(page.locator("#others")).to_contain_text("Referral to the emergency department")
    expect(page.locator(".suggestion")).to_have_count(0)
    assert [one["code"]["text"] for one in site.kept("ServiceRequest")] == [
        "Referral to the emergency department"
    ]


def test_criteria_that_do_not_apply_are_folded_away(open_page):
    page = open_page("/?patient=ann")
    sign(page)
    aside = page.locator("#why").get_by_text("Pain clinic evaluation")
    expect(aside).to_be_hidden()
    page.get_by_text("1 that does not apply").click()
    expect(aside).to_be_visible()


def test_no_cards_is_not_all_clear(open_page):
    page = open_page("/?patient=cat")
    sign(page)
    expect(page.locator("#cards")).to_contain_text("That is not an all-clear")
    expect(page.locator("#cards")).to_contain_text("97124 Massage")


def test_refusal_is_told_with_its_reason(open_page):
    page = open_page("/?patient=dot")
    page.get_by_role("button", name="Sign order").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("HTTP 412")
    expect(alert).to_contain_text("Coverage is needed")
    expect(alert).to_contain_text("not an all-clear")


def test_html_of_the_record_stays_text(open_page):
    page = open_page("/?patient=ann")
    sign(page)
    detail = cards(page).locator(".detail")
    expect(detail).to_contain_text('<b onclick="alert(1)">today</b>')
    assert detail.locator("b, img").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    expect(detail.get_by_role("table")).to_be_visible()


def test_override_is_a_choice_of_reasons(open_page):
    page = open_page("/?patient=ann")
    sign(page)
    page.get_by_text("Override: proceed without it").click()
    page.get_by_role("button", name="Clinical judgement").click()
    expect(page.locator(".overridden")).to_contain_text("Clinical judgement")
    expect(cards(page)).to_be_hidden()
    page.get_by_role("button", name="Show again").click()
    expect(cards(page)).to_be_visible()


def test_why_shows_the_tree_and_opens_the_evidence(open_page):
    page = open_page("/?patient=ann")
    sign(page)
    why = page.locator("#why")
    expect(why).to_contain_text("Cannot be confirmed yet")
    expect(why).to_contain_text("timeout: not an absence")
    page.get_by_role("button", name="Chronic low back pain").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text('"resourceType": "Condition"')
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_json_shows_both_sides_and_the_time(open_page):
    page = open_page("/?patient=ann")
    sign(page)
    panel = page.locator("#exchange")
    panel.get_by_text(re.compile(r"JSON: POST .*200, \d+ ms")).click()
    expect(panel.get_by_role("group", name="Request")).to_contain_text("hookInstance")
    expect(panel.get_by_role("group", name="Response")).to_contain_text("PROMIS-29")


def test_reset_forgets_what_was_applied(open_page, site):
    page = open_page("/?patient=ann")
    sign(page)
    page.get_by_role("button", name="Order a PROMIS-29").click()
    expect(cards(page).get_by_role("heading")).to_contain_text("appear met")
    page.get_by_role("button", name="Reset demo data").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ann Ash")
    assert site.kept("ServiceRequest") == []


def test_search_finds_by_story_and_payer(open_page):
    page = open_page()
    page.get_by_label("Search patients").fill("kaiser")
    expect(page.locator(".patients li:visible")).to_have_count(1)
    page.get_by_label("Search patients").fill("clot")
    expect(page.locator(".patients li:visible")).to_contain_text(["Bea Birch"])
    expect(page.locator("#patient-found")).to_have_text("1 of 4 patients")


def test_unknown_patient_is_told(open_page):
    page = open_page("/?patient=nobody")
    expect(page.get_by_role("alert")).to_contain_text("no patient nobody")


def reach(page, name, key="Tab", limit=60):
    for _ in range(limit):
        page.keyboard.press(key)
        if name in page.evaluate("document.activeElement.textContent.trim()"):
            return
    raise AssertionError(f"{name} is not reached by {key}")


def test_keyboard_alone_is_enough(open_page):
    page = open_page()
    reach(page, "Ann Ash")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ann Ash")
    reach(page, "Sign order")
    page.keyboard.press("Enter")
    expect(page.locator("#results-title")).to_be_focused()
    reach(page, "Order a PROMIS-29")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(cards(page).get_by_role("heading")).to_contain_text("appear met")


def test_narrow_screen_does_not_scroll_sideways(open_page):
    page = open_page("/?patient=ann", viewport={"width": 360, "height": 740})
    sign(page)
    page.locator("#exchange summary").click()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360


def test_page_forbids_inline_code(open_page, site):
    page = open_page("/?patient=ann")
    policy = page.request.get(site.url).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.locator("script:not([src]), style, [style]").count() == 0
