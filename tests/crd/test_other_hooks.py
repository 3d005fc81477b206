"""order-select, which asks for nothing yet, and order-dispatch in each of its spellings."""

import copy

import pytest

from tests.crd import ehr
from tests.crd.rules import breaches, information_of, part, parts, text_of
from tests.hook_calls import assert_outcome
from tests.http.fault_server import gives, serving

INSTANCE = "619f38c5-b202-43d8-875b-48a0a41e519f"


def select(name, chosen=None, **more):
    body = ehr.request_of(name, "order-select")
    entries = body["context"]["draftOrders"]["entry"]
    every = [f"ServiceRequest/{entry['resource']['id']}" for entry in entries]
    body["context"]["selections"] = every if chosen is None else chosen
    body["prefetch"] = ehr.prefetch_of(ehr.resources(name))
    return ehr.call(body, **more)


class TestSelect:
    @pytest.mark.parametrize("name", ["cca-07", "cca-09", "ev-04", "kp-05", "cca-12"])
    @pytest.mark.parametrize("version", ehr.VERSIONS)
    def test_asks_for_no_documents(self, name, version):
        told = ehr.only(select(name, version=version))
        assert part(told, "covered") == "conditional"
        for url in ("doc-needed", "doc-purpose", "questionnaire"):
            assert parts(told, url) == []
        assert "judged when the order is signed" in text_of(told)
        assert breaches(told, version) == []

    def test_tells_what_is_settled(self):
        assert part(ehr.only(select("cca-01")), "covered") == "covered"
        assert part(ehr.only(select("kp-03")), "covered") == "not-covered"

    def test_speaks_of_selections_alone(self):
        body = ehr.request_of("ev-11", "order-select")
        (first, second) = body["context"]["draftOrders"]["entry"]
        name = f"ServiceRequest/{second['resource']['id']}"
        assert first["resource"]["id"] != second["resource"]["id"]
        assert [*ehr.updated(select("ev-11", [name]))] == [second["resource"]["id"]]
        assert ehr.updated(select("ev-11", [])) == {}

    def test_brings_grave_safety_cards_alone(self):
        assert [card["source"]["topic"]["code"] for card in select("ev-08")["cards"]] == [
            "contraindication"
        ]
        assert select("cca-07")["cards"] == []


def dispatched(name, **context):
    """Return a call of order-dispatch; the orders are active and on file."""
    body = ehr.request_of(name)
    drafts = [entry["resource"] for entry in body["context"]["draftOrders"]["entry"]]
    orders = [one | {"status": "active"} for one in drafts]
    named = [f"ServiceRequest/{one['id']}" for one in orders]
    made = {"patientId": body["context"]["patientId"], "performer": "Organization/clinic"}
    made |= {key: value(named) for key, value in context.items()}
    prefetch = ehr.prefetch_of([*ehr.resources(name), *orders])
    prefetch["serviceRequests"] = ehr.bundle(orders)
    call = {"hook": "order-dispatch", "hookInstance": INSTANCE, "context": made}
    return call | {"prefetch": prefetch}, orders


def held_by(resources):
    """Return a FHIR server that reads single resources and finds nothing."""
    return serving({f"{one['resourceType']}/{one['id']}": gives(one) for one in resources})


SPELLINGS = {
    "2.2": {"dispatchedOrders": lambda named: named},
    "hyphens": {"dispatched-orders": lambda named: named},
    "1.0": {"order": lambda named: named[0]},
    "absolute": {"dispatchedOrders": lambda named: [f"http://ehr.example/fhir/{n}" for n in named]},
}


class TestDispatch:
    @pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
    @pytest.mark.parametrize("version", ehr.VERSIONS)
    def test_tells_of_the_orders_as_they_are_on_file(self, spelling, version):
        body, orders = dispatched("cca-09", **spelling)
        sent = ehr.updated(ehr.call(copy.deepcopy(body), version=version))
        for order in orders:
            told = sent[order["id"]]
            assert {k: v for k, v in told.items() if k != "extension"} == order
            (one,) = information_of(told)
            assert breaches(one, version) == []

    def test_reads_the_orders_from_the_server(self, fhir_server):
        body, (order,) = dispatched("cca-01", dispatchedOrders=lambda named: named)
        del body["prefetch"]["serviceRequests"]
        answer = ehr.call(body)
        assert [*ehr.updated(answer)] == [order["id"]], "prefetch `orders` holds it as well"
        body["prefetch"] = {}
        refused = self.refused(body | {"fhirServer": fhir_server.url}, 422, "no such order")
        assert refused["code"] == "not-found"

    def test_an_order_that_cannot_be_read_is_a_failed_precondition(self):
        body, _ = dispatched("cca-01", dispatchedOrders=lambda named: named)
        body["prefetch"] = {
            key: value
            for key, value in body["prefetch"].items()
            if key not in ("serviceRequests", "orders")
        }
        self.refused(body, 412, "could not be read")

    def test_none_named_is_refused(self):
        body, _ = dispatched("cca-01")
        self.refused(body, 400, "dispatchedOrders")

    def test_counts_whom_it_is_sent_to(self):
        """A Medicare member's massage is covered by a physical therapist alone."""
        roles = ehr.resources("kp-03", "PractitionerRole")
        body, _ = dispatched("kp-03", dispatchedOrders=lambda named: named)
        body["context"]["performer"] = f"PractitionerRole/{roles[0]['id']}"
        ids = set()
        for role in [*roles, None]:
            sent = copy.deepcopy(body)
            if role is None:
                sent["context"]["performer"] = "PractitionerRole/unknown"
            else:
                sent["context"]["performer"] = f"PractitionerRole/{role['id']}"
            ids.add(part(ehr.only(ehr.call(sent)), "coverage-assertion-id"))
        assert len(ids) > 1

    def test_is_silent_where_nothing_is_new(self):
        body, _ = dispatched("cca-09", dispatchedOrders=lambda named: named)
        sent = ehr.updated(ehr.call(copy.deepcopy(body)))
        for key in ("serviceRequests", "orders"):
            for entry in body["prefetch"][key]["entry"]:
                entry["resource"] = sent.get(entry["resource"]["id"], entry["resource"])
        assert ehr.call(body)["systemActions"] == []

    def test_is_silent_where_what_was_signed_is_sent_to_its_performer(self):
        body, (order,) = dispatched("kp-01", dispatchedOrders=lambda named: named)
        (performer,) = order["performer"]
        performer["display"] = "as the EHR shows it"
        body["context"]["performer"] = performer["reference"]
        draft = order | {"status": "draft"}
        sign = ehr.request_of("kp-01")
        sign["context"]["draftOrders"]["entry"] = [{"resource": draft}]
        sign["prefetch"] = ehr.prefetch_of(ehr.resources("kp-01"))
        signed = ehr.updated(ehr.call(sign))[order["id"]] | {"status": "active"}
        for key in ("serviceRequests", "orders"):
            body["prefetch"][key] = ehr.bundle([signed])
        assert ehr.call(body)["systemActions"] == []

    def test_one_of_another_patient_is_refused(self):
        body, (order,) = dispatched("cca-01", dispatchedOrders=lambda named: named)
        order["subject"] = {"reference": "Patient/somebody"}
        self.refused(body, 422, "another patient")

    def test_one_of_another_patient_on_the_server_is_refused(self, fhir_server):
        (theirs,) = ehr.resources("ash-13", "ServiceRequest")
        name = f"ServiceRequest/{theirs['id']}"
        body, _ = dispatched("cca-01", dispatchedOrders=lambda _: [name])
        self.refused(body | {"fhirServer": fhir_server.url}, 422, "another patient")

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"subject": None}, "names no patient"),
            ({"modifierExtension": [{"url": "http://a.example.org/x"}]}, "modifierExtension"),
        ],
    )
    def test_one_on_the_server_that_cannot_be_judged_is_refused(self, change, words):
        body, (order,) = dispatched("cca-01", dispatchedOrders=lambda named: named)
        held = [*ehr.resources("cca-01"), order]
        body["prefetch"] = ehr.prefetch_of(ehr.resources("cca-01"))
        del body["prefetch"]["orders"]
        with held_by(held) as server:
            asked = body | {"fhirServer": server.base}
            assert [*ehr.updated(ehr.call(copy.deepcopy(asked)))] == [order["id"]]
            order |= change
            self.refused(asked, 422, words)

    def test_orders_of_other_types_need_not_be_read(self):
        beside = ["MedicationRequest/m1"]
        body, (order,) = dispatched("cca-01", dispatchedOrders=lambda named: [*named, *beside])
        assert [*ehr.updated(ehr.call(body))] == [order["id"]]
        alone, _ = dispatched("cca-01", dispatchedOrders=lambda _: beside)
        answer = ehr.call(alone)
        assert (answer["systemActions"], answer["cards"]) == ([], [])

    def refused(self, body, status, *words):
        client = ehr.app().test_client()
        answer = client.post("/cds-services/order-dispatch-crd", json=body, base_url=ehr.HOST)
        return assert_outcome(answer, status, *words)
