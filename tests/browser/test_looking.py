"""Looking into a result in the real demo: what if, pictures, resources, policies."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.axe import PHONE
from tests.browser.steps import compare, reach, sign


def point(first, value, kind, last=None):
    days = {"first": first, "last": last or first, "date": first[:7] if last else first}
    return days | {"value": value, "kind": kind, "text": "a text", "reference": "Observation/x"}


ODD = {
    "title": "A policy",
    "day": "2026-03-16",
    "anchor": None,
    "visits": [
        {"first": "2026-03-10", "last": "2026-03-10"},
        {"first": "2026-02-01", "last": "2026-02-28"},
    ],
    "lines": [
        {
            "title": "Some score",
            "better": "higher",
            "low": 0,
            "high": 0,
            "baseline": None,
            "step": None,
            "bands": [],
            "points": [
                point("2026-02-01", 0, "partial", "2026-02-28"),
                point("2026-03-01", None, "unclear"),
                point("2026-03-05", 0, "final"),
                point("2026-03-09", 0, "preliminary"),
            ],
        }
    ],
}


def signed(walk, patient, **options):
    page = walk(f"/?patient={patient}-patient", **options)
    sign(page)
    return page


def tick(page, name):
    """Return the boxes that suppose an item or criterion."""
    return page.locator(f'#why [data-suppose="{name}"]')


def what_if(page):
    return page.locator("#why .what-if")


def pictures(page):
    page.get_by_text("Scores over time", exact=True).click()
    return page.locator("#why .courses")


def test_criteria_tell_status_source_numbers_and_what_would_change(walk):
    page = signed(walk, "cca-missing-promis")
    why = page.locator("#why")
    expect(why.get_by_role("heading", name="cca-mng-084")).to_be_visible()
    expect(why).to_contain_text("CCA-D2 · Determination of need")
    expect(why).to_contain_text("chronic-pain-days = 90 d (set here, not by the policy)")
    expect(why).to_contain_text("Would change it: PROMIS-29")
    expect(why).to_contain_text("Document: Medical Necessity Guideline 084 Massage Therapy")
    expect(why).to_contain_text("Policy version: 2022-05-30")


def test_one_id_is_supposed_in_all_its_places_and_can_be_taken_back(walk):
    page = signed(walk, "cca-missing-promis")
    expect(tick(page, "CCA-D2")).to_have_count(2)
    tick(page, "CCA-D2").first.check()
    expect(what_if(page)).to_contain_text("Criteria appear met")
    expect(what_if(page)).to_contain_text("Nothing was stored")
    expect(tick(page, "CCA-D2").last).to_be_checked()
    page.get_by_role("button", name="Suppose nothing").click()
    expect(what_if(page)).to_be_hidden()
    expect(tick(page, "CCA-D2").first).not_to_be_checked()


def test_what_is_supposed_without_effect_says_so(walk):
    page = signed(walk, "ash-nothing-on-file")
    tick(page, "ASH-D3").first.check()
    expect(what_if(page)).to_contain_text("Supposed:")
    expect(what_if(page)).to_contain_text("Still missing:")
    expect(what_if(page).locator(".chip")).to_have_text(["Cannot be confirmed yet"] * 2)


def test_emergency_can_only_be_supposed_away_by_its_document(walk):
    page = signed(walk, "cca-new-clot")
    ticks = page.locator("#why [data-suppose]")
    names = set(ticks.evaluate_all("boxes => boxes.map((box) => box.dataset.suppose)"))
    assert "CCA-D15" in names
    assert not names & {"CCA-S3a", "CCA-S3"}
    tick(page, "CCA-D15").first.check()
    expect(what_if(page)).to_contain_text("Criteria not met → Criteria appear met")


def test_supposing_by_keyboard(walk):
    page = signed(walk, "cca-missing-promis")
    reach(page, "suppose it: PROMIS-29", by="label")
    page.keyboard.press("Space")
    expect(what_if(page)).to_contain_text("Criteria appear met")


def test_answers_that_overtake_each_other_do_not_mislead(walk):
    page = signed(walk, "cca-missing-promis")
    held = []

    def hold(route):
        held.append(route)

    page.route("**/explore/what-if", hold, times=1)
    tick(page, "CCA-D2").first.check()
    tick(page, "CCA-D2").first.uncheck()
    expect(what_if(page)).to_be_hidden()
    held[0].continue_()
    page.wait_for_load_state("networkidle")
    expect(what_if(page)).to_be_hidden()


def test_question_that_cannot_be_answered_says_so(walk):
    page = signed(walk, "cca-missing-promis")
    page.watch.expected.add(503)
    page.route("**/explore/*", lambda route: route.fulfill(status=503, body="busy"))
    tick(page, "CCA-D2").first.check()
    expect(what_if(page)).to_contain_text("could not be answered")
    page.get_by_text("Compare payers", exact=True).click()
    expect(page.locator("#why")).to_contain_text("The policies could not be compared")
    pictures(page)
    expect(page.locator("#why")).to_contain_text("The scores could not be read")


def test_evidence_opens_as_words_and_as_json(walk):
    page = signed(walk, "cca-missing-promis")
    page.locator("#why .evidence").get_by_role("button", name="G89.21").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("term").filter(has_text="Clinical status")).to_be_visible()
    expect(dialog).to_contain_text("(G89.21)")
    dialog.get_by_text("As JSON").click()
    expect(dialog.get_by_role("region", name="The resource as JSON")).to_contain_text('"resource')


def test_comparison_leads_to_the_policies(walk):
    page = signed(walk, "cca-missing-promis")
    table = compare(page)
    expect(table.get_by_role("columnheader")).to_have_count(6)
    table.get_by_role("link", name="Veterans Health Administration").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("VHA CDI 00036")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Draft")


@pytest.mark.parametrize("options", [{}, {"viewport": PHONE}])
def test_scores_are_drawn_with_words_and_a_table(walk, options):
    page = signed(walk, "ev-third-week-short", **options)
    shown = pictures(page)
    pain = shown.locator("figure").filter(has_text="Pain (0-10)")
    image = pain.get_by_role("img", name="Pain (0-10)")
    expect(image).to_be_visible()
    expect(image.locator("desc")).to_contain_text("2 values; 7 on 2026-02-22; last 4 on 2026-03-15")
    expect(image.locator(".band")).to_have_count(1)
    expect(image.locator(".visit")).to_have_count(3)
    expect(image.locator(".point")).to_have_count(2)
    expect(pain).to_contain_text("Target EV-P2, 2026-03-09 to 2026-03-29: better by 50 %")
    expect(pain).to_contain_text("MCID: 2 points from the baseline, at 5")
    pain.get_by_text("Pain (0-10) as a table").click()
    expect(pain.locator("tbody tr")).to_have_count(2)
    pain.locator("tbody button").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("nprs")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("patient", "words"),
    [
        ("ash-nothing-on-file", "No scores are on file"),
        ("cca-full-course", "Care has not begun"),
    ],
)
def test_sparse_scores_are_told(walk, patient, words):
    page = signed(walk, patient)
    expect(pictures(page)).to_contain_text(words)


def test_odd_points_are_drawn_as_far_as_they_are_known(walk):
    page = signed(walk, "cca-missing-promis")
    page.route("**/explore/course", lambda route: route.fulfill(json={"courses": [ODD]}))
    shown = pictures(page)
    expect(shown).to_contain_text("1 massage visit on file, 1 more of which only part of the date")
    image = shown.get_by_role("img")
    expect(image.locator(".span")).to_have_count(1)
    expect(image.locator(".point.preliminary")).to_have_count(1)
    expect(image.locator(".point")).to_have_count(2)
    expect(image.locator(".line, .band, .step")).to_have_count(0)
    shown.get_by_text("Some score as a table").click()
    expect(shown.locator("tbody tr")).to_have_count(4)
    expect(shown.locator("tbody")).to_contain_text("scale not stated, not drawn")
    assert "NaN" not in image.evaluate("image => image.outerHTML")


def test_single_value_has_a_mark_and_no_line(walk):
    page = signed(walk, "cca-full-course")
    image = pictures(page).get_by_role("img").first
    expect(image.locator(".point")).to_have_count(1)
    expect(image.locator(".line")).to_have_count(0)


def test_two_coverages_are_drawn_one_by_one(walk):
    page = signed(walk, "two-coverages")
    expect(pictures(page).locator(".course")).to_have_count(2)


def test_owner_reads_rules_codes_and_stories(walk):
    page = walk("/policies")
    page.get_by_role("link", name="Kaiser Permanente WA Massage Therapy criteria").click()
    page.get_by_role("navigation", name="On this page").get_by_role("link", name="Numbers").click()
    expect(page.get_by_role("region", name="Numbers")).to_contain_text("Awaits sign-off")
    stories = page.get_by_role("link", name=re.compile(r"^\d+ stories: run them$"))
    count = int(stories.inner_text().split()[0])
    assert count > 0
    stories.click()
    expect(page.get_by_text(f"All {count} as expected")).to_be_visible()
    page.go_back()
    page.locator("#value-sets + ul a").first.click()
    expect(page.get_by_role("heading", level=2).first).to_contain_text("Holds: ")


@pytest.mark.parametrize("start", ["/", "/policies", "/insight"])
def test_every_page_leads_to_the_others(walk, start):
    page = walk(start)
    for name in ("Order", "Policies", "Insight"):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        current = page.get_by_role("navigation", name="Pages").locator("[aria-current]")
        expect(current).to_have_text(name)


def test_range_of_days_is_asked_for_and_kept(walk):
    page = walk("/insight")
    page.get_by_label("From").fill("2020-01-01")
    page.get_by_label("To", exact=True).fill("2020-01-31")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="Nothing yet")).to_be_visible()
    expect(page.get_by_label("From")).to_have_value("2020-01-01")
    page.get_by_role("link", name="All time").click()
    expect(page.get_by_label("From")).to_have_value("")
