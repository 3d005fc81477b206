"""A whole verdict on small policies: determination, limits, what is missing, safety."""

import pytest

from tests.unit.engine_parts import (
    blocking,
    condition,
    flags,
    order,
    small,
    statuses,
    verdict,
)

PAIN = condition("G89.29", "pain")
WRIST = condition("S52.501A", "wrist", "2026-03-10")
NECK = condition("S12.9XXA", "neck", "2026-01-10")
CLOT = condition("I82.401", "clot", "2026-03-10")


def refusing(**changes):
    """Return the small policy with a first rule that is never met."""
    changes = {"criteria/X-1/decide": [{"else": "not-met"}], "parameters/old": None, **changes}
    return small(**changes)


class TestDetermination:
    def test_covered(self):
        made = verdict(small(), PAIN)
        assert (made.determination, blocking(made), made.approvable_now) == ("covered", [], None)

    def test_what_is_not_found_is_asked_for_and_not_refused(self):
        made = verdict(small())
        assert (made.determination, blocking(made)) == ("conditional", ["X-D1"])

    def test_not_met_is_not_covered(self):
        made = verdict(refusing(), PAIN)
        assert made.determination == "not-covered"

    def test_a_criterion_outside_the_root_is_listed_and_only_advises(self):
        data = small(**{"criteria/X/all": ["X-2"]})
        made = verdict(data)
        assert statuses(made)["X-1"] == "unknown"
        assert (made.determination, blocking(made)) == ("covered", [])
        assert [item.id for item in made.missing] == ["X-D1"]

    def test_a_branch_that_is_met_needs_nothing_of_the_other(self):
        data = small(**{"criteria/X/all": None, "criteria/X/any": ["X-1", "X-2"]})
        made = verdict(data)
        assert (made.determination, blocking(made)) == ("covered", [])

    def test_where_to_go_when_nothing_covers(self):
        made = verdict(refusing(**{"not-covered-route": ["X-D1"]}), PAIN)
        assert [(item.id, item.blocking) for item in made.missing] == [("X-D1", False)]


class TestLimits:
    def test_the_part_that_fits_can_be_approved(self):
        made = verdict(small(), PAIN, orders=[order(13)])
        assert made.determination == "conditional"
        assert (made.approvable_now.value, made.approvable_now.unit) == (12, "visits")
        assert statuses(made)["X-2"] == "not-met"

    def test_the_smallest_of_several_limits_counts(self):
        tighter = {"value": 5, "unit": "visits", "source": "S9 L2"}
        rows = [
            {
                "when": {"number": {"of": "order.visits", "above": "$five"}},
                "is": "not-met",
                "supports": {"visits": "$five"},
            },
            {"else": "met"},
        ]
        third = {"text": "Fewer", "source": "S9 L2", "decide": rows}
        data = small(**{"parameters/five": tighter, "criteria/X-3": third})
        data["criteria"]["X"]["all"].append("X-3")
        made = verdict(data, PAIN, orders=[order(13)])
        assert made.approvable_now.value == 5

    def test_no_part_is_named_where_the_rest_is_not_covered(self):
        made = verdict(refusing(), PAIN, orders=[order(13)])
        assert (made.determination, made.approvable_now) == ("not-covered", None)


class TestSafety:
    @pytest.mark.parametrize(
        ("site", "effect", "determination"),
        [
            ("Neck", "stop", "not-covered"),
            ("Lumbar", "none", "covered"),
            (None, "hold", "conditional"),
        ],
    )
    def test_where_the_finding_lies_decides(self, site, effect, determination):
        made = verdict(small(), PAIN, NECK, orders=[order(site=site)])
        assert flags(made) == {"X-S1": ("caution", effect)}
        assert made.determination == determination

    def test_among_several_ordered_sites_it_holds(self):
        sites = [{"text": "Neck"}, {"text": "Lumbar spine"}]
        made = verdict(small(), PAIN, NECK, orders=[order(bodySite=sites)])
        assert flags(made)["X-S1"] == ("caution", "hold")
        assert blocking(made) == ["X-D1"]

    def test_what_stops_is_listed_as_a_criterion(self):
        assert statuses(verdict(small(), PAIN, NECK))["X-S"] == "not-met"
        assert "X-S" not in statuses(verdict(small(), PAIN, WRIST))

    def test_partial_evidence_never_stops(self):
        data = small()
        data["safety"]["X-S1"]["evidence"][0]["grade"] = "P"
        made = verdict(data, PAIN, NECK)
        assert flags(made)["X-S1"] == ("caution", "hold")
        assert made.determination == "conditional"

    def test_the_strongest_of_several_findings_is_told(self):
        made = verdict(small(), PAIN, WRIST, NECK)
        (finding,) = made.safety
        assert finding.effect == "stop"
        assert "Condition/neck" in [f.reference for f in finding.evidence]

    @pytest.mark.parametrize("verification", ["refuted", "entered-in-error"])
    def test_what_is_ruled_out_is_not_found(self, verification):
        made = verdict(small(), PAIN, condition("S12.9XXA", "neck", verification=verification))
        assert flags(made) == {}

    def test_a_caution_is_not_acknowledged_away(self):
        made = verdict(small(), PAIN, NECK, acknowledged=("X-S1",))
        assert flags(made)["X-S1"] == ("caution", "stop")


def urgent(urgency, effect="stop"):
    data = small()
    judge = [{"else": urgency, "effect": effect, "asks": ["X-D1"]}]
    data["safety"]["X-S1"]["judge"] = judge
    return data


class TestAcknowledged:
    suspected = condition("S12.9XXA", "neck", "2026-03-10", verification="provisional")

    def test_a_prompt_flag_is_answered(self):
        made = verdict(urgent("PCP-prompt", "hold"), PAIN, NECK, acknowledged=("X-S1",))
        (finding,) = made.safety
        assert (finding.effect, finding.addressed) == ("none", True)
        assert (made.determination, blocking(made)) == ("covered", [])

    def test_an_emergency_that_is_suspected_is_lowered_to_a_hold(self):
        made = verdict(urgent("ED-now"), PAIN, self.suspected, acknowledged=("X-S1",))
        assert flags(made)["X-S1"] == ("ED-now", "hold")
        assert made.determination == "conditional"

    def test_a_confirmed_emergency_stays(self):
        made = verdict(urgent("ED-now"), PAIN, NECK, acknowledged=("X-S1",))
        assert flags(made)["X-S1"] == ("ED-now", "stop")


class TestOverlay:
    def test_an_emergency_holds(self):
        made = verdict(small(), PAIN, CLOT)
        assert flags(made) == {"OVERLAY-DVT": ("ED-now", "hold")}
        assert (made.determination, blocking(made)) == ("conditional", ["X-D1"])

    def test_a_fact_is_raised_once(self):
        recent = condition("S12.9XXA", "neck", "2026-03-10")
        assert flags(verdict(small(), PAIN, recent)) == {"X-S1": ("caution", "stop")}

    def test_without_a_rule_of_its_own_the_shared_list_raises_it(self):
        recent = condition("S12.9XXA", "neck", "2026-03-10")
        data = small(**{"safety": None, "overlay/covered-by": None})
        assert flags(verdict(data, PAIN, recent)) == {"OVERLAY-FRACTURE": ("ED-now", "hold")}

    def test_a_policy_may_say_that_emergencies_change_nothing(self):
        data = small(**{"overlay/ed-now": {"effect": "none"}})
        made = verdict(data, PAIN, CLOT)
        assert flags(made) == {"OVERLAY-DVT": ("ED-now", "none")}
        assert made.determination == "covered"
