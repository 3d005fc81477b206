"""CDS Hooks, contexts: which draft orders are judged, however they are written."""

import copy

import pytest

from cds_service.hooks import schemas
from tests.conformance.ehr import (
    EXPLAIN,
    SELECT,
    call,
    evaluations,
    of_type,
    prefetch,
    request,
    told,
)

requirement = pytest.mark.requirement


def judged(change, path=None, **more):
    made = request(change, prefetch=prefetch(), **more)
    return evaluations(call(made, path) if path else call(made))


def another(order, name, **more):
    return {**copy.deepcopy(order), "id": name, **more}


def add(context, *orders):
    context["draftOrders"]["entry"] += [{"resource": order} for order in orders]


@requirement(21)
@pytest.mark.parametrize("status", ["draft", "active", "on-hold", "unknown", None])
def test_an_order_signed_again_is_judged_whatever_its_status(status):
    def sign(context, order):
        order["status"] = status

    assert [one["determination"] for one in judged(sign)] == ["covered"]


@requirement(21)
@pytest.mark.parametrize("status", ["entered-in-error", "revoked", "completed"])
def test_an_order_that_is_over_is_left_alone(status):
    def end(context, order):
        order["status"] = status

    assert judged(end) == []


@requirement(21, 45)
def test_new_and_revised_orders_are_judged_together():
    def mix(context, order):
        add(context, another(order, "revised", status="active"))

    (found,) = judged(mix)
    assert len(found["orders"]) == 2


@requirement(46)
def test_an_order_without_an_id_is_judged_by_its_place():
    def anonymous(context, order):
        order["id"] = None

    (found,) = judged(anonymous)
    assert (found["order"], found["determination"]) == ("#1", "covered")


@requirement(46)
def test_two_orders_without_ids_are_two_orders():
    def anonymous(context, order):
        second = another(order, None)
        order["id"] = None
        add(context, second)

    (found,) = judged(anonymous)
    assert found["orders"] == ["#1", "#2"]


REFERENCES = {
    "relative": "{}",
    "absolute": "https://ehr.example.org/fhir/{}",
    "version": "{}/_history/3",
}


@requirement(27)
@pytest.mark.parametrize("form", REFERENCES.values(), ids=REFERENCES)
def test_references_may_be_relative_absolute_or_of_a_version(form):
    (coverage,) = of_type("Coverage")

    def refer(context, order):
        order["subject"] = {"reference": form.format(order["subject"]["reference"])}
        order["insurance"] = [{"reference": form.format(f"Coverage/{coverage['id']}")}]

    (found,) = judged(refer, fhirServer="https://ehr.example.org/fhir")
    assert found["coverage"] == f"Coverage/{coverage['id']}"
    assert found["determination"] == "covered"


@requirement(27)
def test_what_an_order_contains_is_resolved():
    (reason,) = of_type("Condition")

    def contain(context, order):
        order.pop("reasonCode", None)
        order["contained"] = [{**copy.deepcopy(reason), "id": "why"}]
        order["reasonReference"] = [{"reference": "#why"}]

    assert [one["determination"] for one in judged(contain)] == ["covered"]


@requirement(52)
def test_of_several_orders_those_out_of_scope_are_left_alone():
    def mix(context, order):
        coding = {"system": "http://loinc.org", "code": "4548-4"}
        laboratory = another(order, "lab", code={"coding": [coding]})
        medicine = {"resourceType": "MedicationRequest", "id": "m", "status": "draft"}
        add(context, laboratory, medicine)

    (found,) = judged(mix)
    assert len(found["orders"]) == 1


@requirement(20)
def test_order_select_judges_what_is_selected_alone():
    def select(context, order):
        add(context, another(order, "second"))
        context["selections"] = ["ServiceRequest/second"]

    (found,) = judged(select, SELECT, hook="order-select")
    assert found["orders"] == ["ServiceRequest/second"]


@requirement(20)
def test_order_select_is_silent_when_nothing_in_scope_is_selected():
    def select(context, order):
        add(context, {"resourceType": "MedicationRequest", "id": "m"})
        context["selections"] = ["MedicationRequest/m"]

    made = request(select, prefetch=prefetch(), hook="order-select")
    assert call(made, SELECT).get_json()["cards"] == []


@requirement(22)
@pytest.mark.parametrize("stray", ["{id}", "ServiceRequest/none-of-them"])
def test_order_select_refuses_a_selection_that_names_no_draft(stray):
    def select(context, order):
        context["selections"] = [stray.format(id=order["id"])]

    made = request(select, prefetch=prefetch(), hook="order-select")
    answer = call(made, SELECT)
    (issue,) = answer.get_json(force=True)["issue"]
    assert answer.status_code == 400
    assert issue["expression"] == ["context.selections[0]"]
    assert "type and id" in issue["diagnostics"]


@requirement(40)
def test_order_select_never_warns_of_missing_documents():
    def bare(context, order):
        context["selections"] = [f"ServiceRequest/{order['id']}"]
        for name in ("quantityQuantity", "occurrenceTiming", "bodySite", "reasonCode"):
            order.pop(name, None)

    nothing = dict.fromkeys(("measures", "goals", "responses", "documents"))
    made = request(bare, prefetch=prefetch(**nothing), hook="order-select", extension=EXPLAIN)
    answer = call(made, SELECT)
    assert {card["indicator"] for card in answer.get_json()["cards"]} == {"info"}
    assert "will need" in told(answer)


DISPATCH = {
    "hook": "order-dispatch",
    "hookInstance": "619f38c5-b202-43d8-875b-48a0a41e519f",
    "context": {"patientId": "p1", "performer": "Organization/o"},
}
TASK = {"resourceType": "Task", "status": "draft", "intent": "order"}


@requirement(20)
@pytest.mark.parametrize(
    ("orders", "tasks"),
    [("dispatchedOrders", "fulfillmentTasks"), ("dispatched-orders", "fulfillment-tasks")],
)
def test_order_dispatch_is_understood_in_both_spellings(orders, tasks):
    def breaches(**members):
        made = DISPATCH | {"context": DISPATCH["context"] | members}
        return [one.place for one in schemas.problems("order-dispatch-request", made)]

    assert breaches(**{orders: ["ServiceRequest/1"], tasks: [TASK]}) == []
    assert breaches(**{orders: ["ServiceRequest/1"]}) == []
    assert breaches(**{orders: []}) == [f"context.{orders}"]
    assert breaches(**{orders: ["ServiceRequest/1"], tasks: [{}]}) != []
    assert breaches() == ["context.dispatchedOrders"]
