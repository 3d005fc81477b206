"""Every worked case in both versions: judged by our own rules, and idempotent."""

import copy
import json

import pytest

from tests.crd import ehr
from tests.crd.kit import Exchange
from tests.crd.rules import breaches, information_of, is_uuid, part, parts
from tests.shared import SHARED, needs_shared

WRITTEN = sorted((SHARED / "cases").glob("*-*.json"))


def orders_of(body):
    return [entry["resource"] for entry in body["context"]["draftOrders"]["entry"]]


@pytest.fixture(params=ehr.names())
def body(request, fhir_server):
    return ehr.request_of(request.param) | {"fhirServer": fhir_server.url}


@pytest.mark.parametrize("version", ehr.VERSIONS)
def test_a_case_is_answered_by_the_rules_and_once(body, version):
    received = copy.deepcopy(orders_of(body))
    answer = ehr.call(body, version=version)
    sent = ehr.updated(answer)
    for order in received:
        if order["id"] not in sent:
            continue
        told = sent[order["id"]]
        assert {k: v for k, v in told.items() if k != "extension"} == order
        for one in information_of(told):
            assert breaches(one, version) == []
            assert is_uuid(part(one, "coverage-assertion-id"))
    again = ehr.call(carried(body, answer), version=version)
    assert again["systemActions"] == [], "nothing is new, and an action was sent"
    assert summaries(again) == summaries(answer)


def test_every_reason_says_what_it_is_about(body):
    subjects = ("Coverage", "Prior authorization: ", "Documentation: ", "Limits: ", "Not read: ")
    for version in ehr.VERSIONS:
        for one in ehr.information(ehr.call(body, version=version)):
            told = [reason["text"] for reason in parts(one, "reason")]
            assert all(text.startswith(subjects) for text in told)
            assert len({text.split(" ")[0] for text in told}) == len(told)


def test_no_answer_holds_needless_whitespace(body):
    sent = body | {"hook": "order-sign"}
    client = ehr.app().test_client()
    answer = client.post("/cds-services/order-sign-crd", json=sent, base_url=ehr.HOST)
    assert (
        answer.data
        == json.dumps(answer.get_json(), ensure_ascii=False, separators=(",", ":")).encode()
    )


def summaries(answer):
    return [(card["uuid"], card["summary"]) for card in answer["cards"]]


def test_each_order_in_scope_is_told_of(body):
    """Nobody who pays for a known policy is left without an answer."""
    review = ehr.call(body | {"extension": {"massage-cds.explain": True}}, version="2.2")
    asserted = {
        order: one["determination"]
        for one in review["extension"]["massage-cds.evaluations"]
        for order in one["orders"]
    }
    sent = {f"ServiceRequest/{name}" for name in ehr.updated(review)}
    assert sent == set(asserted)


def carried(body, answer):
    """Return the call with the orders that an answer updates in it."""
    made = copy.deepcopy(body)
    sent = ehr.updated(answer)
    for entry in made["context"]["draftOrders"]["entry"]:
        entry["resource"] = sent.get(entry["resource"]["id"], entry["resource"])
    return made


@pytest.mark.parametrize("name", ehr.demo_names())
@pytest.mark.parametrize("version", ehr.VERSIONS)
def test_the_demos_patients_are_answered_by_the_rules_and_once(name, version):
    body = ehr.request_of(name) | {"prefetch": ehr.prefetch_of(ehr.resources(name))}
    answer = ehr.call(body, version=version)
    for one in ehr.information(answer):
        assert breaches(one, version) == []
    assert ehr.call(carried(body, answer), version=version)["systemActions"] == []


def granted(body, answer, **more):
    """Return the call after the payer has authorized the orders under their assertions."""
    made = carried(body, answer)
    for entry in made["context"]["draftOrders"]["entry"]:
        for one in information_of(entry["resource"]):
            kept = [p for p in one["extension"] if p["url"] not in ("pa-needed", "reason")]
            satisfied = {"url": "pa-needed", "valueCode": "satisfied"}
            number = {"url": "satisfied-pa-id", "valueString": "A-1"} | more
            one["extension"] = [*kept, satisfied, number]
    return made


@pytest.mark.parametrize("version", ehr.VERSIONS)
def test_an_authorization_granted_since_stands_as_long_as_nothing_changes(version):
    body = ehr.request_of("cca-full-course")
    body |= {"prefetch": ehr.prefetch_of(ehr.resources("cca-full-course"))}
    answer = ehr.call(body, version=version)
    (told,) = ehr.information(answer)
    assert part(told, "pa-needed") == "auth-needed"
    settled = granted(body, answer)
    assert ehr.call(settled, version=version)["systemActions"] == []
    changed = copy.deepcopy(settled)
    orders_of(changed)[0]["occurrenceTiming"]["repeat"]["count"] += 1
    for other in (granted(body, answer, valueString=""), changed):
        (again,) = ehr.information(ehr.call(other, version=version))
        assert part(again, "pa-needed") != "satisfied"
        assert part(again, "satisfied-pa-id") is None


@needs_shared
@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
@pytest.mark.parametrize("version", ["2.0", "2.2"])
def test_the_cases_as_others_wrote_them(path, version):
    case = json.loads(path.read_text(encoding="utf-8"))
    found = [entry["resource"] for entry in case["record"]["entry"]]
    body = case["request"] | {"prefetch": ehr.prefetch_of(found)}
    answer = ehr.call(body, version=version)
    assert Exchange(body, 200, answer).failures() == []
    for order in ehr.updated(answer).values():
        assert [text for one in information_of(order) for text in breaches(one, version)] == []
    assert ehr.call(carried(body, answer), version=version)["systemActions"] == []
