"""Markdown and HTML in what a record says: shown as words, in a card and on the page."""

import copy
import re
from functools import cache

import pytest

from tests.attacks.markup import EVIL, FREE, LINES, faults, links, spoilt, words_of
from tests.attacks.mutation import calls
from tests.conformance.ehr import client

REVIEW, SELECT = "/cds-services/massage-order-review", "/cds-services/massage-order-select"
CRD = "/cds-services/order-sign-crd"
SHARES = 6
TAG = re.compile(r"<[A-Za-z/!?]")


def answered(path, body):
    answer = client().post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.get_json()["cards"]


def stories():
    return [call for call in calls() if "measures" in call.get("prefetch", {})]


def services_of(call):
    if call["hook"] == "order-select":
        return [SELECT]
    return [REVIEW, CRD]


@cache
def own_links(path, instance):
    """Return where the cards of a call lead to while it says nothing evil."""
    call = next(one for one in stories() if one["hookInstance"] == instance)
    return set().union(*(links(card.get("detail", "")) for card in answered(path, call)))


def held(cards, allowed):
    for card in cards:
        assert faults(card.get("detail", ""), allowed) == []
        for words in words_of(card):
            if isinstance(words, str):
                assert not LINES.search(words)
                assert not TAG.search(words)


@pytest.mark.requirement(39)
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("payers", [True, False], ids=["every text", "all but payers"])
def test_what_a_record_says_is_words(share, payers):
    for at, call in enumerate(stories()[share::SHARES]):
        for path in services_of(call):
            allowed = own_links(path, call["hookInstance"])
            held(answered(path, spoilt(call, at * 7, payers)), allowed)


@pytest.mark.requirement(39)
@pytest.mark.parametrize("text", EVIL, ids=repr)
@pytest.mark.parametrize("place", ["patient", "condition", "note", "practitioner", "payer", "goal"])
def test_each_text_in_each_place(text, place):
    call = next(one for one in stories() if "cca-full-course" in str(one))
    body = PLACES[place](call, text)
    assert body != call
    cards = answered(REVIEW, body)
    assert cards
    held(cards, own_links(REVIEW, call["hookInstance"]))


def _resources(call, kind):
    for value in call["prefetch"].values():
        entries = (value or {}).get("entry") or [{"resource": value or {}}]
        yield from (e["resource"] for e in entries if e["resource"].get("resourceType") == kind)


def _with(call, change):
    made = copy.deepcopy(call)
    change(made)
    return made


def _patient(call, text):
    def change(made):
        made["prefetch"]["patient"]["name"] = [{"text": text, "family": text, "given": [text]}]

    return _with(call, change)


def _texts_of(kind):
    def place(call, text):
        def change(made):
            for resource in _resources(made, kind):
                _named(resource, text)

        return _with(call, change)

    return place


def _named(node, text):
    for key, value in list(node.items()) if isinstance(node, dict) else ():
        if key in FREE and isinstance(value, str):
            node[key] = text
        elif isinstance(value, dict):
            _named(value, text)
        elif isinstance(value, list):
            for item in value:
                _named(item, text)


def _note(call, text):
    def change(made):
        (entry,) = made["context"]["draftOrders"]["entry"]
        entry["resource"]["note"] = [{"text": text}]
        entry["resource"]["patientInstruction"] = text
        _named(entry["resource"]["code"], text)

    return _with(call, change)


def _practitioner(call, text):
    def change(made):
        (entry,) = made["context"]["draftOrders"]["entry"]
        person = {"resourceType": "Practitioner", "id": "evil", "name": [{"text": text}]}
        entry["resource"] |= {
            "contained": [person],
            "requester": {"reference": "#evil", "display": text},
            "performer": [{"reference": "#evil", "display": text}],
        }

    return _with(call, change)


PLACES = {
    "patient": _patient,
    "condition": _texts_of("Condition"),
    "note": _note,
    "practitioner": _practitioner,
    "payer": _texts_of("Organization"),
    "goal": _texts_of("Goal"),
}


def test_the_judge_sees_what_is_active():
    """So that the tests above can fail."""
    clean = "| a | b |\n|---|---|\n| c | d |\n\n[ours](https://ours.example/)"
    assert faults(clean, {"https://ours.example/"}) == []
    for text in ("<b>x</b>", "[x](https://evil.example)", "![x](y)", "www.evil.example"):
        assert faults(f"{clean}\n\n{text}", {"https://ours.example/"})
    assert faults("| a | b |\n|---|---|\n| c | d | e |", set())
