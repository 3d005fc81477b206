"""The kit's assertions hold for every answer, and catch faults that are put into good ones."""

import copy

import pytest

from tests.crd import ehr
from tests.crd.kit import Exchange, discovery_failures, suite_failures
from tests.crd.test_other_hooks import dispatched, select

HOOKS = ("order-sign", "order-select", "order-dispatch")


def signed(name, version):
    body = ehr.request_of(name) | {"prefetch": ehr.prefetch_of(ehr.resources(name))}
    return Exchange(body, 200, ehr.call(body, version=version))


@pytest.fixture(scope="module")
def exchanges():
    return {name: signed(name, "2.0") for name in ehr.names()}


@pytest.mark.parametrize("version", ehr.VERSIONS)
@pytest.mark.parametrize("name", ehr.names())
def test_every_answer_on_signing_passes(name, version):
    assert signed(name, version).failures() == []


@pytest.mark.parametrize("name", ehr.names())
def test_every_answer_on_dispatch_passes(name):
    body, _ = dispatched(name, dispatchedOrders=lambda named: named)
    assert Exchange(body, 200, ehr.call(body)).failures() == []


@pytest.mark.parametrize("name", ehr.names())
def test_every_answer_on_selecting_passes(name):
    body = ehr.request_of(name, "order-select")
    assert Exchange(body, 200, select(name)).failures() == []


def test_discovery_passes():
    answer = ehr.app().test_client().get("/crd/cds-services", base_url=ehr.HOST)
    assert discovery_failures(answer.status_code, answer.get_json()) == []
    assert [one["hook"] for one in answer.get_json()["services"]] == [*HOOKS]


def test_the_answers_together_show_what_they_must(exchanges):
    assert suite_failures([*exchanges.values()]) == []


def action(answer):
    return answer["systemActions"][0]


def information(answer):
    return action(answer)["resource"]["extension"][-1]["extension"]


def card(answer, code):
    return next(one for one in answer["cards"] if one["source"]["topic"]["code"] == code)


def second(answer, *, same_coverage):
    """Give the order a second repetition: of the same coverage, or with the same id."""
    other = copy.deepcopy(action(answer)["resource"]["extension"][-1])
    for part in other["extension"]:
        if same_coverage and part["url"] == "coverage-assertion-id":
            part["valueString"] = "another"
        if not same_coverage and part["url"] == "coverage":
            part["valueReference"] = {"reference": "Coverage/another"}
    action(answer)["resource"]["extension"].append(other)


def first_step(answer, code):
    return card(answer, code)["suggestions"][0]["actions"][0]


def link(answer):
    return card(answer, "guideline")["links"][0]


def put(node, key, value):
    node[key] = value


FAULTS = {
    "a summary of 140 characters": ("C5", lambda a: put(a["cards"][0], "summary", "x" * 140)),
    "an indicator that is none": ("C5", lambda a: put(a["cards"][0], "indicator", "hard-stop")),
    "a card without a topic": ("C5", lambda a: a["cards"][0]["source"].pop("topic")),
    "a card without a label": ("C5", lambda a: put(a["cards"][0]["source"], "label", "")),
    "no system actions": ("C5", lambda a: a.pop("systemActions")),
    "no cards": ("C5", lambda a: a.pop("cards")),
    "an action without a description": ("C5", lambda a: action(a).pop("description")),
    "an action of no type": ("C5", lambda a: put(action(a), "type", "patch")),
    "an action without a resource": ("C5", lambda a: action(a).pop("resource")),
    "a link to nowhere": ("C6", lambda a: put(link(a), "url", "/policies/x")),
    "context for an app on a plain link": ("C6", lambda a: put(link(a), "appContext", "{}")),
    "suggestions without a behaviour": (
        "C6",
        lambda a: card(a, "therapy-alternatives-opt").pop("selectionBehavior"),
    ),
    "a reason without words": (
        "C6",
        lambda a: put(a["cards"][0], "overrideReasons", [{"code": "x", "system": "urn:x"}]),
    ),
    "a suggestion that does nothing": (
        "C6",
        lambda a: put(card(a, "therapy-alternatives-opt")["suggestions"][0], "actions", []),
    ),
    "coverage information on a new order": ("C11", lambda a: put(action(a), "type", "create")),
    "an assertion without an id": (
        "C11",
        lambda a: information(a).remove(
            next(p for p in information(a) if p["url"] == "coverage-assertion-id")
        ),
    ),
    "two ids for one coverage": ("C11", lambda a: second(a, same_coverage=True)),
    "one id for two coverages": ("C11", lambda a: second(a, same_coverage=False)),
    "an order without who asks for it": ("C11", lambda a: action(a)["resource"].pop("requester")),
    "an alternative for another order": (
        "C12",
        lambda a: put(first_step(a, "therapy-alternatives-opt")["resource"], "id", "other"),
    ),
    "a delete with nothing in its place": (
        "C12",
        lambda a: put(
            card(a, "therapy-alternatives-opt")["suggestions"][0],
            "actions",
            [{"type": "delete", "description": "x", "resourceId": "ServiceRequest/cca-07-order-1"}],
        ),
    ),
    "a created patient": (
        "C13",
        lambda a: put(
            card(a, "therapy-alternatives-opt")["suggestions"][0],
            "actions",
            [{"type": "create", "description": "x", "resource": {"resourceType": "Patient"}}],
        ),
    ),
}


@pytest.mark.parametrize(("check", "spoil"), FAULTS.values(), ids=FAULTS)
def test_a_seeded_fault_is_caught(exchanges, check, spoil):
    good = exchanges["cca-07"]
    assert good.failures() == []
    spoilt = copy.deepcopy(good.response)
    spoil(spoilt)
    found = Exchange(good.request, 200, spoilt).failures()
    assert check in {name for name, _ in found}, found


def test_a_call_that_fails_is_caught(exchanges):
    good = exchanges["cca-07"]
    assert Exchange(good.request, 500, good.response).failures()
    assert Exchange(good.request | {"hookInstance": "x"}, 200, good.response).failures()
    anonymous = good.request | {"context": good.request["context"] | {"userId": "someone"}}
    assert Exchange(anonymous, 200, good.response).failures()


@pytest.mark.parametrize("member", ["hook", "id", "description"])
def test_a_service_that_lacks_something_is_caught(member):
    sound = {"services": [{"hook": "order-sign", "id": "x", "description": "y"}]}
    assert discovery_failures(200, sound) == []
    del sound["services"][0][member]
    assert discovery_failures(200, sound)
    assert discovery_failures(500, sound)
    assert discovery_failures(200, {"services": {}})


LACKING = {
    "E external reference": lambda answer: put(answer, "cards", [
        one for one in answer["cards"] if "links" not in one]),
    "E instructions": lambda answer: put(answer, "cards", [
        one for one in answer["cards"] if {"links", "suggestions"} & set(one)]),
    "E coverage information": lambda answer: put(answer, "systemActions", []),
}  # fmt: skip


@pytest.mark.parametrize(("name", "spoil"), LACKING.items(), ids=LACKING)
def test_what_is_never_shown_is_caught(exchanges, name, spoil):
    made = []
    for one in exchanges.values():
        answer = copy.deepcopy(one.response)
        spoil(answer)
        made.append(Exchange(one.request, 200, answer))
    assert name in suite_failures(made)
