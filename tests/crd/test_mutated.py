"""CRD calls with anything wrong in them: refused, or answered by the rules."""

import copy
import json

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.attacks.mutation import mutated
from tests.crd import ehr
from tests.crd.rules import breaches, information_of
from tests.spec.corpus import EXAMPLES

REFUSED = (400, 403, 412, 422)
MOST = 6
drawn = settings(
    max_examples=EXAMPLES // 2,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
names = st.sampled_from(ehr.names())
versions = st.sampled_from(ehr.VERSIONS)
randoms = st.randoms(use_true_random=False)


def post(body, path="order-sign"):
    return (
        ehr.app()
        .test_client()
        .post(
            f"/cds-services/{path}-crd",
            data=json.dumps(body),
            content_type="application/json",
            base_url=ehr.HOST,
        )
    )


def call_of(name, version):
    body = ehr.request_of(name) | {"prefetch": ehr.prefetch_of(ehr.resources(name))}
    return body if version == "both" else body | {"extension": {ehr.VERSION: version}}


def judged(answer, version):
    """Assert that what was answered keeps to the rules."""
    if answer.status_code != 200:
        return
    for order in ehr.updated(answer.get_json()).values():
        for one in information_of(order):
            ours = any(p.get("url") == "coverage-assertion-id" for p in one.get("extension", ()))
            assert not ours or breaches(one, version) == []


def said(extension):
    """Return what an extension says; the order of its parts says nothing."""
    held = extension.get("extension") if isinstance(extension, dict) else None
    if not isinstance(held, list):
        return extension
    return extension | {"extension": sorted(json.dumps(one, sort_keys=True) for one in held)}


@drawn
@given(names, versions, randoms, st.integers(1, MOST))
def test_a_spoilt_call_is_refused_or_answered(name, version, random, times):
    answer = post(mutated(call_of(name, version), random, times))
    assert answer.status_code in (200, *REFUSED)


@drawn
@given(names, versions, randoms, st.integers(1, MOST))
def test_a_spoilt_record_is_answered_by_the_rules(name, version, random, times):
    call = call_of(name, version)
    answer = post(call | {"prefetch": mutated(call["prefetch"], random, times)})
    assert answer.status_code in (200, 400, 412)
    judged(answer, version)


@drawn
@given(names, versions, randoms, st.integers(1, MOST))
def test_a_spoilt_answer_that_is_carried_back_is_mended(name, version, random, times):
    """Whatever a client makes of the extension, what comes back is sound, or nothing is new."""
    call = call_of(name, version)
    sent = ehr.updated(post(call).get_json())
    carried = copy.deepcopy(call)
    for entry in carried["context"]["draftOrders"]["entry"]:
        order = copy.deepcopy(sent.get(entry["resource"]["id"], entry["resource"]))
        order["extension"] = mutated(order.get("extension", []), random, times)
        entry["resource"] = order
    answer = post(carried)
    assert answer.status_code in (200, 400)
    mended = ehr.updated(answer.get_json()) if answer.status_code == 200 else {}
    for name, order in mended.items():
        answered = list(map(said, order["extension"]))
        for fresh in information_of(sent[name]):
            assert said(fresh) in answered


@pytest.mark.parametrize("extension", [None, "x", [None], [{"url": 7}], {"url": "x"}])
def test_odd_extensions_of_an_order_are_carried_or_dropped_as_sent(extension):
    def odd(_, order):
        order["extension"] = extension

    answer = ehr.sign("cca-01", odd)
    (order,) = ehr.updated(answer).values()
    held = extension if isinstance(extension, list) else []
    assert order["extension"][: len(held)] == held
    assert len(order["extension"]) == len(held) + 1
