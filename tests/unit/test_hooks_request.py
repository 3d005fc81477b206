import copy

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.hooks.errors import HookError
from cds_service.hooks.request import EXPLAIN, parse_json, parse_request, read_request
from tests.hook_calls import INSTANCE, REQUEST, changed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def paths(node, path=()):
    yield path
    if isinstance(node, dict):
        children = node.items()
    else:
        children = enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from paths(child, (*path, key))


PATHS = [path for path in paths(REQUEST) if path]


def test_a_request_is_read():
    request = parse_request(orjson.dumps(REQUEST), "order-sign")
    assert (request.hook, request.hook_instance) == ("order-sign", INSTANCE)
    assert (request.patient_id, request.user_id) == ("p1", "Practitioner/COREPRACTITIONER1")
    assert request.encounter_id is None
    assert request.fhir_server == "http://localhost:8090/fhir"
    assert request.selections == ("ServiceRequest/sr-1",)
    assert request.prefetch == {"conditions": None}
    assert request.authorization is None
    assert not request.explain


def test_orders_keep_their_order_and_content():
    orders = [
        {"resourceType": "ServiceRequest", "id": "b", "x": {"kept": [None]}},
        {"resourceType": "MedicationRequest", "id": "a"},
        {"resourceType": "ServiceRequest"},
        {"resourceType": "ServiceRequest", "id": 7},
    ]
    entries = [{"resource": order} for order in orders]
    request = read_request(changed("context.draftOrders.entry", entries))
    assert [order.resource for order in request.draft_orders] == orders
    assert [order.position for order in request.draft_orders] == [1, 2, 3, 4]
    references = [order.reference for order in request.draft_orders]
    assert references == ["ServiceRequest/b", "MedicationRequest/a", "#3", "#4"]


@pytest.mark.parametrize(
    ("kind", "name"), [("MedicationRequest", "subject"), ("NutritionOrder", "patient")]
)
def test_an_order_for_another_patient_is_refused_whatever_its_type(kind, name):
    order = {"resourceType": kind, "id": "a", name: {"reference": "Patient/somebody"}}
    with pytest.raises(HookError) as caught:
        read_request(changed("context.draftOrders.entry", [{"resource": order}]))
    assert caught.value.status == 422
    assert caught.value.expression == f"context.draftOrders.entry[0].resource.{name}"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("e-1.2", "e-1.2"),
        ("Encounter/e1", "e1"),
        ("https://ehr.example.org/fhir/Encounter/e1", "e1"),
        ("Patient/e1", None),
        ("a b", None),
        ("../e1", None),
        (7, None),
    ],
)
def test_an_encounter_is_a_bare_id_or_none(written, read):
    request = read_request(changed("context.encounterId", written))
    assert request.encounter_id == read


def test_a_grant_is_read_and_its_token_never_shown():
    grant = {
        "access_token": "s3cret",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read patient/Condition.rs",
        "subject": "client",
        "patient": "p1",
    }
    request = read_request(changed("fhirAuthorization", grant))
    assert request.authorization is not None
    assert request.authorization.access_token == "s3cret"
    assert request.authorization.scope == grant["scope"]
    assert request.authorization.expires_in == 300
    assert "s3cret" not in repr(request)


def test_content_and_identifiers_stay_out_of_the_repr():
    request = read_request(changed("context.draftOrders.entry.0.resource.note", "Jane Roe"))
    for shown in (repr(request), repr(request.draft_orders[0])):
        assert not any(word in shown for word in ("Jane Roe", "p1", "sr-1", "Practitioner"))


def test_selections_are_references_in_an_array():
    context = REQUEST["context"] | {"selections": ["ServiceRequest/sr-1"]}
    request = read_request(REQUEST | {"hook": "order-select", "context": context})
    assert request.selections == ("ServiceRequest/sr-1",)
    for crooked in ("all", ["ServiceRequest/sr-1", None], [7]):
        with pytest.raises(HookError):
            read_request(
                REQUEST | {"hook": "order-select", "context": context | {"selections": crooked}}
            )


@pytest.mark.parametrize(
    ("selection", "positions"),
    [
        ("ServiceRequest/sr-1", [1]),
        ("https://ehr.example.org/fhir/ServiceRequest/sr-1", [1]),
        ("ServiceRequest/sr-1/_history/2", [1]),
        ("urn:uuid:4e0a3a1e-3283-4575-ab82-028d55fe2719", [2]),
        ("ServiceRequest/new", [3]),
    ],
)
def test_selections_name_draft_orders(selection, positions):
    order = REQUEST["context"]["draftOrders"]["entry"][0]
    new = {"resource": {"resourceType": "ServiceRequest"}}
    entries = [
        order,
        new | {"fullUrl": "urn:uuid:4e0a3a1e-3283-4575-ab82-028d55fe2719"},
        new | {"fullUrl": "https://ehr.example.org/fhir/ServiceRequest/new"},
    ]
    drafts = {"resourceType": "Bundle", "entry": entries}
    context = REQUEST["context"] | {"selections": [selection], "draftOrders": drafts}
    request = read_request(REQUEST | {"hook": "order-select", "context": context})
    assert [order.position for order in request.selected] == positions


@pytest.mark.parametrize("stray", ["sr-1", "MedicationRequest/sr-1", "ServiceRequest/other"])
def test_a_selection_that_is_no_draft_is_refused(stray):
    context = REQUEST["context"] | {"selections": ["ServiceRequest/sr-1", stray]}
    with pytest.raises(HookError) as caught:
        read_request(REQUEST | {"hook": "order-select", "context": context})
    assert (caught.value.status, caught.value.code) == (400, "value")
    assert caught.value.expression == "context.selections[1]"
    assert "such as ServiceRequest/123" in caught.value.diagnostics
    assert stray not in caught.value.diagnostics.replace("ServiceRequest/123", "")


def test_selections_of_other_hooks_are_passed_over():
    context = REQUEST["context"] | {"selections": ["other"]}
    assert read_request(REQUEST | {"context": context}).selections == ("other",)
    nothing = REQUEST["context"] | {"selections": []}
    assert read_request(REQUEST | {"hook": "order-select", "context": nothing}).selected == ()


@pytest.mark.parametrize(
    ("extension", "explain"),
    [({EXPLAIN: True}, True), ({EXPLAIN: "yes"}, False), ({}, False), (None, False), ([], False)],
)
def test_the_caller_may_ask_for_the_reasoning(extension, explain):
    assert read_request(changed("extension", extension)).explain is explain


@pytest.mark.parametrize(
    ("hook", "context", "missing"),
    [
        ("order-select", REQUEST["context"] | {"selections": None}, "context.selections"),
        ("order-dispatch", {"patientId": "p1", "performer": "x"}, "context.dispatchedOrders"),
        ("order-sign", {"patientId": "p1"}, "context.userId"),
        ("something-new", {"userId": "Practitioner/x"}, "context.patientId"),
    ],
)
def test_each_hook_has_its_required_context(hook, context, missing):
    with pytest.raises(HookError) as caught:
        read_request(REQUEST | {"hook": hook, "context": context})
    assert caught.value.expression == missing


def test_a_hook_without_draft_orders_has_none():
    context = {"patientId": "p1", "dispatchedOrders": ["ServiceRequest/1"], "performer": "x"}
    request = read_request(REQUEST | {"hook": "order-dispatch", "context": context})
    assert request.draft_orders == ()
    assert request.user_id is None


@settings(max_examples=150)
@given(st.sampled_from(PATHS), JSON)
def test_any_value_anywhere_is_read_or_refused(path, value):
    request = copy.deepcopy(REQUEST)
    node = request
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    assert outcome(read_request, request) in ("read", 400, 422)


@settings(max_examples=100)
@given(st.binary(max_size=60) | JSON.map(repr).map(lambda text: text.encode("utf-8", "replace")))
def test_any_body_is_an_object_or_refused(body):
    assert outcome(parse_json, body) in ("read", 400)


def outcome(read, value):
    try:
        assert read(value) is not None
    except HookError as error:
        return error.status
    return "read"
