"""What may change in a record, and what must then change, or not, in the result."""

import copy
import random
import re
from dataclasses import replace
from datetime import timedelta
from functools import cache
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.policies.library import default_library
from cds_service.record.model import Hole, PatientRecord
from cds_service.record.queries import catalogue
from cds_service.record.reader import record_of_bundle
from fhir_fixtures.stories import ORDER_DATE
from tests.spec.corpus import chart_of, charts, evaluations, outcomes, policy_test_charts
from tests.spec.records import has_partial_dates, mapped, name_of, shifted
from tests.spec.story_strategy import drawn, stories

CHARTS = {**charts(), **policy_test_charts()}
NAMES = list(CHARTS)
FOUR_YEARS = 1461
INCIDENTAL = {"Patient", "Coverage", "Organization", "Practitioner", "PractitionerRole"}

every_chart = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def chart(name):
    return CHARTS[name]


@cache
def usual(name):
    """Return what a chart comes to as it stands."""
    return outcomes(CHARTS[name])


def about(chart, kind, **content):
    patient = {"reference": f"Patient/{chart.patient}"}
    return {"resourceType": kind, "id": f"unrelated-{kind.lower()}", "subject": patient, **content}


# Evidence that is taken away.


def without(chart, names):
    return chart.with_(resources=tuple(r for r in chart.resources if name_of(r) not in names))


def cited(criterion, chart):
    """Return the clinical resources of the record that a criterion rests on."""
    known = {name_of(r) for r in chart.resources if r["resourceType"] not in INCIDENTAL}
    return {found["reference"] for found in criterion["evidence"]} & known


def taken_away(chart):
    """Yield (criterion, evidence taken away, the criterion then) for each that is met."""
    for key, found in evaluations(chart).items():
        met = [one for one in found["criteria"] if one["status"] == "met" and cited(one, chart)]
        for evidence in {frozenset(cited(one, chart)) for one in met}:
            then = evaluations(without(chart, evidence)).get(key)
            listed = {one["id"]: one for one in then["criteria"]} if then else {}
            for one in met:
                if cited(one, chart) <= evidence and one["id"] in listed:
                    yield one["id"], evidence, listed[one["id"]]


# Criteria that the absence of something decides, because their source says so (G-01).
ABSENCE_IS_A_FACT = {
    "KP-B1": "S3 L34: comfort care is for the terminally ill; everybody else has KP-A",
    "VHA-L5": "S4 L98: what is not listed is not indicated",
}


def speaks_against(then):
    """Whether what is left says no by itself: it names more than the order it was asked of."""
    return then["id"] in ABSENCE_IS_A_FACT or any(e["text"] != "Order" for e in then["evidence"])


@every_chart
def test_without_its_evidence_nothing_met_is_refused(chart):
    wrong = [
        (name, then["status"], sorted(evidence))
        for name, evidence, then in taken_away(chart)
        if (then["status"] == "not-met" and not then["operator"] and not speaks_against(then))
        or (then["status"] == "met" and not then["evidence"])
        or (then["status"] == "met" and cited(then, chart) & evidence)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", charts())
def test_in_a_worked_case_it_becomes_unknown_or_names_other_evidence(chart):
    became = {then["status"] for _, _, then in taken_away(chart)}
    assert became <= {"met", "unknown", "not-applicable"}


# What has nothing to do with it.


def unrelated(chart):
    day = chart.day.isoformat()
    snomed, loinc = "http://snomed.info/sct", "http://loinc.org"
    yield {
        "resourceType": "Immunization",
        "id": "unrelated-immunization",
        "status": "completed",
        "patient": {"reference": f"Patient/{chart.patient}"},
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "140"}]},
        "occurrenceDateTime": day,
    }
    appendectomy = {"coding": [{"system": snomed, "code": "430193006"}], "text": "Reconciliation"}
    yield about(
        chart, "Procedure", status="completed", code=appendectomy, performedDateTime="2019-05-04"
    )
    cholesterol = {"coding": [{"system": loinc, "code": "2093-3"}]}
    yield about(
        chart,
        "Observation",
        status="final",
        code=cholesterol,
        effectiveDateTime=day,
        valueQuantity={"value": 180, "unit": "mg/dL", "code": "mg/dL"},
    )


@every_chart
def test_what_is_unrelated_changes_nothing(chart):
    more = chart.with_(resources=(*chart.resources, *unrelated(chart)))
    assert outcomes(more) == usual(chart.name)


def mistaken(resource):
    """Return a twin of a resource that was entered in error."""
    twin = copy.deepcopy(resource) | {"id": f"{resource['id']}-mistaken"}
    error = {"coding": [{"code": "entered-in-error"}]}
    if resource["resourceType"] == "Condition":
        twin.pop("clinicalStatus", None)
        return twin | {"verificationStatus": error}
    if resource["resourceType"] == "Goal":
        return twin | {"lifecycleStatus": "entered-in-error"}
    return twin | {"status": "entered-in-error"}


@every_chart
def test_a_twin_entered_in_error_changes_nothing(chart):
    twins = tuple(mistaken(r) for r in chart.resources if r["resourceType"] not in INCIDENTAL)
    assert outcomes(chart.with_(resources=(*chart.resources, *twins))) == usual(chart.name)


def of_somebody_else(resource):
    """Return a copy of a resource that is another patient's."""
    twin = copy.deepcopy(resource) | {"id": f"{resource['id']}-theirs"}
    names = [name for name in ("subject", "patient", "beneficiary") if name in twin]
    return twin | {name: {"reference": "Patient/somebody-else"} for name in names}


@every_chart
def test_another_patients_data_are_never_used(chart):
    theirs = [of_somebody_else(r) for r in chart.resources if r["resourceType"] not in INCIDENTAL]
    ours = evaluations(chart.with_(resources=(*chart.resources, *theirs)))
    names = {name_of(one) for one in theirs}
    for found in ours.values():
        held = [*found["criteria"], *found["safety"]]
        assert not names & {e["reference"] for one in held for e in one["evidence"]}
    mixed, alone = record_of_bundle(chart.patient, [*chart.resources, *theirs]), chart.record
    unmarked = PatientRecord(
        mixed.patient_id, mixed.by_type, mixed.by_reference, alone.holes, retracted=mixed.retracted
    )
    assert outcomes(chart, unmarked) == usual(chart.name)


# Other days, other order, other ways to write the same.


def moved(chart, days):
    day = shifted([chart.day.isoformat()], days)[0]
    return chart.with_(
        resources=tuple(shifted(list(chart.resources), days)),
        orders=tuple(shifted(list(chart.orders), days)),
        day=type(chart.day).fromisoformat(day),
        acknowledged={finding: on + timedelta(days) for finding, on in chart.acknowledged.items()},
    )


def by_four_years(value):
    """Return JSON with partial dates moved by four years."""
    partial = re.compile(r"(\d{4})(-\d{2})?")

    def change(_key, text):
        found = partial.fullmatch(text)
        if not found or not 1900 < int(found[1]) < 2100:
            return text
        return f"{int(found[1]) + 4}{found[2] or ''}"

    return mapped(value, change)


@every_chart
def test_four_years_later_all_is_the_same(chart):
    later = moved(chart, FOUR_YEARS)
    later = later.with_(resources=tuple(by_four_years(list(later.resources))))
    assert outcomes(later) == usual(chart.name)


@pytest.mark.parametrize("name", [n for n in NAMES if not has_partial_dates(CHARTS[n].resources)])
@pytest.mark.parametrize("days", [-11, 3])
def test_some_days_later_all_is_the_same(days, chart):
    assert outcomes(moved(chart, days)) == usual(chart.name)


@every_chart
def test_the_order_of_pages_does_not_matter(chart):
    shuffled = list(chart.resources)
    random.Random(chart.name).shuffle(shuffled)
    for resources in (reversed(chart.resources), shuffled):
        assert outcomes(chart.with_(resources=tuple(resources))) == usual(chart.name)


@every_chart
def test_a_resource_that_comes_twice_counts_once(chart):
    twice = (*chart.resources, *copy.deepcopy(chart.resources))
    assert outcomes(chart.with_(resources=twice)) == usual(chart.name)


def contained(holder, name, element, known):
    """Let a reference of a resource lead to a copy inside it, and that one's to a copy too."""
    target = copy.deepcopy(known.get(element.get("reference")))
    if target is None:
        return
    local = f"in-{name}-{len(holder.get('contained', []))}"
    inner = target.get("practitioner", {})
    holder.setdefault("contained", []).append(target | {"id": local})
    element["reference"] = f"#{local}"
    if inner:
        contained(holder, "practitioner", inner, known)
        holder["contained"][-2]["practitioner"] = inner


def pointing(resource):
    """Yield the references of a resource to diagnoses, and of a plan to what it plans."""
    kind = resource["resourceType"]
    if kind == "Encounter":
        yield from resource.get("reasonReference", [])
        yield from (one["condition"] for one in resource.get("diagnosis", []))
    elif kind == "DocumentReference":
        related = resource.get("context", {}).get("related", [])
        yield from (one for one in related if one["reference"].startswith("Condition/"))
    elif kind == "Goal":
        yield from resource.get("addresses", [])
    elif kind == "CarePlan":
        yield from (a["reference"] for a in resource.get("activity", []) if "reference" in a)


@every_chart
def test_contained_resources_count_as_those_beside(chart):
    known = {name_of(r): r for r in chart.resources}
    resources = copy.deepcopy(list(chart.resources))
    orders = copy.deepcopy(list(chart.orders))
    for coverage in (r for r in resources if r["resourceType"] == "Coverage"):
        for payor in coverage.get("payor", []):
            contained(coverage, "payor", payor, known)
    for order in orders:
        for performer in order.get("performer", []):
            contained(order, "performer", performer, known)
    for resource in resources:
        for element in pointing(resource):
            contained(resource, "reason", element, known)
    held = [r for r in resources if r["resourceType"] != "Organization"]
    inside = chart.with_(resources=tuple(held), orders=tuple(orders))
    assert outcomes(inside) == usual(chart.name)


@every_chart
def test_absolute_references_count_as_relative_ones(chart):
    def change(key, text):
        return f"https://ehr.example.org/fhir/{text}" if key == "reference" else text

    resources = tuple(mapped(list(chart.resources), change))
    assert outcomes(chart.with_(resources=resources)) == usual(chart.name)


# Holes.


@cache
def asked_for(key):
    """Return type, codes and categories that a query asks for; None where it asks for all."""
    query = catalogue().queries[key]
    pairs = dict(parse_qsl(urlsplit(query.forms("somebody")[0]).query))
    named = {
        name: frozenset(pairs[name].split(",")) for name in ("code", "category") if name in pairs
    }
    return query.resource_type, named


def brings(key, resource):
    """Whether a query asks for a resource, by the codes or the category that it names."""
    kind, named = asked_for(key)
    if resource["resourceType"] != kind:
        return False
    parts = [resource, *resource.get("component", [])]
    told = {"code": [p.get("code", {}) for p in parts], "category": resource.get("category", [])}
    return all(
        codes & {coding["code"] for concept in told[name] for coding in concept.get("coding", [])}
        for name, codes in named.items()
    )


def lost(chart, key):
    """Return the names of what only this query brings."""
    kind, _ = asked_for(key)
    beside = [one for one in catalogue().queries if one != key and asked_for(one)[0] == kind]
    return {
        name_of(one)
        for one in chart.resources
        if brings(key, one) and not any(brings(other, one) for other in beside)
    }


def with_hole(chart, record, key, *, empty):
    """Return the record with a query that failed, or that was cut off after what there is."""
    gone = lost(chart, key) if empty else set()
    kind, _ = asked_for(key)
    kept = [one for one in record.of_type(kind) if name_of(one) not in gone]
    known = {name: one for name, one in record.by_reference.items() if name not in gone}
    holes = {**record.holes, key: (Hole(key, kind, "timeout"),)}
    return replace(record, by_type={**record.by_type, kind: kept}, by_reference=known, holes=holes)


def keys_read(found):
    """Return the clinical queries that the policies of evaluations read."""
    library = default_library()
    policies = [library.policy(name, ORDER_DATE) or library.unrouted for _, name in found]
    return sorted(set().union(*(one.keys for one in policies)) - {"patient", "coverage"})


def blocking(found):
    return {name for name, blocks in found["missing"].items() if blocks}


def worsened(before, after):
    """Yield what a hole must not do to a result."""
    if after["determination"] not in {before["determination"], "conditional"}:
        yield f"{before['determination']} became {after['determination']}"
    if new := blocking(after) - blocking(before):
        yield f"asks for {sorted(new)}"
    for name, status in after["criteria"].items():
        if status in ("met", "not-met") and before["criteria"].get(name) == "unknown":
            yield f"{name} was unknown and became {status}"


@pytest.mark.parametrize("empty", [True, False], ids=["failed", "cut off"])
@every_chart
def test_nothing_rests_on_a_hole(chart, empty):
    record, whole = chart.record, usual(chart.name)
    wrong = []
    for key in keys_read(whole):
        if empty and not lost(chart, key):
            continue  # cut off after nothing: the other case
        found = outcomes(chart, with_hole(chart, record, key, empty=empty))
        wrong += [(key, said) for each in whole for said in worsened(whole[each], found[each])]
    assert wrong == []


@pytest.mark.parametrize("policy", default_library().ids())
@drawn(share=4)
@given(data=st.data())
def test_nothing_drawn_rests_on_a_hole(policy, data):
    chart = chart_of("drawn", data.draw(stories(policy)))
    whole, record, empty = outcomes(chart), chart.record, data.draw(st.booleans())
    key = data.draw(st.sampled_from(keys_read(whole)))
    found = outcomes(chart, with_hole(chart, record, key, empty=empty))
    assert [said for each in whole for said in worsened(whole[each], found[each])] == []


@every_chart
def test_a_coverage_that_was_not_read_leaves_the_result_open(chart):
    for found in outcomes(chart, with_hole(chart, chart.record, "coverage", empty=True)).values():
        assert found["determination"] in ("conditional", "not-applicable")


# What tells which criteria hold for a member.

KAISER = ["kp-01", "demo-kp-complete", "demo-kp-medicare-physical-therapist"]


@pytest.mark.parametrize("name", KAISER)
def test_without_the_kind_of_membership_no_branch_of_kaisers_is_enough(chart):
    def untold(resource):
        told = ("class", "type") if resource["resourceType"] == "Coverage" else ()
        return {key: value for key, value in resource.items() if key not in told}

    (found,) = outcomes(chart).values()
    assert found["determination"] == "covered"
    (found,) = outcomes(chart.with_(resources=tuple(map(untold, chart.resources)))).values()
    assert found["determination"] == "conditional"
    assert found["missing"]["KP-KIND"] is True
