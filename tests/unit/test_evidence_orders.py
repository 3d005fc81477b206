"""Orders: which are in scope, where they treat, and how much they ask for."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from cds_service.evidence.orders import OrderGroup
from cds_service.evidence.phrases import phrase_lists, said
from cds_service.evidence.quantities import QUANTITIES
from cds_service.evidence.scope import order_day
from cds_service.evidence.sites import relation
from tests.unit.evidence_facts import (
    DAY,
    NUCC,
    ZONE,
    SmallTerminology,
    ask,
    concept,
    context_of,
    facts_of,
    order,
    timing,
)

FOUR_WEEKS = {"value": 4, "code": "wk"}
UNITS = {"value": 4, "unit": "15-minute unit", "code": "{unit}"}


def group_of(*drafts: Any) -> OrderGroup:
    return OrderGroup.of(facts_of(orders=list(drafts)))


@pytest.mark.parametrize(
    ("drafts", "expected"),
    [
        ([order("97124")], ["97124"]),
        ([order("97530")], []),
        ([order("97110")], []),
        ([order("97110"), order("97140", "o2")], ["97110", "97140"]),
        ([order("97110", category=[{"text": "Massage therapy"}])], ["97110"]),
        ([order("97110", reasonCode=[{"text": "for massage"}])], ["97110"]),
        ([order("97110", note=[{"text": "not for massage"}])], []),
        ([order("97110", performerType=concept("225700000X", None, NUCC))], ["97110"]),
        ([order("97110", performerType=concept("225100000X", None, NUCC))], []),
        ([order("97124", status="revoked")], []),
        ([order("97124", status="completed")], []),
        ([order("97124", status="entered-in-error")], []),
        ([order("97124", status="active", intent="plan")], ["97124"]),
        ([order("97124", status=None)], ["97124"]),
        ([order("97124", status={})], ["97124"]),
        ([order("97124", doNotPerform=True)], []),
        ([order("97124", doNotPerform=False)], ["97124"]),
        ([order("97124", subject={"reference": "Patient/p1"})], ["97124"]),
        ([order("97124", subject={"reference": "Patient/p2"})], []),
        ([None, "x", {"resourceType": "MedicationRequest"}], []),
    ],
)
def test_scope(drafts: list[Any], expected: list[str]) -> None:
    assert [code for o in group_of(*drafts).orders for code in o.codes] == expected


def test_cpt_by_oid() -> None:
    draft = order()
    draft["code"]["coding"][0]["system"] = "urn:oid:2.16.840.1.113883.6.12"
    assert group_of(draft).codes == {"97124"}


def test_massage_in_words_asks_for_a_code() -> None:
    group = group_of(order(None, text="Massage therapy x 6"), order(None, "o2", text="X-ray"))
    assert (group.orders, group.text_only) == ((), ("ServiceRequest/o1",))


def test_references_for_display() -> None:
    assert group_of({"resourceType": "Task"}, order(identifier=None)).references == ("#2",)


@pytest.mark.parametrize(
    ("more", "visits", "units"),
    [
        ({**timing(count=6), "quantityQuantity": UNITS}, 6, 4),
        ({"quantityQuantity": {"value": 12, "unit": "visits"}}, 12, None),
        ({"quantityQuantity": {"value": 12, "code": "{visit}"}}, 12, None),
        ({"quantityQuantity": UNITS}, None, 4),
        ({"quantityQuantity": {"value": 4}}, None, None),
        ({**timing(count=6), "quantityQuantity": {"value": 4}}, 6, 4),
        ({**timing(count=6), "quantityQuantity": {"value": 4, "unit": "units"}}, 6, 4),
        ({**timing(count=6), "quantityQuantity": {"value": 60, "unit": "min"}}, 6, 4),
        ({**timing(count=6), "quantityQuantity": {"value": 1, "unit": "h"}}, 6, 4),
        ({**timing(count=6), "quantityQuantity": {"value": 4, "comparator": ">"}}, 6, None),
        (timing(count=6, duration=45, durationUnit="min"), 6, 3),
        (timing(count=2, countMax=6), 6, None),
        (timing(count="six"), None, None),
        (timing(count=0), None, None),
        (timing(count=1e300), None, None),
        (timing(count=True), None, None),
        ({"occurrenceTiming": {"event": ["2026-03-20", "2026-03-27"]}}, 2, None),
        (
            timing(
                frequency=2, period=1, periodUnit="wk", boundsDuration={"value": 4, "code": "wk"}
            ),
            8,
            None,
        ),
        ({"occurrenceTiming": {"code": {"text": "2x/week for 4 weeks"}}}, 8, None),
        ({"occurrenceTiming": {"code": {"text": "2x/week, 10 visits"}}}, 10, None),
        ({"occurrenceTiming": {"code": {"text": "2x/week as long as it helps"}}}, None, None),
        ({**timing(count=6), "quantityQuantity": {"value": 6}}, 6, None),
        (
            {
                "occurrenceTiming": {"code": {"text": "2x/week, 12 visits"}},
                "quantityQuantity": {"value": 12},
            },
            12,
            None,
        ),
        ({"occurrenceTiming": None}, None, None),
        ({"occurrenceTiming": ["x"], "quantityQuantity": 4}, None, None),
    ],
)
def test_visits_and_units(more: dict[str, Any], visits: Any, units: Any) -> None:
    context = context_of(orders=[order(**more)])
    assert QUANTITIES["order.visits"](context).value == visits
    assert QUANTITIES["order.units-per-visit"](context).value == units


@pytest.mark.parametrize(
    ("bounds", "low", "high"),
    [
        ({"boundsDuration": {"value": 3, "code": "mo"}}, 24, 27),
        ({"boundsDuration": {"value": 1, "unit": "year"}}, 104, 105),
        ({"boundsDuration": {"value": 10, "code": "d"}}, 2, 3),
        ({"boundsDuration": {"value": 1, "code": "d"}}, 1, 1),
        ({"boundsRange": {"low": {"value": 4, "code": "wk"}, "high": {"value": 6, "code": "wk"}}},
         8, 12),
        ({"boundsPeriod": {"start": "2026-03-16", "end": "2026-04-13"}}, 8, 9),
        ({"boundsPeriod": {"end": "2026-04-13"}}, 8, 9),
        ({"boundsPeriod": {"start": "2026-03", "end": "2026-04-13"}}, None, None),
        ({"boundsPeriod": {"start": "2026-03-16"}}, None, None),
        ({"boundsPeriod": {"start": "2026-03-16", "end": "2026-03-16"}}, None, None),
        ({"boundsPeriod": {"start": "2026-03-16", "end": "2026-04-13"}, "count": 6}, 6, 6),
    ],
)  # fmt: skip
def test_how_often_and_how_long_come_to_visits(bounds: dict[str, Any], low: Any, high: Any) -> None:
    repeat = {"frequency": 2, "period": 1, "periodUnit": "wk", **bounds}
    context = context_of(orders=[order(**timing(**repeat))])
    found = QUANTITIES["order.visits"](context)
    assert (found.low, found.high) == (low, high)
    assert found.value == (low if low == high else None)
    assert bool(context.group.notes) is (low != high)


def test_how_long_alone_tells_no_visits() -> None:
    draft = order(**timing(boundsDuration={"value": 3, "code": "mo"}))
    assert QUANTITIES["order.visits"](context_of(orders=[draft])).high is None


def test_two_numbers_of_visits_cannot_be_told() -> None:
    draft = order(**timing(count=6), quantityQuantity={"value": 12, "unit": "visits"})
    context = context_of(orders=[draft])
    found = QUANTITIES["order.visits"](context)
    assert (found.value, found.low, found.high) == (None, 6, 12)
    assert "6 and 12" in context.group.notes[0]


def test_a_modifier_extension_of_an_order_is_remarked_upon() -> None:
    changed = {"modifierExtension": [{"url": "http://a.example.org/x", "valueBoolean": True}]}
    assert "modifier extension" in context_of(orders=[order(**changed)]).group.notes[0]
    assert not context_of(orders=[order(modifierExtension=[])]).group.notes


@pytest.mark.parametrize(
    ("repeat", "per_week"),
    [
        ({"frequency": 1, "period": 1, "periodUnit": "wk"}, Fraction(1)),
        ({"frequency": 3, "period": 2, "periodUnit": "wk"}, Fraction(3, 2)),
        ({"frequency": 1, "period": 3, "periodUnit": "d"}, Fraction(7, 3)),
        ({"frequency": 1, "period": 1, "periodUnit": "mo"}, Fraction(84, 365)),
        ({"frequency": 1, "frequencyMax": 2, "period": 1, "periodUnit": "wk"}, Fraction(2)),
        ({"period": 1, "periodUnit": "wk"}, Fraction(1)),
        ({"dayOfWeek": ["mon", "thu"]}, Fraction(2)),
        (
            {"frequency": 1, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon", "thu"]},
            Fraction(2),
        ),
        ({"frequency": 2, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon"]}, Fraction(2)),
        ({"frequency": 1, "period": 2, "periodUnit": "d", "dayOfWeek": ["mon"]}, Fraction(7, 2)),
        ({"frequency": 1, "period": 1, "periodUnit": "d", "dayOfWeek": []}, Fraction(7)),
        ({"frequency": 1, "period": 0, "periodUnit": "wk"}, None),
        ({"frequency": 1, "period": 1, "periodUnit": "fortnight"}, None),
        ({}, None),
    ],
)
def test_frequency(repeat: dict[str, Any], per_week: Any) -> None:
    context = context_of(orders=[order(**timing(**repeat))])
    assert QUANTITIES["order.per-week"](context).value == per_week


def test_frequency_by_code() -> None:
    draft = order(occurrenceTiming={"code": {"coding": [{"code": "WK"}]}})
    assert QUANTITIES["order.per-week"](context_of(orders=[draft])).value == 1


@pytest.mark.parametrize(
    ("repeat", "weeks"),
    [
        ({"boundsPeriod": {"start": "2026-03-16", "end": "2026-04-13"}}, 4),
        ({"boundsDuration": {"value": 30, "code": "d"}}, Fraction(30, 7)),
        ({"boundsDuration": {"value": 6, "unit": "Weeks"}}, 6),
        ({"boundsDuration": {"value": 6, "unit": "Fortnights"}}, None),
        ({"boundsRange": {"low": FOUR_WEEKS, "high": {"value": 6, "code": "wk"}}}, 6),
        ({"boundsRange": {"low": FOUR_WEEKS}}, None),
        ({"count": 8, "frequency": 2, "period": 1, "periodUnit": "wk"}, 4),
        (
            {
                "count": 4,
                "frequency": 2,
                "period": 1,
                "periodUnit": "wk",
                "boundsPeriod": {"start": "2026-03-16", "end": "2026-04-13"},
            },
            2,
        ),
        ({"boundsPeriod": {"start": "2026-03", "end": "2026-04-13"}}, None),
        ({"count": 8}, None),
    ],
)
def test_weeks(repeat: dict[str, Any], weeks: Any) -> None:
    assert QUANTITIES["order.weeks"](context_of(orders=[order(**timing(**repeat))])).value == weeks


def test_codes_signed_together_share_visits_and_add_units() -> None:
    drafts = [
        order("97124", **timing(count=6), quantityQuantity={**UNITS, "value": 2}),
        order("97140", "o2", **timing(count=4), quantityQuantity={**UNITS, "value": 3}),
        order("98960", "o3"),
    ]
    context = context_of(orders=drafts)
    assert QUANTITIES["order.visits"](context).value == 6
    assert QUANTITIES["order.units-per-visit"](context).value == 5
    assert context.group.notes[0].endswith("different numbers of visits: 4, 6.")


def test_weekly_visits_for_four_to_six_weeks_are_four_to_six() -> None:
    bounds = {"low": FOUR_WEEKS, "high": {"value": 6, "code": "wk"}}
    draft = order(**timing(frequency=1, period=1, periodUnit="wk", boundsRange=bounds))
    found = QUANTITIES["order.visits"](context_of(orders=[draft]))
    assert (found.value, found.low, found.high) == (None, 4, 6)


def test_two_orders_of_one_code_may_share_visits_or_follow_each_other() -> None:
    drafts = [order("97124", name, **timing(count=6)) for name in ("o1", "o2")]
    found = QUANTITIES["order.visits"](context_of(orders=drafts))
    assert (found.value, found.low, found.high) == (None, 6, 12)


def test_units_not_stated_by_one_order_leave_the_sum_open() -> None:
    drafts = [order("97124", quantityQuantity=UNITS), order("97140", "o2")]
    found = QUANTITIES["order.units-per-visit"](context_of(orders=drafts))
    assert (found.value, found.low) == (None, 4)


def test_sites_are_counted_once() -> None:
    left, right = concept(None, "left lower leg"), concept(None, "right lower leg")
    drafts = [order(bodySite=[left]), order("97140", "o2", bodySite=[left, right])]
    assert QUANTITIES["order.sites"](context_of(orders=drafts)).value == 2
    assert QUANTITIES["order.sites"](context_of()).value is None


def test_side_from_the_reason() -> None:
    draft = order(
        bodySite=[concept(None, "lower leg")],
        reasonCode=[concept("M79.662", "left lower leg pain")],
    )
    (site,) = group_of(draft).sites
    assert site.side == "left"


@pytest.mark.parametrize(
    ("sites", "area", "side", "expected"),
    [
        (["lumbar"], {"low-back"}, None, "only"),
        (["lumbar", "neck"], {"low-back"}, None, "among"),
        (["neck"], {"low-back"}, None, "elsewhere"),
        ([], {"low-back"}, None, "unknown"),
        (["lumbar"], set(), None, "unknown"),
        (["right lower leg"], {"lower-leg"}, "left", "elsewhere"),
        (["right lower leg"], {"lower-leg"}, "right", "only"),
        (["lower leg"], {"lower-leg"}, "left", "only"),
        (["right lower leg"], {"lower-leg"}, None, "only"),
        (["right leg"], {"lower-leg"}, "right", "among"),
        (["lumbar", "somewhere"], {"low-back"}, None, "among"),
        (["neck", "somewhere"], {"low-back"}, None, "unknown"),
    ],
)
def test_relation(sites: list[str], area: set[str], side: str | None, expected: str) -> None:
    group = group_of(order(bodySite=[concept(None, site) for site in sites]))
    assert relation(frozenset(area), side, group) == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("maintenance", "Maintenance", True),
        ("maintenance", "not maintenance", False),
        ("maintenance", "this is not for maintenance", False),
        ("maintenance", "no change; maintenance care", True),
        ("maintenance", "low-maintenance person", True),
        ("maintenance", "maintenances", False),
        ("stress-reduction", "stress-reduction", True),
        ("wellness", "general  well being", True),
        ("comfort", "comfort care; gentle", True),
        ("comfort", "uncomfortable", False),
        ("deep-pressure", "no deep tissue work", False),
        ("deep-pressure", "Gentle. Avoid deep pressure over the chest wall", False),
        ("deep-pressure", "please don't use deep tissue", False),
        ("deep-pressure", "avoid the scar; deep tissue elsewhere", True),
        ("deep-pressure", "deep tissue", True),
        ("patient-request", "Patient request", True),
        ("patient-request", "at the patient's request.", True),
        ("patient-request", "patient request; severe pain since the fall", False),
        ("type-massage", "type of service: massage", True),
        ("maintenance", "Not for wellness or maintenance; treat neck pain", False),
        ("wellness", "Not for wellness or maintenance; treat neck pain", False),
        ("maintenance", "not for relaxation, wellness, or maintenance.", False),
        ("wellness", "not for relaxation, wellness, or maintenance.", False),
        ("maintenance", "neither wellness nor maintenance", False),
        ("maintenance", "active treatment rather than maintenance", False),
        ("maintenance", "no change, maintenance care", True),
        ("maintenance", "no change so far in pain, wellness or maintenance", True),
        ("maintenance", "wellness or maintenance", True),
        ("maintenance", "see at the next health maintenance visit", False),
        ("maintenance", "takes her maintenance inhaler", False),
        ("maintenance", "restore and maintain function", False),
        ("maintenance", "maintain function", True),
        ("maintenance", "health maintenance done; now maintenance care", True),
        ("stress-reduction", "for muscle relaxation", False),
        ("stress-reduction", "for relaxation", True),
        ("wellness", "seen at the annual wellness visit", False),
        ("prevention", "referred to fall prevention", False),
        ("convenience", "please schedule at the patient\u2019s earliest convenience", False),
        ("convenience", "Pt requests location near work for convenience", False),
        ("convenience", "for convenience of the patient", True),
        ("maintenance", "Goal: transition to maintenance home program", False),
        ("back-school", "back school completed in 2024", False),
        ("convenience", "schedule at patient's convenience", False),
        ("convenience", "for the convenience of the patient", True),
    ],
)
def test_phrases(name: str, text: str, expected: bool) -> None:
    assert (said(name, {"note": [text]}) is not None) is expected


def test_phrase_lists_asked_for_by_the_rules_exist() -> None:
    assert phrase_lists() >= {
        "maintenance",
        "stress-reduction",
        "wellness",
        "patient-request",
        "comfort",
        "deep-pressure",
        "type-massage",
        "prevention",
        "recreation",
    }


@pytest.mark.parametrize(
    ("spec", "more", "expected"),
    [
        ({"has": "reason"}, {"reasonCode": [{"text": "pain"}]}, "met"),
        ({"has": "reason"}, {"reasonReference": [{"reference": "Condition/x"}]}, "met"),
        ({"has": "reason"}, {}, "not-met"),
        ({"has": "site"}, {"bodySite": [concept(None, "neck")]}, "met"),
        ({"has": "visits"}, timing(count=3), "met"),
        ({"has": ["visits", "frequency"]}, timing(count=3), "not-met"),
        ({"has": "units"}, {"quantityQuantity": UNITS}, "met"),
        ({"has": "end"}, timing(boundsPeriod={"end": "2026-04-13"}), "met"),
        ({"has": "end"}, {"occurrencePeriod": {"end": "2026-04-13"}}, "met"),
        ({"has": "end"}, timing(boundsPeriod={"end": "later"}), "not-met"),
        ({"has": "performer"}, {"performer": [{"reference": "PractitionerRole/x"}]}, "met"),
        ({"has": "order-text"}, {"note": [{"text": "gentle"}]}, "met"),
        ({"has": "order-text"}, {"note": [{"text": ""}, None]}, "not-met"),
        ({"code-in": ["97124", "97140"]}, {}, "met"),
        ({"code-in": "97140"}, {}, "not-met"),
        ({"note": "maintenance"}, {"note": [{"text": "maintenance"}]}, "met"),
        ({"note": "maintenance"}, {"note": "maintenance"}, "not-met"),
        ({"note": "type-massage"}, {"category": [{"text": "Massage"}]}, "met"),
        ({"category-in": "stress"}, {"category": [concept("Z73.3")]}, "met"),
        ({"category-in": "stress"}, {}, "not-met"),
        ({"type-of-service": "massage"}, {"note": [{"text": "type of service massage"}]}, "met"),
        ({"type-of-service": "massage"}, {"note": [{"text": "no massage"}]}, "not-met"),
    ],
)
def test_order_leaf(spec: dict[str, Any], more: dict[str, Any], expected: str) -> None:
    answer = ask("order", spec, context_of(orders=[order(**more)]))
    assert answer.status == expected
    if expected == "met":
        assert answer.findings[0].reference == "ServiceRequest/o1"
        assert answer.findings[0].date == "2026-03-16"


def test_code_in_reads_everything_signed_together() -> None:
    context = context_of(orders=[order(), order("97010", "o2")])
    assert ask("order", {"code-in": "97010"}, context).status == "met"


@pytest.mark.parametrize(
    ("authored", "day", "noted"),
    [
        ("2026-03-16", date(2026, 3, 16), False),
        ("2026-03-10T23:30:00-08:00", date(2026, 3, 10), False),
        ("2026-03-11T02:00:00Z", date(2026, 3, 10), False),
        ("2026-03", date(2026, 3, 20), True),
        ("2026-12-01", date(2026, 3, 20), True),
        (None, date(2026, 3, 20), True),
        ("soon", date(2026, 3, 20), True),
    ],
)
def test_order_day(authored: str | None, day: date, noted: bool) -> None:
    terminology: Any = SmallTerminology()
    drafts = [order(authoredOn=authored), order("97530", "o2", authoredOn="2026-01-01")]
    found, notes = order_day(drafts, "p1", date(2026, 3, 20), ZONE, terminology)
    assert (found, bool(notes)) == (day, noted)


def test_group_by_coverage() -> None:
    named = order(insurance=[{"reference": "Coverage/a"}])
    group = group_of(named, order("97140", "o2"))
    assert group.under("Coverage/a").references == ("ServiceRequest/o1", "ServiceRequest/o2")
    assert group.under("Coverage/b").references == ("ServiceRequest/o2",)


def test_an_authorization_is_no_coverage_to_be_billed() -> None:
    group = group_of(order(insurance=[{"reference": "ClaimResponse/pa"}]))
    assert group.under("Coverage/a").references == ("ServiceRequest/o1",)


def test_group_by_code() -> None:
    group = group_of(order(), order("97140", "o2")).of_codes(["97140", "97530"])
    assert group.references == ("ServiceRequest/o2",)
    assert [draft.codes for draft in group.drafts] == [{"97124"}, {"97140"}]


def test_day_of_the_tests() -> None:
    assert facts_of().day == DAY
