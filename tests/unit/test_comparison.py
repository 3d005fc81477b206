"""One order under every policy."""

import pytest

from cds_service.comparison import compare
from cds_service.record.reader import record_of_bundle
from cds_service.review import Case, review
from tests.unit.engine_parts import DAY, MEMBER, condition, order, rules

PAIN = condition("G89.29", "pain")


def case(*resources, orders=None):
    return Case(orders or [order()], record_of_bundle("p1", list(resources)), DAY)


def test_every_policy_answers_once_and_the_own_one_as_it_did():
    asked = case(MEMBER, PAIN)
    found = compare(asked, rules())
    assert [one.policy.head.id for one in found] == rules().library.ids()
    assert [one.evaluation.policy.id for one in found] == rules().library.ids()
    [own] = [one for one in found if one.own]
    assert [own.evaluation] == review(asked, rules())


def test_another_payer_s_coverage_is_taken_for_a_product_that_is_told():
    found = {one.policy.head.id: one for one in compare(case(MEMBER, PAIN), rules())}
    assert found["vha-cdi-00036"].product == "veterans"
    assert found["cca-mng-084"].product is None


@pytest.mark.parametrize("held", [(), ({**MEMBER, "payor": [{"display": "State Fund"}]},)])
def test_without_a_routed_coverage_all_are_others(held):
    found = compare(case(*held, PAIN), rules())
    assert not any(one.own for one in found)
    assert all(one.evaluation.policy for one in found)
    member = {one.policy.head.id: one for one in found}["cca-mng-084"].evaluation
    known = {item.id: item.status.value for item in member.criteria}["CCA-E1"]
    assert known == ("met" if held else "unknown")


def test_code_that_a_policy_does_not_list_is_said():
    other = order(
        code={"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "97110"}]},
        note=[{"text": "massage"}],
    )
    found = {
        one.policy.head.id: one for one in compare(case(MEMBER, PAIN, orders=[other]), rules())
    }
    assert found["kpwa-massage"].evaluation.gap == "code-not-listed"
    assert found["cca-mng-084"].evaluation.gap is None


def test_order_out_of_scope_compares_nothing():
    other = order(code={"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "99213"}]})
    assert {one.evaluation for one in compare(case(PAIN, orders=[other]), rules())} == {None}
