"""What-if on a small policy: what may be supposed, what gives way to it, what never does."""

import orjson
import pytest

from cds_service.policies.routing import PayerEntry
from cds_service.record.reader import record_of_bundle
from cds_service.review import Case, Rules, review
from cds_service.terminology import Terminology
from tests.unit.engine_parts import (
    DAY,
    ZONE,
    blocking,
    condition,
    flags,
    library,
    order,
    small,
    statuses,
    verdict,
)

PAIN = condition("G89.29", "pain")
NECK = condition("S12.9XXA", "neck", "2026-01-10")
PAYOR = ("https://example.org/payor", "NOBODY")
ROWS = (PayerEntry(PAYOR, frozenset({"nobody"}), None, "small", "commercial"),)
COVERED = {
    "resourceType": "Coverage",
    "id": "c1",
    "status": "active",
    "beneficiary": {"reference": "Patient/p1"},
    "payor": [{"display": "Nobody"}],
}
STOPS = {"safety/X-S1/judge": [{"else": "PCP-prompt", "effect": "stop"}]}
ASKS = {"safety/X-S1/judge": [{"else": "PCP-prompt", "effect": "stop", "asks": ["X-D1"]}]}


class TestCriterion:
    def test_missing_item_taken_as_present_meets_what_asks_for_it(self):
        made = verdict(small(), supposed=("X-D1",))
        assert (made.determination, blocking(made)) == ("covered", [])
        assert made.supposed == ("X-D1",)
        assert [item.id for item in made.criteria if item.supposed] == ["X-1"]

    def test_unknown_criterion_can_be_supposed_itself(self):
        made = verdict(small(), supposed=("X-1",))
        assert (made.determination, made.supposed) == ("covered", ("X-1",))

    def test_one_of_two_items_leaves_the_other_asked_for(self):
        row = [{"else": "unknown", "asks": ["X-D1", "X-D2"]}]
        item = {"text": "Another", "source": "S9 L1"}
        data = small(**{"criteria/X-1/decide": row, "items/X-D2": item, "parameters/old": None})
        made = verdict(data, supposed=("X-D1",))
        assert (statuses(made)["X-1"], blocking(made)) == ("unknown", ["X-D2"])
        assert made.supposed == ("X-D1",)

    def test_what_the_record_rules_out_stays(self):
        data = small(**{"criteria/X-1/decide": [{"else": "not-met"}], "parameters/old": None})
        made = verdict(data, PAIN, supposed=("X-1", "X-D1"))
        assert (made.determination, made.supposed) == ("not-covered", ())

    def test_limit_of_visits_stays(self):
        made = verdict(small(), PAIN, orders=[order(13)], supposed=("X-2",))
        assert (made.determination, made.supposed) == ("conditional", ())

    def test_group_follows_its_members(self):
        made = verdict(small(), supposed=("X",))
        assert (made.determination, made.supposed) == ("conditional", ())

    def test_unknown_name_changes_nothing(self):
        assert verdict(small(), supposed=("nobody",)) == verdict(small())


class TestSafety:
    def test_stop_without_a_document_to_ask_for_stays(self):
        made = verdict(small(**STOPS), PAIN, NECK, supposed=("X-S1", "X-S", "X-D1"))
        assert made.determination == "not-covered"
        assert flags(made) == {"X-S1": ("PCP-prompt", "stop")}
        assert statuses(made)["X-S"] == "not-met"

    def test_stop_gives_way_to_the_document_it_asks_for(self):
        made = verdict(small(**ASKS), PAIN, NECK, supposed=("X-D1",))
        assert (made.determination, made.supposed) == ("covered", ("X-D1",))
        [finding] = made.safety
        assert (finding.effect, finding.addressed, finding.supposed) == ("none", True, True)
        assert "X-S" not in statuses(made)

    @pytest.mark.parametrize("name", ["X-S1", "X-S"])
    def test_finding_cannot_be_supposed_by_its_own_name(self, name):
        made = verdict(small(**ASKS), PAIN, NECK, supposed=(name,))
        assert (made.determination, made.supposed) == ("not-covered", ())


class TestReview:
    def made(self, *supposed, orders=None, resources=()):
        rules = Rules(library(small()), ROWS, Terminology.load(), ZONE)
        record = record_of_bundle("p1", list(resources))
        case = Case(orders or [order()], record, DAY, supposed=frozenset(supposed))
        [evaluation] = review(case, rules)
        return evaluation

    def test_answer_as_json_is_marked_and_has_a_digest_of_its_own(self):
        plain, supposed = (self.made(*ids, resources=[COVERED]) for ids in ((), ("X-D1",)))
        assert (plain.determination, supposed.determination) == ("conditional", "covered")
        assert plain.digest != supposed.digest
        assert supposed.as_json()["supposed"] == ["X-D1"]
        marked = [item["id"] for item in supposed.as_json()["criteria"] if item.get("supposed")]
        assert marked == ["X-1"]

    def test_answer_that_supposes_nothing_says_nothing_of_it(self):
        assert b"supposed" not in orjson.dumps(self.made(resources=[COVERED]).as_json())

    def test_lapsed_coverage_can_be_supposed_in_force(self):
        lapsed = {**COVERED, "period": {"end": "2025-01-01"}}
        insured = order(insurance=[{"reference": "Coverage/c1"}])
        asked = {"orders": [insured], "resources": [lapsed, PAIN]}
        assert self.made(**asked).gap == "lapsed"
        made = self.made("G-16", **asked)
        assert (made.determination, made.gap, made.supposed) == ("covered", None, ("G-16",))
