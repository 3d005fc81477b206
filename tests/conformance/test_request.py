"""CDS Hooks, calls: what a service accepts, refuses and makes of prefetch and fhirServer."""

import copy
import logging
import time

import pytest

from cds_service.hooks.blueprint import ARRIVED
from tests.conformance.ehr import (
    CARD,
    INSTANCE,
    REVIEW,
    SELECT,
    HookResponse,
    bundle,
    call,
    client,
    client_of,
    evaluations,
    gives,
    grant,
    of_type,
    prefetch,
    request,
    server_answers,
    service,
    serving,
    told,
)
from tests.http.fault_server import fails, link, slow

requirement = pytest.mark.requirement
CLEAR = "appear met"
FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}


def refused(answer, status, place=None):
    assert answer.status_code == status, answer.text
    (issue,) = answer.get_json(force=True)["issue"]
    assert place is None or issue["expression"] == [place]
    return issue["diagnostics"]


def good(**more):
    return request(prefetch=prefetch(), **more)


@requirement(20, 25, 36)
def test_a_call_with_everything_in_prefetch_needs_no_server():
    answer = call(good())
    (found,) = evaluations(answer)
    assert found["determination"] == "covered"
    assert {one["query"] for one in found["unread"]} <= {"Practitioner", "PractitionerRole"}
    assert CLEAR in told(answer)


@requirement(20, 22)
@pytest.mark.parametrize("name", ["hook", "hookInstance", "context"])
def test_a_required_member_that_is_missing_is_named(name):
    made = good()
    del made[name]
    assert name in refused(call(made), 400, name)


@requirement(20)
@pytest.mark.parametrize(
    ("name", "value"),
    [("hookInstance", "one"), ("fhirServer", "fhir"), ("prefetch", [1]), ("context", "x")],
)
def test_a_member_of_the_wrong_kind_is_named(name, value):
    refused(call(good() | {name: value}), 400, name)


@requirement(20)
def test_a_token_comes_with_its_server():
    refused(call(good(fhirAuthorization=grant())), 400, "fhirServer")


@requirement(20, 3)
@pytest.mark.parametrize("name", ["fhirServer", "fhirAuthorization", "extension"])
def test_a_null_is_read_as_left_out(name):
    assert call(good() | {name: None}).status_code == 200


def add_members(context, order):
    context["selections"] = ["ServiceRequest/x"]
    context["tomorrow"] = {"a": [None]}
    context["draftOrders"]["tomorrow"] = 1
    order["tomorrow"] = {"value": None}


@requirement(21)
def test_unknown_members_are_tolerated_everywhere():
    made = request(add_members, prefetch=prefetch(tomorrow={"resourceType": "Bundle"}), future=[1])
    made["prefetch"]["patient"] = made["prefetch"]["patient"] | {"tomorrow": [{"x": 1}]}
    found = evaluations(call(made))
    assert [one["determination"] for one in found] == ["covered"]


@requirement(22)
@pytest.mark.parametrize("name", ["patientId", "userId", "draftOrders"])
def test_a_context_without_a_required_member_is_no_unknown_service(name):
    def drop(context, order):
        del context[name]

    refused(call(request(drop, prefetch=prefetch())), 400, f"context.{name}")


@requirement(22)
def test_a_service_refuses_another_hook():
    assert "order-sign" in refused(call(good() | {"hook": "order-select"}), 400, "hook")


@requirement(22)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"hook": NaN}', b'{"a": 1, "a": 2}'])
def test_what_is_no_json_object_is_refused(body):
    answer = client_of().post("/cds-services/review", data=body, content_type="application/json")
    refused(answer, 400)


@requirement(23)
def test_the_same_instance_again_is_answered_again():
    first, again = call(good()), call(good())
    assert first.get_json() == again.get_json()
    assert again.status_code == 200


@requirement(24)
def test_an_answer_leaves_in_time_when_the_server_hangs():
    with serving(server_answers(Condition=slow(3))) as server:
        made = request(prefetch={"patient": of_type("Patient")[0]}, fhirServer=server.base)
        start = time.monotonic()
        answer = call(made, DEADLINE="0.5")
        assert time.monotonic() - start < 2
    assert {"timeout"} == {one["reason"] for one in evaluations(answer)[0]["unread"]}
    assert CLEAR not in told(answer)


@requirement(24)
def test_time_spent_in_line_is_time_of_the_call():
    with serving(server_answers(Condition=slow(3))) as server:
        made = request(prefetch={"patient": of_type("Patient")[0]}, fhirServer=server.base)
        start = time.monotonic()
        answer = client().post(REVIEW, json=made, environ_overrides={ARRIVED: start - 60})
        assert time.monotonic() - start < 2
    assert answer.status_code == 412


@requirement(25, 27)
@pytest.mark.parametrize("key", sorted(prefetch()))
def test_what_prefetch_lacks_is_read_from_the_server(key):
    held = prefetch()
    del held[key]
    with serving(server_answers()) as server:
        answer = call(request(prefetch=held, fhirServer=server.base))
    (found,) = evaluations(answer)
    assert (found["determination"], found["unread"]) == ("covered", [])
    assert server.asked


@requirement(25)
def test_what_a_payers_policy_needs_is_read_for_orders_in_scope_alone():
    def other(_context, order):
        order["code"] = {"text": "Chest x-ray, two views"}

    asked = {}
    for name, change in {"massage": None, "x-ray": other}.items():
        with serving(server_answers()) as server:
            assert call(request(change, fhirServer=server.base)).status_code == 200
        asked[name] = {query.split("&code")[0] for query in server.asked}
    beyond = asked["massage"] - asked["x-ray"]
    assert beyond
    assert asked["x-ray"] < asked["massage"]


@requirement(26)
def test_null_is_asked_and_empty():
    with serving(server_answers()) as server:
        answer = call(request(prefetch=prefetch(flags=None, goals=None), fhirServer=server.base))
    assert not [query for query in server.asked if query.startswith("Goal")]
    assert evaluations(answer)[0]["determination"] == "conditional"


@requirement(26)
def test_an_empty_bundle_is_asked_and_empty():
    with serving(server_answers()) as server:
        call(request(prefetch=prefetch(goals=bundle()), fhirServer=server.base))
    assert not [query for query in server.asked if query.startswith("Goal")]


@requirement(26)
@pytest.mark.parametrize("value", [FAILED, bundle(FAILED)], ids=["value", "entry"])
def test_an_outcome_is_an_error_that_is_told(value):
    answer = call(request(prefetch=prefetch(conditions=value)))
    assert "outcome-timeout" in {one["reason"] for one in evaluations(answer)[0]["unread"]}
    assert CLEAR not in told(answer)


@requirement(26)
@pytest.mark.parametrize("value", [{}, {"resourceType": "List"}, "x", 7])
def test_a_value_that_is_no_answer_counts_as_not_sent(value):
    with serving(server_answers()) as server:
        answer = call(request(prefetch=prefetch(conditions=value), fhirServer=server.base))
    assert any(query.startswith("Condition") for query in server.asked)
    assert evaluations(answer)[0]["determination"] == "covered"


def paged(url):
    return prefetch(goals=bundle(link=link(url)))


@requirement(28)
def test_the_next_page_is_followed_at_the_server_with_the_token():
    page = {"goals-2": gives(bundle(*of_type("Goal")))}
    with serving(server_answers(**page)) as server:
        held = paged(f"{server.base}/goals-2")
        answer = call(request(prefetch=held, fhirServer=server.base, fhirAuthorization=grant()))
    assert evaluations(answer)[0]["determination"] == "covered"
    assert "goals-2" in server.asked
    assert set(server.tokens) == {"Bearer s3cret-token"}


@requirement(28, 33)
def test_a_page_elsewhere_is_not_followed_and_is_a_hole():
    with serving(server_answers(Goal=fails(500))) as server, serving({}) as other:
        held = paged(f"{other.base}/goals-2")
        answer = call(request(prefetch=held, fhirServer=server.base, fhirAuthorization=grant()))
    assert other.asked == []
    (found,) = evaluations(answer)
    assert "Goal" in {one["query"] for one in found["unread"]}
    assert not [item for item in found["missing"] if item["blocking"]]
    assert CLEAR not in told(answer)


@requirement(29)
def test_what_can_be_had_neither_way_is_a_failed_precondition():
    words = refused(call(request()), 412)
    assert "Patient" in words
    assert "prefetch" in words


@requirement(29)
def test_what_is_empty_is_no_failed_precondition():
    nothing = {key: None for key in prefetch() if key != "patient"}
    answer = call(request(prefetch=nothing | {"patient": of_type("Patient")[0]}))
    assert answer.status_code == 200
    assert told(answer)


@requirement(30, 31)
def test_the_token_goes_with_every_call_back():
    with serving(server_answers()) as server:
        answer = call(request(fhirServer=server.base, fhirAuthorization=grant()))
    assert evaluations(answer)[0]["determination"] == "covered"
    assert set(server.tokens) == {"Bearer s3cret-token"}


@requirement(30)
@pytest.mark.parametrize("lacking", ["expires_in", "scope", "subject", "patient", "token_type"])
def test_a_grant_is_used_though_a_member_is_missing(lacking):
    with serving(server_answers()) as server:
        made = request(fhirServer=server.base, fhirAuthorization=grant(**{lacking: None}))
        assert evaluations(call(made))[0]["determination"] == "covered"


@requirement(30)
@pytest.mark.parametrize("kind", ["bearer", "BEARER"])
def test_a_grant_is_used_however_its_type_is_written(kind):
    with serving(server_answers()) as server:
        made = request(fhirServer=server.base, fhirAuthorization=grant(token_type=kind))
        assert evaluations(call(made))[0]["determination"] == "covered"
    assert set(server.tokens) == {"Bearer s3cret-token"}


@requirement(30)
@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"access_token": None}, "fhirAuthorization.access_token"),
        ({"access_token": "a b"}, "fhirAuthorization.access_token"),
        ({"token_type": "mac"}, "fhirAuthorization.token_type"),
    ],
)
def test_a_grant_that_cannot_be_used_is_refused(change, place):
    made = good(fhirServer="http://127.0.0.1:9/fhir", fhirAuthorization=grant(**change))
    refused(call(made), 400, place)


@requirement(31)
def test_the_token_is_never_told_again(caplog):
    with caplog.at_level(logging.DEBUG), serving(server_answers(Condition=fails(401))) as server:
        answer = call(request(fhirServer=server.base, fhirAuthorization=grant()))
    assert "s3cret-token" not in answer.text + caplog.text


@requirement(32)
def test_a_token_for_another_patient_is_refused_before_any_call():
    with serving(server_answers()) as server:
        made = request(fhirServer=server.base, fhirAuthorization=grant(patient="somebody"))
        refused(call(made), 403, "fhirAuthorization.patient")
    assert server.asked == []


@requirement(32)
@pytest.mark.parametrize(
    ("scope", "unread"),
    [
        ("patient/*.read", set()),
        ("patient/*.rs launch", set()),
        ("user/Goal.s patient/*.cruds", set()),
        ("patient/Patient.read patient/Coverage.rs patient/Organization.r", {"not-authorised"}),
    ],
)
def test_scopes_of_both_versions_are_read_before_calling(scope, unread):
    with serving(server_answers()) as server:
        made = request(fhirServer=server.base, fhirAuthorization=grant(scope=scope))
        made["prefetch"] = prefetch()
        del made["prefetch"]["goals"]
        answer = call(made)
    assert {one["reason"] for one in evaluations(answer)[0]["unread"]} == unread
    assert bool(unread) != any(query.startswith("Goal") for query in server.asked)


@requirement(33)
@pytest.mark.parametrize(
    "server",
    ["http://169.254.169.254/latest", "https://10.0.0.1/fhir", "http://metadata.internal/fhir"],
)
def test_a_server_that_is_not_listed_is_never_called(server):
    assert "not-allowed" in refused(call(request(fhirServer=server)), 412)


@requirement(33)
def test_a_redirect_elsewhere_is_not_followed():
    with serving({}) as other:
        moved = fails(302, Location=f"{other.base}/Condition")
        with serving(server_answers(Condition=moved)) as server:
            answer = call(request(fhirServer=server.base, fhirAuthorization=grant()))
    assert other.asked == []
    assert evaluations(answer)[0]["determination"] == "conditional"


@requirement(34)
def test_an_open_server_on_this_machine_needs_no_token():
    with serving(server_answers()) as server:
        assert evaluations(call(request(fhirServer=server.base)))[0]["determination"] == "covered"
    assert set(server.tokens) == {None}


def foreign(resource):
    stranger = {"reference": "Patient/stranger"}
    return {**copy.deepcopy(resource), "subject": stranger, "id": "foreign"}


@requirement(35)
@pytest.mark.parametrize("route", ["prefetch", "server"])
def test_what_belongs_to_another_patient_is_dropped_and_told(route):
    strange = bundle(*map(foreign, of_type("Condition")))
    if route == "prefetch":
        answer = call(request(prefetch=prefetch(conditions=strange)))
    else:
        with serving(server_answers(Condition=gives(strange))) as server:
            answer = call(request(fhirServer=server.base))
    (found,) = evaluations(answer)
    assert "another-patient" in {one["reason"] for one in found["unread"]}
    assert "Condition/foreign" not in answer.text
    assert CLEAR not in told(answer)


@requirement(35, 22)
def test_an_order_for_another_patient_is_refused():
    def other(context, order):
        order["subject"] = {"reference": "Patient/stranger"}

    refused(call(request(other, prefetch=prefetch())), 422)


@requirement(2)
def test_a_bundle_with_fhir_json_is_read_and_no_other_notation():
    text = request(prefetch=prefetch())
    text["context"]["draftOrders"] = "<Bundle/>"
    refused(call(text), 400, "context.draftOrders")
    data = b'{"hook": "order-sign", /* no */ "context": {}}'
    answer = client_of().post("/cds-services/review", data=data, content_type="application/json")
    refused(answer, 400)


@requirement(21, 23)
def test_an_instance_in_capitals_is_the_same_instance():
    kept = []

    def handler(asked):
        kept.append(asked.hook_instance)
        return HookResponse([CARD])

    body = good() | {"hookInstance": INSTANCE.upper()}
    assert client_of(service(handler=handler)).post("/cds-services/review", json=body).json
    assert kept == [INSTANCE]


@requirement(22)
def test_order_select_demands_selections():
    made = good() | {"hook": "order-select"}
    refused(call(made, SELECT), 400, "context.selections")
