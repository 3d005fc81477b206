"""What is kept of an answer: no token ever, nothing where nothing was said."""

from dataclasses import replace

import orjson
import pytest

from cds_service.guidance import FINDINGS, Keeper, caller_of
from cds_service.hooks.request import read_request
from cds_service.store import NullStore
from tests.hook_calls import CARD, REQUEST
from tests.unit.cards_examples import evaluation

TOKEN = {"access_token": "abc.def.ghi", "token_type": "Bearer", "expires_in": 300, "scope": "x"}


class Kept(NullStore):
    """Shows what it was given."""

    def record(self, guidance):
        self.guidance = guidance


class Caller:
    iss = "https://ehr.example.org"


def kept(*, whole=False, cards=(CARD,), **changes):
    request = read_request(REQUEST | {"fhirAuthorization": TOKEN | {"subject": "s"}})
    store = Kept()
    keep = Keeper(store, whole).sent(replace(request, **changes), [evaluation()], list(cards))
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


def test_nothing_said_is_nothing_kept():
    assert Keeper().sent(read_request(REQUEST), [], []) is None
