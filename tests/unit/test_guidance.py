"""What is kept of an answer: no token ever, nothing where nothing was said."""

from dataclasses import replace

import orjson
import pytest

from cds_service.guidance import FINDINGS, Keeper, caller_of, patient_of
from cds_service.hooks.request import read_request
from cds_service.observe.call import CALL, Call
from cds_service.store import NullStore, ResultGiven
from cds_service.store.given import unfolded
from tests.hook_calls import CARD, REQUEST
from tests.unit.cards_examples import CLOT, clot, criterion, evaluation, item

TOKEN = {"access_token": "abc.def.ghi", "token_type": "Bearer", "expires_in": 300, "scope": "x"}


class Kept(NullStore):
    """Shows what it was given."""

    def record(self, guidance):
        self.guidance = guidance


class Caller:
    iss = "https://ehr.example.org"
    tenant = None


class OfTenant(Caller):
    def __init__(self, tenant):
        self.tenant = tenant


def kept(*, whole=False, cards=(CARD,), made=None, **changes):
    request = read_request(REQUEST | {"fhirAuthorization": TOKEN | {"subject": "s"}})
    store = Kept()
    found = made or [evaluation()]
    keep = Keeper(store, whole).sent(replace(request, **changes), found, list(cards))
    keep("review", b"{}")
    return store.guidance


def test_a_whole_request_comes_without_its_token():
    whole = kept(whole=True).request
    assert orjson.loads(whole)["context"] == REQUEST["context"]
    assert b"abc.def" not in whole


def test_a_digest_stands_for_the_request():
    found = kept(digest="d" * 64)
    assert (found.request, found.digest) == (None, "d" * 64)


@pytest.mark.parametrize(("client", "name"), [(None, "open"), (Caller(), Caller.iss)])
def test_callers_are_told_apart(client, name):
    assert caller_of(client) == name
    assert kept(client=client).client == name


def test_a_patient_is_told_from_the_one_of_that_id_elsewhere():
    request = read_request(REQUEST)
    bare = replace(request, fhir_server=None)
    places = [
        bare,
        replace(bare, patient_id="another"),
        replace(bare, fhir_server="https://a.example.org/fhir"),
        replace(bare, fhir_server="https://a.example.org/fhir/north"),
        replace(bare, client=OfTenant("north")),
        replace(bare, client=OfTenant("south")),
        replace(bare, fhir_server="https://a.example.org/fhir", client=OfTenant("north")),
    ]
    assert len({patient_of(one) for one in places}) == len(places)
    assert patient_of(bare) == patient_of(replace(bare, client=Caller())) == bare.patient_id
    same = ("https://a.example.org/fhir", "https://A.example.org/fhir", "http://a.example.org/fhir")
    assert len({patient_of(replace(bare, fhir_server=one)) for one in same}) == 1
    assert kept(fhir_server=same[0]).patient == patient_of(replace(request, fhir_server=same[0]))


def test_a_card_keeps_the_findings_it_shows():
    topic = {"code": "safety", "system": "s"}
    card = CARD | {"source": {"label": "A", "topic": topic}, "extension": {FINDINGS: ["CCA-S3a"]}}
    (found,) = kept(cards=[card]).cards
    assert (found.uuid, found.kind, found.findings) == (CARD["uuid"], "safety", ("CCA-S3a",))


def test_orders_policies_and_determinations_are_named():
    found, made = kept(), evaluation()
    assert found.orders == made.orders
    assert found.determinations == (made.determination,)
    assert found.policies == (f"{made.policy.id} {made.policy.version}",)


def test_each_result_is_kept_with_what_it_asks_for_and_found_once():
    items = (item("CCA-D2", "A form"), item("CCA-D2", "A form"), item("CCA-D9", "A note", False))
    first = evaluation(missing=items, safety=(clot(), clot()))
    second = evaluation(policy=None, determination="not-applicable")
    found = kept(made=[first, second]).results
    assert found == (
        ResultGiven(first.policy.id, "conditional", ("CCA-D2",), (("EV-RF27", "ED-now", "stop"),)),
        ResultGiven("", "not-applicable"),
    )


def test_a_finding_is_kept_once_and_read_where_it_is_evidence():
    twice = (criterion("CCA-E1", "met", "Pain", CLOT), criterion("CCA-E2", "met", "Harm", CLOT))
    made = [evaluation(criteria=twice, safety=(clot(),)), evaluation(criteria=twice)]
    document = orjson.loads(kept(made=made).evaluations)
    assert [one["reference"] for one in document["findings"]] == [CLOT.reference]
    assert unfolded(document) == [one.as_json() for one in made]


def test_evaluations_that_were_kept_with_every_finding_written_out_are_read_as_they_are():
    older = [evaluation(safety=(clot(),)).as_json()]
    assert unfolded(older) == older


def test_time_is_that_since_the_call_was_whole():
    assert kept().took is None
    token = CALL.set(Call("call", "review"))
    try:
        CALL.get().started -= 3_000_000
        assert kept().took >= 3
    finally:
        CALL.reset(token)


def test_nothing_said_is_nothing_kept():
    assert Keeper().sent(read_request(REQUEST), [], []) is None
