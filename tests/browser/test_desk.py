"""The desk around a signature: several orders, advance notice, feedback, system actions, JSON."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.fake_service import CRD, SERVICE
from tests.browser.steps import sign

OWN = {
    "resourceType": "Bundle",
    "entry": [{"resource": {"resourceType": "Patient", "id": "ann", "name": [{"text": "Own"}]}}],
}


@pytest.fixture
def own(tmp_path):
    """A file with a patient of one's own."""
    path = tmp_path / "own.json"
    path.write_text(json.dumps(OWN), encoding="utf-8")
    return path


def bring(page, path):
    page.get_by_role("link", name="bring a patient of your own").click()
    page.get_by_label("File with").set_input_files(path)
    page.get_by_role("button", name="Take in this patient").click()


def sent(site):
    return [e["resource"] for e in site.calls[-1]["context"]["draftOrders"]["entry"]]


def orders(page):
    return page.locator("#others li")


def test_a_second_order_has_fields_of_its_own(open_page, site):
    page = open_page("/?patient=ann")
    page.get_by_role("button", name="Add another order").click()
    expect(page.get_by_label("Visits")).to_have_value("")
    page.get_by_label("Visits").fill("2")
    page.get_by_label("Site").select_option("Knee")
    sign(page)
    first, second = sent(site)
    assert [o["occurrenceTiming"]["repeat"]["count"] for o in (first, second)] == [12, 2]
    assert "bodySite" not in first
    assert second["subject"] == first["subject"]
    assert second["id"] != first["id"]
    assert second["authoredOn"] == first["authoredOn"]


def test_orders_are_changed_one_by_one(open_page, site):
    page = open_page("/?patient=ann")
    page.get_by_role("button", name="Add another order").click()
    page.get_by_label("Visits").fill("2")
    page.get_by_role("button", name="Change 97124 Massage, 12 visits").click()
    expect(page.get_by_label("Visits")).to_have_value("12")
    page.get_by_label("Visits").fill("8")
    sign(page)
    assert [o["occurrenceTiming"]["repeat"]["count"] for o in sent(site)] == [8, 2]


def test_each_order_can_be_removed(open_page, site):
    page = open_page("/?patient=ann")
    page.get_by_role("button", name="Add another order").click()
    page.get_by_label("Visits").fill("2")
    page.get_by_role("button", name="Remove 97124 Massage, 12 visits").click()
    expect(page.locator("#others")).to_be_hidden()
    sign(page)
    (left,) = sent(site)
    assert left["occurrenceTiming"]["repeat"]["count"] == 2


def test_the_last_one_removed_leaves_nothing_to_sign(open_page, site):
    page = open_page("/?patient=ann")
    page.get_by_role("button", name="Add another order").click()
    for _ in range(2):
        page.get_by_role("button", name=re.compile("^Remove")).first.click()
        page.get_by_role("button", name="Add another order").focus()
        if page.get_by_role("button", name=re.compile("^Remove")).count() == 0:
            break
    page.get_by_label("97124 Massage").uncheck()
    page.get_by_role("button", name="Sign order").click()
    expect(page.get_by_role("heading", name="Nothing left to sign")).to_be_visible()
    assert site.calls == []


def test_what_was_accepted_is_there_after_a_reload(open_page):
    page = open_page("/?patient=ann")
    sign(page)
    page.get_by_role("button", name="Order a PROMIS-29").click()
    expect(orders(page)).to_contain_text(["97124", "PROMIS-29"])
    page.reload()
    expect(orders(page)).to_contain_text(["97124", "PROMIS-29"])


def test_coverage_is_chosen_on_the_order(open_page, site):
    page = open_page("/?patient=ann")
    page.get_by_label("Coverage").select_option("Commonwealth Care Alliance")
    sign(page)
    assert sent(site)[0]["insurance"] == [{"reference": "Coverage/ann-coverage"}]


def test_signing_is_told_in_advance_while_composing(open_page, site):
    page = open_page("/?patient=ann")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("On signing: one item for [12]")
    page.get_by_label("Visits").press_sequentially("3")
    expect(preview).to_contain_text("for [123]")
    assert len(site.calls.selected) < 5
    last = site.calls.selected[-1]
    assert last["hook"] == "order-select"
    assert last["context"]["selections"] == ["ServiceRequest/ann-order-1"]
    assert "extension" not in last
    assert site.calls == []


def test_changed_after_signing_is_marked(open_page):
    page = open_page("/?patient=ann")
    sign(page)
    stale = page.locator("#results[data-stale]")
    expect(stale).to_have_count(0)
    page.get_by_label("Note").fill("gentle")
    expect(stale).to_have_count(1)
    sign(page)
    expect(stale).to_have_count(0)


def test_numbers_that_make_no_order_are_not_signed(open_page, site):
    page = open_page("/?patient=ann")
    page.get_by_label("Visits").fill("0")
    page.get_by_role("button", name="Sign order").click()
    expect(page.get_by_label("Visits")).to_be_focused()
    assert site.calls == []


def test_acceptance_is_told_to_the_service(open_page, site):
    page = open_page("/?patient=ann")
    sign(page)
    page.get_by_role("button", name="Order a PROMIS-29").click()
    expect(page.locator("article.card")).to_contain_text("appear met")
    ((service, entry),) = site.calls.feedback
    assert service == SERVICE
    assert (entry["card"], entry["outcome"]) == ("1", "accepted")
    assert entry["acceptedSuggestions"] == [{"id": "2"}]
    assert entry["outcomeTimestamp"].endswith("Z")


def test_override_is_told_with_reason_and_comment(open_page, site):
    page = open_page("/?patient=ann")
    sign(page)
    page.get_by_text("Override: proceed without it").click()
    page.get_by_label("Comment").fill("seen today")
    page.get_by_role("button", name="Clinical judgement").click()
    expect(page.locator(".overridden")).to_contain_text("The service was told")
    ((_, entry),) = site.calls.feedback
    assert entry["outcome"] == "overridden"
    assert entry["overrideReason"]["reason"]["code"] == "clinical-judgement"
    assert entry["overrideReason"]["userComment"] == "seen today"


def test_what_was_overridden_stays_so_when_signed_again(open_page):
    page = open_page("/?patient=ann")
    sign(page)
    page.get_by_text("Override: proceed without it").click()
    page.get_by_role("button", name="Clinical judgement").click()
    expect(page.locator(".overridden")).to_contain_text("The service was told")
    sign(page)
    expect(page.locator(".overridden")).to_contain_text("Overridden before: Clinical judgement")
    expect(page.locator("article.card")).to_be_hidden()
    page.get_by_role("button", name="Show again").click()
    expect(page.locator("article.card")).to_be_visible()


def test_an_emergency_without_reasons_cannot_be_dismissed(open_page):
    page = open_page("/?patient=bea")
    sign(page)
    expect(page.locator("article.critical")).to_be_visible()
    expect(page.locator("article.critical").get_by_text("Override")).to_have_count(0)
    expect(page.locator("#alarm")).to_contain_text("Suspected DVT")


def test_system_actions_are_shown_and_carried_by_the_order(open_page, site):
    page = open_page("/?patient=ann")
    page.get_by_text("Service and route").click()
    page.get_by_label("CDS service").select_option(CRD)
    sign(page)
    written = page.locator("#written")
    expect(written).to_contain_text("What the payer would write on the order")
    expect(written.locator("dd")).to_have_text(
        ["covered", "12 visits", "2026-03-16 to 2027-03-15", "As agreed"]
    )
    expect(written).to_contain_text("Applied.")
    sign(page)
    assert len(sent(site)[0]["extension"]) == 2
    assert len(site.store.read("ServiceRequest", "ann-order-1")["extension"]) >= 2


def test_a_signed_order_is_sent_to_the_performer(open_page, site):
    page = open_page("/?patient=ann")
    page.get_by_text("Service and route").click()
    page.get_by_label("CDS service").select_option(CRD)
    sign(page)
    page.get_by_role("button", name="Send to the performer").click()
    expect(page.locator("#progress")).to_contain_text("Sent. 1 card")
    assert site.store.read("ServiceRequest", "ann-order-1")["status"] == "active"
    call = site.calls[-1]
    assert call["hook"] == "order-dispatch"
    assert call["context"] == {
        "patientId": "ann",
        "dispatchedOrders": ["ServiceRequest/ann-order-1"],
        "performer": "PractitionerRole/ann-therapist",
    }
    expect(page.get_by_role("button", name="Send to the performer")).to_have_count(0)


def test_nobody_to_send_to_is_told(open_page):
    page = open_page("/?patient=ann")
    page.get_by_text("Service and route").click()
    page.get_by_label("CDS service").select_option(CRD)
    page.get_by_label("Performed by").select_option("Not assigned")
    sign(page)
    expect(page.get_by_role("button", name="Send to the performer")).to_be_disabled()
    expect(page.locator(".dispatch")).to_contain_text("Choose who performs the order")


def test_what_a_call_was_is_there_for_integrators(open_page, site):
    page = open_page("/?patient=ann")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    sign(page)
    panel = page.locator("#developer")
    panel.locator("> summary").click()
    expect(panel.get_by_role("group", name="Headers")).to_contain_text("Content-Type")
    # How many there were depends on whether the preview was quicker than the click.
    expect(panel.get_by_text(re.compile(r"Calls around it \([2-9]\)"))).to_be_visible()
    expect(panel.get_by_text("GET /fhir/Patient/ann, 200")).to_be_visible()
    panel.get_by_role("button", name="Copy as curl").first.click()
    expect(panel.get_by_text("Copied.")).to_be_visible()
    command = page.evaluate("navigator.clipboard.readText()")
    assert command.startswith("curl -sS -X POST")
    assert "massage-order-review'" in command
    assert json.loads(command.split("--data-binary '")[1].split("' \\\n")[0])["hook"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"resourceType": ', "not JSON"),
        ('{"resourceType": "Patient"}', "not a Bundle"),
        (" ", "nothing in it"),
    ],
)
def test_a_bundle_that_cannot_be_taken_is_told(open_page, text, words):
    page = open_page()
    page.get_by_role("link", name="bring a patient of your own").click()
    page.get_by_label("or paste it").fill(text)
    page.get_by_role("button", name="Take in this patient").click()
    expect(page.locator("#upload-problem")).to_contain_text(words)
    expect(page.get_by_label("or paste it")).to_have_value(text)
    assert page.watch.complaints == []


def test_a_bundle_too_large_is_not_even_sent(open_page, tmp_path):
    large = tmp_path / "large.json"
    large.write_bytes(b" " * (11 << 20))
    page = open_page()
    bring(page, large)
    expect(page.locator("#upload-problem")).to_contain_text("11 MB; at most 10 MB")
    assert not [url for url in page.watch.asked if url.endswith("/patients")]


def test_own_patient_is_signed_for_like_any_other(open_page, site, own):
    page = open_page()
    bring(page, own)
    expect(page.get_by_role("heading", level=1)).to_have_text("Own")
    expect(page.get_by_role("link", name="Own")).to_have_attribute("aria-current", "page")
    sign(page)
    assert site.calls[0]["context"]["patientId"] != "ann"
    assert page.watch.complaints == []


def test_own_patient_without_coverage_is_given_one_to_ask_about(open_page, site, own):
    page = open_page()
    bring(page, own)
    expect(page.locator(".banner")).to_contain_text("No coverage on file")
    expect(page.get_by_role("button", name="Sign order")).to_be_enabled()
    page.get_by_label("Coverage").select_option("Kaiser Permanente")
    expect(page.locator(".banner")).to_contain_text("Kaiser Permanente")
    sign(page)
    (insurance,) = sent(site)[0]["insurance"]
    patient = site.calls[0]["context"]["patientId"]
    (coverage,) = site.store.of_patient("Coverage", patient)
    assert insurance == {"reference": f"Coverage/{coverage['id']}"}
    assert coverage["payor"] == [{"reference": "Organization/dot-payer"}]


def test_a_task_on_the_list_is_not_offered_again(walk, demo):
    page = walk("/?patient=cca-first-session-patient")
    sign(page)
    page.get_by_role("button", name="Task - record a functional goal").click()
    done = page.locator(".done")
    expect(done).to_have_text(["Done: Task - record a functional goal"])
    page.reload()
    sign(page)
    expect(done).to_have_text(["Done: Task - record a functional goal"])
    expect(page.get_by_role("button", name="Task - record a functional goal")).to_have_count(0)
    expect(page.get_by_role("button", name="Task - add to the care plan")).to_be_visible()


def test_calls_to_the_demo_are_signed(walk, demo):
    page = walk("/?patient=kp-complete-patient")
    sign(page)
    page.locator("#developer > summary").click()
    token = page.locator("#developer").get_by_role("group", name="Token").first
    expect(token).to_contain_text('"alg": "ES384"')
    expect(token).to_contain_text(f"{demo}/cds-services/massage-order-review")
    expect(page.locator("#developer")).to_contain_text("server")
