"""CDS Hooks, answers: what every card of the demo's patients keeps to, and what would break it."""

import copy
import json
import logging
import re
from uuid import UUID

import pytest

from cds_service.hooks.errors import HookError
from cds_service.hooks.response import check_response, finish
from fhir_fixtures.generate import scenarios
from tests.conformance.ehr import (
    CARD,
    INSTANCE,
    REVIEW,
    HookResponse,
    call,
    client,
    client_of,
    evaluations,
    prefetch,
    request,
    server_answers,
    service,
    serving,
    told,
)
from tests.hook_calls import assert_outcome, changed
from tests.http.fault_server import fails
from tests.live import FhirServer, serve

requirement = pytest.mark.requirement
ORDER = {"resourceType": "ServiceRequest", "id": "sr-1"}
UPDATE = {"type": "update", "description": "Split", "resource": ORDER}
CREATE = {"type": "create", "description": "Order", "resource": {"resourceType": "Task"}}
DELETE = {"type": "delete", "description": "Withdraw", "resourceId": "ServiceRequest/sr-1"}
CLICK = {"uuid": "11111111-2222-4333-8444-555555555555", "label": "Do it", "actions": [UPDATE]}
REASON = {"system": "http://example.org", "code": "x", "display": "X"}
LINK = {"label": "L", "url": "https://example.org/app", "type": "smart", "appContext": "c"}


@pytest.fixture(scope="module")
def calls():
    """Return (request, answer) for every patient of the demo."""
    built = [one for _, one in scenarios()]
    with serve(FhirServer([one.record for one in built]).app) as url:
        asked = [one.request | {"fhirServer": f"{url}/fhir"} for one in built]
        return [(made, call(made).get_json()) for made in asked]


@pytest.fixture(scope="module")
def cards(calls):
    found = [card for _, answer in calls for card in answer["cards"]]
    assert found
    return found


@pytest.fixture(scope="module")
def clicks(cards):
    return [click for card in cards for click in card.get("suggestions", ())]


def problems(**card):
    return " ".join(check_response({"cards": [{**CARD, **card}]}))


def with_click(**click):
    return problems(suggestions=[{**CLICK, **click}], selectionBehavior="any")


def with_action(**action):
    return with_click(actions=[action])


def nodes(value):
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from nodes(item)


@requirement(36)
def test_an_answer_is_an_object_with_cards(calls):
    assert all(set(answer) == {"cards"} for _, answer in calls)
    assert any(answer["cards"] for _, answer in calls)
    assert "cards" in " ".join(check_response({}))


@requirement(36, 3)
def test_nothing_to_say_is_an_empty_array():
    def withdraw(context, order):
        order["status"] = "revoked"

    answer = call(request(withdraw, prefetch=prefetch()) | {"extension": {}})
    assert (answer.status_code, answer.get_json()) == (200, {"cards": []})


@requirement(3)
def test_no_member_is_null_or_empty(cards):
    for card in cards:
        plain = copy.deepcopy(card)
        for click in plain.get("suggestions", ()):
            for action in click.get("actions", ()):
                action.pop("resource", None)
        assert not [one for one in nodes(plain) if one is None or one in ("", [], {})]


@requirement(3)
@pytest.mark.parametrize("name", ["detail", "links", "suggestions", "overrideReasons", "extension"])
@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_an_empty_member_breaks_the_schema(name, empty):
    assert name in problems(**{name: empty})


@requirement(37)
def test_every_card_has_a_uuid_that_a_retry_repeats(calls, cards):
    ids = [card["uuid"] for card in cards]
    assert all(str(UUID(one)) == one for one in ids)
    assert len(ids) == len(set(ids))
    again = call(request(prefetch=prefetch())).get_json()
    assert again == call(request(prefetch=prefetch())).get_json()
    assert "uuid" in problems(uuid=f"urn:uuid:{INSTANCE}")


@requirement(38)
def test_a_summary_is_one_line_of_fewer_than_140_characters(cards):
    assert all(0 < len(card["summary"]) < 140 for card in cards)
    assert not any("\n" in card["summary"] for card in cards)
    assert "summary" in problems(summary="x" * 140)
    assert "summary" in problems(summary="one\ntwo")


@requirement(39)
def test_a_record_cannot_put_html_or_links_into_a_card():
    nasty = "<script>alert(1)</script> [x](javascript:alert(1)) **b** http://evil.example"

    def change(context, order):
        order["bodySite"] = [{"text": nasty}]
        order["code"]["text"] = nasty

    shown = told(call(request(change, prefetch=prefetch())))
    assert shown
    assert "<script" not in shown
    assert not re.search(r"(?<!\\)\]\(javascript:", shown)
    assert "http://evil" not in shown


@requirement(40)
def test_the_indicator_is_one_of_three(cards):
    assert {card["indicator"] for card in cards} == {"info", "warning", "critical"}
    assert "indicator" in problems(indicator="hard-stop")


@requirement(41, 42)
def test_the_source_has_a_label_and_a_topic(cards):
    for card in cards:
        assert card["source"]["label"]
        assert {"system", "code", "display"} == set(card["source"]["topic"])
    assert "source.label" in problems(source={"url": "https://example.org"})
    assert "source.url" in problems(source={"label": "G", "url": "/relative"})
    assert "topic.system" in problems(source={"label": "G", "topic": {"code": "x"}})


@requirement(43)
def test_suggestions_say_how_many_may_be_chosen(cards):
    offering = [card for card in cards if "suggestions" in card]
    assert offering
    assert {card["selectionBehavior"] for card in offering} <= {"at-most-one", "any"}
    assert "selectionBehavior" in problems(suggestions=[CLICK])
    two = [{**CLICK, "isRecommended": True}, {**CLICK, "uuid": INSTANCE, "isRecommended": True}]
    assert "suggestions" in problems(suggestions=two, selectionBehavior="at-most-one")
    assert problems(suggestions=two, selectionBehavior="any") == ""


@requirement(44)
def test_a_suggestion_has_a_label_and_a_uuid(clicks):
    assert clicks
    for click in clicks:
        assert click["label"]
        assert str(UUID(click["uuid"])) == click["uuid"]
        assert "actionSelectionBehavior" not in click
    assert "label" in with_click(label="")
    assert "uuid" in with_click(uuid=None)
    assert "actionSelectionBehavior" in with_click(actionSelectionBehavior="all")


@requirement(45)
def test_an_action_is_whole(clicks):
    actions = [action for click in clicks for action in click["actions"]]
    assert {action["type"] for action in actions} <= {"create", "update", "delete"}
    assert all(action["description"] for action in actions)
    for action in actions:
        assert ("resourceId" in action) == (action["type"] == "delete")
        assert ("resource" in action) == (action["type"] != "delete")


@requirement(45)
@pytest.mark.parametrize(
    ("action", "place"),
    [
        ({**UPDATE, "type": "UPDATE"}, "type"),
        ({**UPDATE, "description": ""}, "description"),
        ({**UPDATE, "resource": json.dumps(ORDER)}, "resource"),
        ({"type": "create", "description": "x"}, "resource"),
        ({**DELETE, "resource": ORDER}, "resource"),
        ({"type": "delete", "description": "x"}, "resourceId"),
        ({**DELETE, "resourceId": "sr-1"}, "resourceId"),
    ],
)
def test_an_action_that_is_not_whole_breaks_the_schema(action, place):
    assert f"actions[0].{place}" in with_action(**action)
    assert with_action(**UPDATE) == with_action(**CREATE) == with_action(**DELETE) == ""


@requirement(45, 46)
def test_an_update_echoes_all_of_the_order_it_changes(calls):
    changed_orders = 0
    for made, answer in calls:
        drafts = [entry["resource"] for entry in made["context"]["draftOrders"]["entry"]]
        for card in answer["cards"]:
            for click in card.get("suggestions", ()):
                for action in click["actions"]:
                    if action["type"] != "update":
                        continue
                    changed_orders += 1
                    (draft,) = [one for one in drafts if one["id"] == action["resource"]["id"]]
                    assert set(draft) - set(action["resource"]) <= {"occurrenceTiming"}
    assert changed_orders


@requirement(46)
def test_an_order_without_an_id_is_never_updated():
    def without_id(context, order):
        order["id"] = None
        order["quantityQuantity"] = {"value": 40}
        order["occurrenceTiming"] = {"repeat": {"count": 40}}

    answer = call(request(without_id, prefetch=prefetch()))
    actions = [
        action
        for card in answer.get_json()["cards"]
        for click in card.get("suggestions", ())
        for action in click["actions"]
    ]
    assert not [action for action in actions if action["type"] == "update"]
    assert "resource.id" in with_action(**{**UPDATE, "resource": {"resourceType": "Task"}})


@requirement(47, 42)
def test_reasons_for_going_on_have_a_display(cards):
    reasons = [reason for card in cards for reason in card.get("overrideReasons", ())]
    assert reasons
    assert all({"system", "code", "display"} == set(reason) for reason in reasons)
    assert "display" in problems(overrideReasons=[{"system": "http://e.org", "code": "x"}])
    assert problems(overrideReasons=[REASON]) == ""


@requirement(48)
def test_links_keep_the_rules_of_links():
    assert problems(links=[LINK]) == ""
    assert "appContext" in problems(links=[{**LINK, "type": "absolute"}])
    assert "autoLaunchable" in problems(links=[{**LINK, "autoLaunchable": True}])
    assert "autolaunchable" in problems(links=[{**LINK, "autolaunchable": "yes"}])
    assert "links[0].url" in problems(links=[{**LINK, "url": "app"}])
    for name in ("label", "url", "type"):
        assert name in problems(links=[{key: LINK[key] for key in LINK if key != name}])


@requirement(48)
def test_no_red_flag_opens_an_app_by_itself(cards):
    assert not [
        link for card in cards for link in card.get("links", ()) if "autolaunchable" in link
    ]


@requirement(49, 36)
def test_system_actions_stand_at_the_top_or_not_at_all():
    assert "systemActions" not in finish(HookResponse([]), INSTANCE, strict=True)
    acting = finish(HookResponse([], [UPDATE]), INSTANCE, strict=True)
    assert acting == {"cards": [], "systemActions": [UPDATE]}
    assert "systemActions" in " ".join(check_response({"cards": [], "systemActions": []}))


@requirement(49)
def test_a_service_that_acts_always_says_how():
    crd = service("order-sign-crd", acts=True)
    answer = client_of(crd).post("/cds-services/order-sign-crd", json=changed("prefetch"))
    assert answer.get_json()["systemActions"] == []


@requirement(50)
def test_each_call_is_judged_anew():
    covered = evaluations(call(request(prefetch=prefetch())))
    without = evaluations(call(request(prefetch=prefetch(goals=None))))
    again = evaluations(call(request(prefetch=prefetch())))
    assert covered == again
    assert covered[0]["determination"] != without[0]["determination"]


@requirement(51)
def test_an_extension_is_an_object(cards):
    assert all(isinstance(card["extension"], dict) for card in cards if "extension" in card)
    assert "extension" in problems(extension=[{"url": "x"}])
    assert "extension" in " ".join(check_response({"cards": [], "extension": [1]}))


@requirement(52)
def test_of_several_orders_the_summary_says_which():
    def two(context, order):
        second = {**copy.deepcopy(order), "id": "second", "bodySite": [{"text": "neck"}]}
        third = copy.deepcopy(order) | {"id": "third"}
        third["code"] = {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}
        context["draftOrders"]["entry"] += [{"resource": second}, {"resource": third}]

    answer = call(request(two, prefetch=prefetch()))
    (card, *_) = answer.get_json()["cards"]
    assert "97124" in card["summary"]
    assert card["extension"]["massage-cds.orders"] == [
        f"ServiceRequest/{made}" for made in (of_order()["id"], "second")
    ]


def of_order():
    return request()["context"]["draftOrders"]["entry"][0]["resource"]


@requirement(58)
@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("POST", REVIEW, {"data": b"{", "content_type": "application/json"}, 400),
        ("POST", "/cds-services/unknown", {"json": {}}, 404),
        ("GET", REVIEW, {}, 405),
        ("POST", REVIEW, {"data": b"{}", "content_type": "text/plain"}, 415),
        ("POST", REVIEW, {"json": {"x": "y" * 3000}}, 413),
    ],
)
def test_a_refusal_is_an_operation_outcome(method, path, more, status):
    answer = client(MAX_BODY="2048").open(path, method=method, **more)
    assert_outcome(answer, status)


@requirement(58)
@pytest.mark.parametrize("status", [401, 403, 412, 422, 429, 503])
def test_every_other_refusal_has_the_same_shape(status):
    def handler(asked):
        raise HookError(status, "processing", "because")

    answer = client_of(service(handler=handler)).post("/cds-services/review", json=changed("x", 1))
    assert_outcome(answer, status, "because")


@requirement(58)
def test_a_failure_tells_nothing_of_the_inside(caplog):
    def handler(asked):
        raise ValueError("Jane Roe has M54.50")

    with caplog.at_level(logging.DEBUG):
        failing = client_of(service(handler=handler), testing=False)
        answer = failing.post("/cds-services/review", json=changed("x", 1))
    assert_outcome(answer, 500, INSTANCE)
    assert "Jane" not in answer.text + caplog.text
    assert "Traceback" not in answer.text


@requirement(59)
def test_a_failure_is_never_an_empty_answer():
    def handler(asked):
        raise ValueError("broken")

    failing = client_of(service(handler=handler), testing=False)
    assert failing.post("/cds-services/review", json=changed("x", 1)).status_code == 500


@requirement(59)
def test_what_could_not_be_read_is_said_on_a_card():
    with serving(server_answers(Condition=fails(500))) as server:
        answer = call(request(fhirServer=server.base))
    assert "could not be read" in told(answer)
    assert "appear met" not in told(answer)


@requirement(59)
@pytest.mark.parametrize(("status", "asked"), [(500, False), (403, False), (404, True)])
def test_a_reason_that_could_not_be_read_is_not_asked_for(status, asked):
    def change(_context, order):
        order.pop("reasonCode", None)
        order["reasonReference"] = [{"reference": "Condition/lost"}]

    answers = server_answers() | {"Condition/lost": fails(status)}
    with serving(answers) as server:
        (found,) = evaluations(call(request(change, fhirServer=server.base)))
    assert found["determination"] == "conditional"
    missing = {item["id"] for item in found["missing"] if item["blocking"]}
    assert ("CCA-D1a" in missing) is asked
    assert ("Condition", f"http-{status}") in {(u["query"], u["reason"]) for u in found["unread"]}


@requirement(70)
def test_a_card_tells_the_day_and_the_dates_of_the_data():
    answer = call(request(prefetch=prefetch()))
    (found,) = evaluations(answer)
    detail = answer.get_json()["cards"][0]["detail"]
    assert found["date"] in detail
    days = {one["date"][:10] for c in found["criteria"] for one in c["evidence"] if one["date"]}
    assert days & set(re.findall(r"\d{4}-\d{2}-\d{2}", detail))


@requirement(2)
def test_what_is_suggested_is_fhir(clicks):
    made = [a["resource"] for c in clicks for a in c["actions"] if "resource" in a]
    assert made
    assert all(one["resourceType"] and "<" not in one["resourceType"] for one in made)


@requirement(68)
def test_a_web_page_that_is_listed_may_call():
    page = "https://ehr.example.org"
    caller = client(CORS_ORIGINS=page)
    asked = {
        "Origin": page,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    for path in ("/cds-services", REVIEW, f"{REVIEW}/feedback"):
        leave = caller.options(path, headers=asked)
        assert leave.status_code in (200, 204)
        assert leave.headers["Access-Control-Allow-Origin"] == page
        assert "authorization" in leave.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in leave.headers
    refused = caller.post(REVIEW, json={}, headers={"Origin": page})
    assert refused.headers["Access-Control-Allow-Origin"] == page
    other = caller.get("/cds-services", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in other.headers
