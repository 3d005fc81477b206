"""Coverages: which are reviewed, what they tell, and which policy they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cds_service.evidence.coverage import CoverageFact, coverages_of
from cds_service.policies.routing import PayersError, load_table, route, routed
from tests.unit.evidence_facts import DAY, ZONE, ask, context_of, order, record_of

PAYOR = "https://massage-cds.example.org/fhir/identifier/payor"
CLASS = "http://terminology.hl7.org/CodeSystem/coverage-class"
SOPT = "https://nahdo.org/sopt"
SOPT_OID = "urn:oid:2.16.840.1.113883.3.221.5"


def coverage(identifier: str = "k1", **more: Any) -> dict[str, Any]:
    made = {
        "resourceType": "Coverage",
        "id": identifier,
        "status": "active",
        "beneficiary": {"reference": "Patient/p1"},
        "period": {"start": "2025-01-01", "end": "2026-12-31"},
        "payor": [{"identifier": {"system": PAYOR, "value": "CCA"}}],
    }
    return {name: value for name, value in {**made, **more}.items() if value is not None}


def plan(value: str) -> list[dict[str, Any]]:
    return [{"type": {"coding": [{"code": "plan"}]}, "value": value}]


def only(*resources: dict[str, Any], **more: Any) -> CoverageFact:
    (found,) = coverages_of(record_of(coverage(**more), *resources), [], DAY, ZONE)
    return found


def found(*resources: dict[str, Any], insurance: Any = None) -> list[str]:
    drafts = [order(insurance=insurance)]
    return [one.reference for one in coverages_of(record_of(*resources), drafts, DAY, ZONE)]


def test_active_ones_in_their_order() -> None:
    resources = [
        coverage("b", order=2),
        coverage("a", order=1),
        coverage("none"),
        coverage("old", period={"end": "2025-12-31"}),
        coverage("off", status="cancelled"),
        coverage("hers", beneficiary={"reference": "Patient/p2"}),
    ]
    assert found(*resources) == ["Coverage/a", "Coverage/b", "Coverage/none"]


def test_insurance_of_the_order_decides() -> None:
    resources = [coverage("a"), coverage("old", period={"end": "2025-12-31"})]
    assert found(*resources, insurance=[{"reference": "Coverage/old"}]) == ["Coverage/old"]
    assert found(*resources, insurance=[{"reference": "Coverage/lost"}]) == ["Coverage/lost"]
    assert found(*resources, insurance=[{"reference": "ClaimResponse/x"}]) == ["Coverage/a"]


NOT_THE_PATIENTS = {
    "another resource": {"resourceType": "Organization", "id": "c"},
    "another patient's": coverage("c", beneficiary={"reference": "Patient/p2"}),
}


@pytest.mark.parametrize("held", NOT_THE_PATIENTS.values(), ids=NOT_THE_PATIENTS)
def test_insurance_that_is_no_coverage_of_the_patient_tells_nothing(held: dict[str, Any]) -> None:
    drafts = [order(insurance=[{"reference": "#c"}], contained=[held])]
    (one,) = coverages_of(record_of(coverage("a")), drafts, DAY, ZONE)
    assert (one.reference, one.read) == ("#c", False)


def test_a_contained_coverage_finds_its_payor_beside_it() -> None:
    held = coverage("c", payor=[{"reference": "#o"}])
    drafts = [order(insurance=[{"reference": "#c"}], contained=[held, ORGANIZATION])]
    (one,) = coverages_of(record_of(), drafts, DAY, ZONE)
    assert (one.reference, one.payors[0].identifiers) == ("#c", {(PAYOR, "CCA")})


def test_an_unread_coverage_tells_nothing() -> None:
    drafts = [order(insurance=[{"reference": "Coverage/lost"}])]
    (lost,) = coverages_of(record_of(), drafts, DAY, ZONE)
    assert (lost.read, lost.in_force) == (False, "unknown")
    assert not route(lost, load_table()).known


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "met"),
        ({"period": None}, "met"),
        ({"period": {"start": "2026-03-16"}}, "met"),
        ({"period": {"end": "2026-03-16"}}, "met"),
        ({"period": {"end": "2026-03"}}, "unknown"),
        ({"period": {"end": "later"}}, "unknown"),
        ({"period": {"start": "0001-01-01T00:00:00Z", "end": "0001-01-01T00:00:00Z"}}, "met"),
        ({"period": {"start": "0001-01-01", "end": "2026-03-15"}}, "not-met"),
        ({"period": {"start": "1900-01-01", "end": "9999-12-31T23:59:59Z"}}, "met"),
        ({"period": {"end": "2026-03-15"}}, "not-met"),
        ({"period": {"start": "2026-03-17"}}, "not-met"),
        ({"status": "draft"}, "not-met"),
    ],
)
def test_in_force(more: dict[str, Any], expected: str) -> None:
    drafts = [order(insurance=[{"reference": "Coverage/k1"}])]
    (one,) = coverages_of(record_of(coverage(**more)), drafts, DAY, ZONE)
    answer = ask("coverage", {"in-force": True}, context_of(coverage=one))
    assert answer.status == expected
    assert answer.findings[0].reference == "Coverage/k1"


@pytest.mark.parametrize(
    ("period", "said"),
    [
        (None, "no dates stated"),
        ({"start": "2026-01-01"}, "from 2026-01-01"),
        ({"end": "2026-12-31"}, "to 2026-12-31"),
        ({"start": "2026-01-01", "end": "2026-12-31"}, "from 2026-01-01 to 2026-12-31"),
    ],
)
def test_from_when_to_when_a_coverage_is_in_force_is_told(period: Any, said: str) -> None:
    (one,) = coverages_of(record_of(coverage(period=period)), [order()], DAY, ZONE)
    answer = ask("coverage", {"in-force": True}, context_of(coverage=one))
    assert [found.value for found in answer.findings] == [said]


ORGANIZATION = {
    "resourceType": "Organization",
    "id": "o",
    "identifier": [{"system": PAYOR, "value": "CCA"}],
    "name": "Commonwealth Care Alliance",
}


@pytest.mark.parametrize(
    ("more", "policy", "line", "known", "product_known"),
    [
        ({"class": plan("CCA-ONE-CARE")}, "cca-mng-084", "one-care", True, True),
        ({"class": plan("CCA-SCO")}, "cca-mng-084", "sco", True, True),
        ({"class": plan("CCA-MA")}, "cca-mng-084", "medicare-advantage", True, True),
        ({"class": [plan("17")[0] | {"name": "senior care  Options"}]},
         "cca-mng-084", "sco", True, True),
        ({"class": [plan("17")[0] | {"name": "Senior Care"}]}, "cca-mng-084", None, True, False),
        ({"class": plan("CCA-NEW")}, "cca-mng-084", None, True, False),
        ({}, "cca-mng-084", None, True, False),
        ({"class": "CCA-SCO"}, "cca-mng-084", None, True, False),
        ({"class": [{"type": {"coding": [{"system": "urn:oid:1.2.3", "code": "5543"},
                                         {"system": CLASS, "code": "plan"}]},
                     "value": "CCA-SCO"}]},
         "cca-mng-084", "sco", True, True),
        ({"class": [{"type": {"text": "Plan"}, "value": "CCA-SCO"}]},
         "cca-mng-084", "sco", True, True),
        ({"class": [{"type": {"coding": [{"system": "urn:oid:1.2.3", "code": "plan"},
                                         {"system": CLASS, "code": "group"}]},
                     "value": "CCA-SCO"}]},
         "cca-mng-084", None, True, False),
        ({"class": [{"type": {"coding": [{"code": "group"}]}, "value": "CCA-SCO"}]},
         "cca-mng-084", None, True, False),
        ({"payor": [{"reference": "Organization/o"}]}, "cca-mng-084", None, True, False),
        ({"payor": [{"reference": "#o"}], "contained": [ORGANIZATION]},
         "cca-mng-084", None, True, False),
        ({"payor": [{"display": "commonwealth  CARE alliance"}]}, "cca-mng-084", None, True, False),
        ({"payor": [{"display": "Commonwealth"}]}, None, None, False, False),
        (
            {"payor": [{"display": "Commonwealth Care Alliance",
                        "identifier": {"system": PAYOR, "value": "OTHER"}}]},
            None, None, False, False,
        ),
        ({"payor": [{"identifier": {"value": "CCA"}}]}, None, None, False, False),
        ({"payor": [{"reference": "Patient/p1"}]}, None, None, False, False),
        ({"payor": None}, None, None, False, False),
        (
            {"payor": [{"identifier": {"system": PAYOR, "value": "STATE-FUND"}}],
             "class": plan("STATE-FUND-WC")},
            None, "workers-compensation", True, True,
        ),
    ],
)  # fmt: skip
def test_route(
    more: dict[str, Any], policy: Any, line: Any, known: bool, product_known: bool
) -> None:
    found = route(only(ORGANIZATION, **more), load_table())
    assert (found.policy, found.line_of_business) == (policy, line)
    assert (found.known, found.product_known) == (known, product_known)


@pytest.mark.parametrize(
    ("more", "medicare", "line"),
    [
        ({"class": plan("CCA-MA")}, "met", "not-met"),
        ({"class": plan("CCA-SCO")}, "not-met", "met"),
        ({"class": plan("CCA-SCO"), "type": {"coding": [{"system": SOPT, "code": "14"}]}},
         "met", "met"),
        ({"type": {"coding": [{"system": SOPT, "code": "5"}]}}, "not-met", "unknown"),
        ({"type": {"coding": [{"system": SOPT, "code": "11"}]}}, "met", "unknown"),
        ({"type": {"coding": [{"system": SOPT, "code": "141"}]}}, "met", "unknown"),
        ({"type": {"coding": [{"system": SOPT, "code": "523"}]}}, "met", "unknown"),
        ({"type": {"coding": [{"system": SOPT_OID, "code": "11"}]}}, "met", "unknown"),
        ({"type": {"coding": [{"system": SOPT_OID, "code": "511"}]}}, "not-met", "unknown"),
        ({"type": {"coding": [{"system": SOPT, "code": "95"}]}}, "not-met", "unknown"),
        ({"type": {"coding": [{"system": SOPT, "code": "7"}]}}, "unknown", "unknown"),
        ({"type": {"coding": [{"system": SOPT, "code": "79"}]}}, "unknown", "unknown"),
        ({"type": {"coding": [{"system": SOPT, "code": "99"}]}}, "unknown", "unknown"),
        ({"type": {"coding": [{"system": SOPT, "code": "9999"}]}}, "unknown", "unknown"),
        ({"class": plan("CCA-SCO"), "type": {"coding": [{"system": SOPT, "code": "9999"}]}},
         "not-met", "met"),
        ({"type": {"coding": [{"code": "EHCPOL"}]}}, "unknown", "unknown"),
        ({}, "unknown", "unknown"),
    ],
)  # fmt: skip
def test_product(more: dict[str, Any], medicare: str, line: str) -> None:
    one, _ = routed(only(**more), load_table())
    context = context_of(coverage=one)
    assert ask("coverage", {"medicare": True}, context).status == medicare
    assert ask("coverage", {"line-of-business": ["sco", "one-care"]}, context).status == line


def test_type_of_this_and_of_any_coverage() -> None:
    compensation = coverage("wc", type={"coding": [{"code": "WCBPOL"}]})
    resources = record_of(coverage("k1", type={"coding": [{"code": "EHCPOL"}]}), compensation)
    drafts = [order(insurance=[{"reference": "Coverage/k1"}])]
    (one,) = coverages_of(resources, drafts, DAY, ZONE)
    context = context_of(coverage=one)
    assert ask("coverage", {"type": "WCBPOL"}, context).status == "not-met"
    assert ask("coverage", {"type": ["WCBPOL"], "which": "any"}, context).status == "met"


def test_no_coverage_cannot_tell() -> None:
    answer = ask("coverage", {"in-force": True}, context_of(holes=("coverage",)))
    assert (answer.status, answer.holes[0].key) == ("unknown", "coverage")
    assert ask("coverage", {"medicare": True}, context_of()).status == "unknown"


def test_first_row_decides_and_a_row_without_plan_takes_all(tmp_path: Path) -> None:
    table = tmp_path / "payers.yaml"
    table.write_text(
        f"""payers:
  - payor: {{system: "{PAYOR}", value: CCA}}
    plan-class: {{value: ONE}}
    policy: first
  - payor: {{system: "{PAYOR}", value: CCA}}
    policy: second
"""
    )
    assert route(only(**{"class": plan("ONE")}), load_table(table)).policy == "first"
    assert route(only(**{"class": plan("TWO")}), load_table(table)).policy == "second"


def test_products_that_lead_apart_need_the_product(tmp_path: Path) -> None:
    table = tmp_path / "payers.yaml"
    rows = [
        f'  - payor: {{system: "{PAYOR}", value: CCA}}\n    plan-class: {{value: {name}}}\n'
        f"    policy: {name}\n"
        for name in ("one", "two")
    ]
    table.write_text("payers:\n" + "".join(rows))
    found = route(only(), load_table(table))
    assert (found.policy, found.known, found.product_known) == (None, True, False)


@pytest.mark.parametrize("content", ["[]", "payers: [{policy: x}]", "payers: ["])
def test_a_bad_table_names_file_and_remedy(tmp_path: Path, content: str) -> None:
    table = tmp_path / "mine.yaml"
    table.write_text(content)
    with pytest.raises(PayersError, match=r"mine\.yaml"):
        load_table(table)
