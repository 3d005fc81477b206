"""No state of a page breaks a rule of axe-core."""

from tests.browser.axe import violations_everywhere
from tests.browser.steps import sign


def test_start(walk):
    assert violations_everywhere(walk("/")) == {}


def test_unknown_patient(walk):
    page = walk("/")
    page.watch.expected.add(404)
    page.goto(f"{page.watch.origin}/?patient=nobody")
    assert violations_everywhere(page) == {}


def test_composed_order(walk):
    assert violations_everywhere(walk("/?patient=ev-two-codes-patient")) == {}


def test_cards(walk):
    page = walk("/?patient=kp-complete-patient")
    sign(page)
    assert violations_everywhere(page) == {}
    page.goto(f"{page.watch.origin}/?patient=cca-missing-promis-patient")
    sign(page)
    for fold in page.locator("main details").all():
        fold.evaluate("fold => { fold.open = true }")
    assert violations_everywhere(page) == {}
    page.goto(f"{page.watch.origin}/?patient=ev-calf-clot-patient")
    sign(page)
    assert violations_everywhere(page) == {}
