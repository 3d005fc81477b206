import copy
from uuid import uuid4

import pytest

from cds_service.hooks.response import (
    HookResponse,
    check_response,
    finish,
    shorten,
    without_empties,
)
from tests.hook_calls import CARD, INSTANCE

ORDER = {
    "resourceType": "ServiceRequest",
    "id": "sr-1",
    "note": [],
    "_status": {"extension": [None]},
}
UPDATE = {"type": "update", "description": "Split the visits", "resource": ORDER}
CREATE = {"type": "create", "description": "Order", "resource": {"resourceType": "Task"}}
DELETE = {"type": "delete", "description": "Withdraw", "resourceId": "ServiceRequest/sr-1"}
SUGGESTION = {"uuid": str(uuid4()), "label": "Split", "actions": [UPDATE, CREATE, DELETE]}
FULL = {
    **CARD,
    "detail": "**Words**",
    "source": {
        "label": "G",
        "url": "https://example.org/g",
        "topic": {"system": "http://e.org", "code": "t"},
    },
    "suggestions": [SUGGESTION],
    "selectionBehavior": "any",
    "overrideReasons": [{"system": "http://e.org", "code": "x", "display": "X"}],
    "links": [{"label": "L", "url": "https://e.org/app", "type": "smart", "appContext": "c"}],
    "extension": {"org.example.x": None},
}


def full(**more):
    return {"cards": [copy.deepcopy(FULL) | more]}


def with_action(**action):
    return full(suggestions=[{**SUGGESTION, "actions": [action]}])


def test_a_full_card_keeps_every_rule():
    assert check_response(full()) == []
    assert check_response({"cards": []}) == []
    assert check_response({"cards": [], "systemActions": [UPDATE]}) == []


@pytest.mark.parametrize(
    ("response", "place"),
    [
        ({}, "cards"),
        ({"cards": None}, "cards"),
        ({"cards": [7]}, "cards[0]"),
        ({"cards": [], "systemActions": []}, "systemActions"),
        ({"cards": [], "systemActions": [{**CREATE, "description": None}]}, "description"),
        ({"cards": [], "extension": []}, "extension"),
        ({"cards": [], "extension": {}}, "extension"),
        (full(summary="x" * 140), "summary"),
        (full(summary=" "), "summary"),
        (full(indicator="hard-stop"), "indicator"),
        (full(uuid=None), "uuid"),
        (full(uuid=f"urn:uuid:{INSTANCE}"), "uuid"),
        (full(detail=""), "detail"),
        (full(source={}), "source.label"),
        (full(source=None), "source"),
        (full(source={"label": "G", "url": "/g"}), "source.url"),
        (full(source={"label": "G", "icon": "g.png"}), "source.icon"),
        (full(source={"label": "G", "topic": {"code": "t"}}), "topic.system"),
        (full(selectionBehavior="all"), "selectionBehavior"),
        (full(selectionBehavior=None), "selectionBehavior"),
        (full(suggestions=[]), "suggestions"),
        (full(suggestions={}), "suggestions"),
        (full(suggestions=[{**SUGGESTION, "label": ""}]), "label"),
        (full(suggestions=[{"label": "Split"}]), "suggestions[0].uuid"),
        (full(suggestions=[{**SUGGESTION, "isRecommended": "yes"}]), "isRecommended"),
        (
            full(suggestions=[{**SUGGESTION, "actionSelectionBehavior": "all"}]),
            "actionSelectionBehavior",
        ),
        (full(suggestions=[{**SUGGESTION, "uuid": CARD["uuid"]}]), "more than once"),
        (with_action(**{**UPDATE, "type": "UPDATE"}), "actions[0].type"),
        (with_action(type="update", resource=ORDER), "actions[0].description"),
        (with_action(**{**UPDATE, "resource": {"resourceType": "Task"}}), "resource.id"),
        (with_action(**{**UPDATE, "resource": "{}"}), "actions[0].resource"),
        (with_action(**{**CREATE, "resource": {"id": "x"}}), "actions[0].resource"),
        (with_action(**{**DELETE, "resource": ORDER}), "actions[0].resource"),
        (with_action(**{**DELETE, "resourceId": "sr-1"}), "actions[0].resourceId"),
        (with_action(**{**DELETE, "resourceId": None}), "actions[0].resourceId"),
        (with_action(**{**DELETE, "extension": "x"}), "extension"),
        (full(overrideReasons=[{"system": "http://e.org", "code": "x"}]), "display"),
        (full(overrideReasons=[]), "overrideReasons"),
        (full(links=[{"label": "L", "url": "https://e.org"}]), "links[0].type"),
        (full(links=[{"label": "L", "url": "app", "type": "absolute"}]), "links[0].url"),
        (
            full(
                links=[
                    {"label": "L", "url": "https://e.org", "type": "absolute", "appContext": "c"}
                ]
            ),
            "appContext",
        ),
        (
            full(
                links=[
                    {
                        "label": "L",
                        "url": "https://e.org",
                        "type": "smart",
                        "autoLaunchable": True,
                    }
                ]
            ),
            "autolaunchable",
        ),
        (full(extension=[{"url": "x"}]), "extension"),
    ],
)
def test_a_breach_is_named_with_its_place(response, place):
    problems = check_response(response)
    assert any(place in problem for problem in problems), problems


def test_one_recommendation_where_one_can_be_chosen():
    two = [{**SUGGESTION, "uuid": str(uuid4()), "isRecommended": True} for _ in range(2)]
    assert check_response(full(suggestions=two)) == []
    (problem,) = check_response(full(suggestions=two, selectionBehavior="at-most-one"))
    assert "cards[0].suggestions" in problem
    assert "one at most" in problem


def test_empties_are_left_out_but_not_of_resources_and_extensions():
    card = {"detail": "", "links": [], "a": {"b": {"c": None}}, "d": [None, {}, 0, False]}
    assert without_empties(card) == {"d": [0, False]}
    kept = {"resource": ORDER, "extension": {"x": None}}
    assert without_empties(kept) == kept


def test_the_answer_echoes_an_updated_order_as_it_was():
    body = finish(HookResponse([FULL]), INSTANCE, strict=True)
    assert body["cards"][0]["suggestions"][0]["actions"][0]["resource"] == ORDER


def test_an_answer_has_no_empty_members():
    bare = finish(HookResponse([]), INSTANCE, strict=True)
    assert bare == {"cards": []}
    explained = HookResponse([], extension={"massage-cds.evaluations": []})
    assert finish(explained, INSTANCE, strict=True)["extension"] == {"massage-cds.evaluations": []}


def test_system_actions_are_a_member_of_their_own():
    body = finish(HookResponse([], [UPDATE]), INSTANCE, strict=True)
    assert body == {"cards": [], "systemActions": [UPDATE]}


def test_a_service_that_acts_always_says_how():
    assert finish(HookResponse([]), INSTANCE, strict=True, acts=True)["systemActions"] == []
    assert check_response({"cards": [], "systemActions": []}, acts=True) == []
    assert check_response({"cards": [], "systemActions": [UPDATE]}, acts=True) == []
    assert "systemActions" in check_response({"cards": []}, acts=True)[0]
    (problem,) = check_response(
        {"cards": [], "systemActions": [{**UPDATE, "type": "x"}]}, acts=True
    )
    assert "systemActions[0].type" in problem


def test_a_breach_is_told_without_what_was_found():
    (problem,) = check_response(full(summary="Jane Roe " * 20))
    assert "Jane" not in problem
    assert problem.startswith("cards[0].summary must be one sentence of fewer than 140")


def test_missing_uuids_are_made_and_a_retry_repeats_them():
    card = {**FULL, "suggestions": [{"label": "Split"}]}
    del card["uuid"]
    first, again = (finish(HookResponse([card]), INSTANCE, strict=False) for _ in range(2))
    assert first == again
    assert check_response(first) == []
    assert finish(HookResponse([card]), str(uuid4()), strict=False) != first


def test_a_crooked_card_is_sent_and_logged(caplog):
    body = finish(HookResponse([{**CARD, "indicator": "hard-stop"}]), INSTANCE, strict=False)
    assert body["cards"][0]["indicator"] == "hard-stop"
    assert "indicator" in caplog.text
    assert INSTANCE in caplog.text


def test_strict_refuses_what_it_would_mend():
    with pytest.raises(ValueError, match="summary"):
        finish(HookResponse([{**CARD, "summary": "x" * 140}]), INSTANCE, strict=True)


@pytest.mark.parametrize("size", [1, 138, 139])
def test_a_summary_within_the_limit_stays(size):
    assert shorten("x" * size) == "x" * size


@pytest.mark.parametrize("summary", ["word " * 40, "x" * 200, "x" * 138 + " yy", "a, " * 60])
def test_a_long_summary_is_cut_at_a_word(summary):
    short = shorten(summary)
    assert len(short) <= 139
    assert short.endswith("…")
    assert summary.startswith(short[:-1])
