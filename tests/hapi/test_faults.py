"""HAPI behind a proxy that fails in every way networks and servers do."""

import json
import time
from copy import deepcopy

import pytest

from cds_service.app import create_app
from cds_service.settings import load_settings
from tests.hapi.charts import FIXTURES, signed_by_fixture
from tests.http.fault_server import (
    bundle,
    cut_off,
    endless,
    fails,
    first,
    passes,
    raw,
    resets,
    serving,
    slow,
)
from tests.live import Service, serve

BUDGET = 4.0
LEAVES_WITHIN = 6.0
PAGE = b"<!DOCTYPE html><html><body>Sign in again</body></html>"
NOBODY = {"resourceType": "Organization", "id": "nobody"}
HUGE = json.dumps(bundle(NOBODY)).encode().ljust(30 * 1024 * 1024)
CHARTS = {path.stem: path for path in FIXTURES}
DECIDED = ("met", "not-met")

# What a fault does to one query, and the reasons by which the hole may be named.
FAULTS = {
    "reset": (lambda _: resets, {"connection", "truncated"}),
    "truncated": (lambda url: passes(url, lambda body: cut_off(body[:-1])), {"truncated"}),
    "expired token": (lambda _: fails(401), {"http-401"}),
    "too many requests": (lambda _: fails(429, **{"Retry-After": "2"}), {"http-429"}),
    "server error": (lambda _: fails(500), {"http-500"}),
    "HTML": (lambda _: raw(PAGE, "text/html"), {"not-json"}),
    "30 MB": (lambda _: raw(HUGE), {"too-large"}),
    "endless pages": (
        lambda _: endless(NOBODY),
        {"too-many-pages"},
    ),
}
TYPES = ("Condition", "Observation", "QuestionnaireResponse", "Coverage", "Goal", "Encounter")
PEOPLE = ("Practitioner", "PractitionerRole")
STORIES = ("kp-complete", "cca-missing-promis", "cca-new-clot", "kp-no-progress")


def signed(story):
    request, _ = signed_by_fixture(CHARTS[story])
    return deepcopy(request)


@pytest.fixture(scope="module")
def wholes(hapi, unhurried):
    """What each story comes to when all can be read."""
    return {
        name: unhurried.evaluations(signed(name) | {"fhirServer": hapi.url}) for name in STORIES
    }


def told(service, request):
    """Return (card texts, evaluations) of a call that must be answered in time."""
    began = time.monotonic()
    answer = service.post(request | {"extension": {"massage-cds.explain": True}})
    assert time.monotonic() - began < LEAVES_WITHIN
    assert answer.status_code == 200, answer.text
    body = answer.json()
    words = "\n".join(f"{card['summary']}\n{card.get('detail', '')}" for card in body["cards"])
    return words, body["extension"]["massage-cds.evaluations"]


def assert_named(evaluation, words, resource_type, reasons):
    """The hole is in `unread`, nothing else is, and the card tells of it."""
    holes = evaluation["unread"]
    assert holes
    assert {hole["query"].split()[0] for hole in holes} == {resource_type}
    assert {hole["reason"] for hole in holes} <= reasons
    for hole in holes:
        assert hole["query"] in words


def assert_nothing_rests_on(evaluation, whole, resource_type):
    """A hole takes answers away and gives none."""
    known = {one["id"]: one["status"] for one in whole["criteria"]}
    for one in evaluation["criteria"]:
        if one["status"] in DECIDED:
            assert one["status"] == known[one["id"]], one["id"]
        cited = {found["reference"].split("/")[0] for found in one["evidence"]}
        assert resource_type not in cited or one["status"] == known[one["id"]]
    blocking = {one["id"] for one in whole["missing"] if one["blocking"]}
    assert {one["id"] for one in evaluation["missing"] if one["blocking"]} <= blocking
    assert {one["id"] for one in evaluation["safety"]} <= {one["id"] for one in whole["safety"]}
    if evaluation["determination"] in ("covered", "not-covered"):
        assert evaluation["determination"] == whole["determination"]


@pytest.mark.parametrize("resource_type", TYPES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_one_type_is_a_hole_that_nothing_rests_on(
    fault, resource_type, hapi, unhurried, wholes
):
    answer, reasons = FAULTS[fault]
    with serving({"*": passes(hapi.url), resource_type: answer(hapi.url)}) as proxy:
        words, found = told(unhurried, signed("kp-complete") | {"fhirServer": proxy.base})
    for evaluation in found:
        assert_named(evaluation, words, resource_type, reasons)
        assert_nothing_rests_on(evaluation, wholes["kp-complete"][0], resource_type)


@pytest.mark.parametrize("resource_type", ["Condition", "Observation"])
@pytest.mark.parametrize("story", [name for name in STORIES if name != "kp-complete"])
def test_no_outcome_rests_on_a_hole(story, resource_type, hapi, unhurried, wholes):
    with serving({"*": passes(hapi.url), resource_type: fails(500)}) as proxy:
        words, found = told(unhurried, signed(story) | {"fhirServer": proxy.base})
    for evaluation, whole in zip(found, wholes[story], strict=True):
        assert_named(evaluation, words, resource_type, {"http-500"})
        assert_nothing_rests_on(evaluation, whole, resource_type)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_later_page_that_fails_is_a_hole_beside_what_was_read(fault, hapi, unhurried, wholes):
    answer, reasons = FAULTS[fault]
    with serving({"*": in_pages_of_one(hapi.url), "": answer(hapi.url)}) as proxy:
        words, (found,) = told(unhurried, signed("kp-complete") | {"fhirServer": proxy.base})
    assert found["unread"]
    assert {hole["reason"] for hole in found["unread"]} <= reasons | {"truncated"}
    for hole in found["unread"]:
        assert hole["query"] in words
        assert_nothing_rests_on(found, wholes["kp-complete"][0], "")


def in_pages_of_one(target):
    """Asks the server at `target` for one entry a page, whatever the client asks for."""

    def answered(handler):
        if "patient=" in handler.path:
            handler.path = f"{handler.path.split('&_count=')[0]}&_count=1"
        passes(target)(handler)

    return answered


@pytest.mark.parametrize("before", [1, 6, 12])
def test_a_token_that_expires_on_the_way_costs_what_comes_after(before, hapi, unhurried, wholes):
    good = passes(hapi.url)
    kept = dict.fromkeys(("Patient", "Coverage", "Organization", *PEOPLE), good)
    with serving({**kept, "*": first(before, good, fails(401))}) as proxy:
        words, (found,) = told(unhurried, signed("kp-complete") | {"fhirServer": proxy.base})
    assert {hole["reason"] for hole in found["unread"]} == {"http-401"}
    lost = {hole["query"] for hole in found["unread"]}
    assert lost
    assert all(query in words for query in lost)
    assert_nothing_rests_on(found, wholes["kp-complete"][0], "")


@pytest.fixture(scope="module")
def hurried(hapi):
    """The service as it comes: 4 seconds for all it reads."""
    app = create_app(load_settings({}), open_access=True, demo=False)
    with serve(app) as url:
        yield Service(url)


@pytest.mark.parametrize("resource_type", ["Condition", "Coverage"])
def test_a_search_that_hangs_is_given_up_in_time(resource_type, hapi, hurried, wholes):
    hangs = slow(3 * BUDGET, passes(hapi.url))
    with serving({"*": passes(hapi.url), resource_type: hangs}) as proxy:
        words, (found,) = told(hurried, signed("kp-complete") | {"fhirServer": proxy.base})
    assert resource_type in {hole["query"] for hole in found["unread"]}
    assert {hole["reason"] for hole in found["unread"]} == {"timeout"}
    assert resource_type in words
    assert_nothing_rests_on(found, wholes["kp-complete"][0], resource_type)


def test_latency_within_the_budget_costs_nothing(hapi, unhurried, wholes):
    with serving({"*": slow(0.3, passes(hapi.url))}) as proxy:
        _, found = told(unhurried, signed("kp-complete") | {"fhirServer": proxy.base})
    assert found == wholes["kp-complete"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("lost", ["Patient", "clinical data"])
def test_without_patient_or_without_all_clinical_data_there_is_no_answer(
    fault, lost, hapi, unhurried
):
    answer, _ = FAULTS[fault]
    good, bad = passes(hapi.url), answer(hapi.url)
    kept = {"Patient": good, "Coverage": good, "*": bad}
    answers = {"Patient": bad, "*": good} if lost == "Patient" else kept
    with serving(answers) as proxy:
        refused = unhurried.post(signed("kp-complete") | {"fhirServer": proxy.base})
    assert refused.status_code == 412, refused.text


@pytest.mark.parametrize("fault", FAULTS)
def test_one_kind_of_clinical_data_is_enough_for_an_answer(fault, hapi, unhurried, wholes):
    answer, reasons = FAULTS[fault]
    good = passes(hapi.url)
    kept = {"Patient": good, "Coverage": good, "Condition": good, "*": answer(hapi.url)}
    with serving(kept) as proxy:
        words, (found,) = told(unhurried, signed("kp-complete") | {"fhirServer": proxy.base})
    assert {hole["reason"] for hole in found["unread"]} <= reasons
    assert all(hole["query"] in words for hole in found["unread"])
    assert_nothing_rests_on(found, wholes["kp-complete"][0], "")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_payer_is_told_nothing_that_rests_on_a_hole(fault, hapi, unhurried):
    answer, _ = FAULTS[fault]
    crd = Service(unhurried.url, "order-sign-crd")
    good, bad = passes(hapi.url), answer(hapi.url)
    with serving({"Coverage": bad, "*": good}) as proxy:
        assert crd.post(signed("kp-complete") | {"fhirServer": proxy.base}).status_code == 412
    with serving({"Condition": bad, "*": good}) as proxy:
        told_of = crd.post(signed("kp-complete") | {"fhirServer": proxy.base}).json()
    whole = crd.post(signed("kp-complete") | {"fhirServer": hapi.url}).json()
    assert covered_in(whole) == ["covered"]
    assert covered_in(told_of) == ["conditional"]


def covered_in(answer):
    return [
        one["valueCode"]
        for action in answer["systemActions"]
        for extension in action["resource"]["extension"]
        for one in extension.get("extension", [])
        if one["url"] == "covered"
    ]
