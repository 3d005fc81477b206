"""The rules bite: a sound extension passes, and each fault is told."""

import copy

import pytest

from tests.crd.rules import DETAILS, INVARIANTS, TEMP, URL, breaches

SOUND = {
    "url": URL,
    "extension": [
        {"url": "coverage", "valueReference": {"reference": "Coverage/1"}},
        {"url": "covered", "valueCode": "conditional"},
        {"url": "pa-needed", "valueCode": "auth-needed"},
        {"url": "doc-needed", "valueCode": "clinical"},
        {"url": "doc-purpose", "valueCode": "withpa"},
        {"url": "info-needed", "valueCode": "OTH"},
        {"url": "billingCode", "valueCoding": {"system": "urn:x", "code": "97124"}},
        {"url": "reason", "valueCodeableConcept": {"text": "A note is missing."}},
        {"url": "questionnaire", "valueCanonical": "http://example.org/q"},
        {"url": "date", "valueDate": "2026-03-16"},
        {"url": "coverage-assertion-id", "valueString": "1"},
    ],
}


DETAIL = [
    {"url": "category", "valueCode": "cat-limitation"},
    {
        "url": "code",
        "valueCodeableConcept": {"coding": [{"system": DETAILS, "code": "allowed-quantity"}]},
    },
    {"url": "value", "valueQuantity": {"value": 12}},
]


def without(*urls):
    parts = [one for one in copy.deepcopy(SOUND["extension"]) if one["url"] not in urls]
    return {"url": URL, "extension": parts}


def having(*parts, instead=()):
    made = without(*instead)
    made["extension"] += parts
    return made


def code(url, value):
    return {"url": url, "valueCode": value}


@pytest.mark.parametrize("version", ["2.0", "2.2", "both"])
def test_a_sound_extension_passes(version):
    assert breaches(SOUND, version) == []


FAULTS = {
    "no coverage": (without("coverage"), "coverage"),
    "no assertion id": (without("coverage-assertion-id"), "coverage-assertion-id"),
    "no date": (without("date"), "date"),
    "two pa-needed": (having(code("pa-needed", "no-auth")), "pa-needed"),
    "unknown code": (having(code("covered", "perhaps"), instead=["covered"]), "covered"),
    "a string for a code": (
        having({"url": "covered", "valueString": "covered"}, instead=["covered"]),
        "covered",
    ),
    "a strange part": (having({"url": "extra", "valueString": "x"}), "extra"),
    "a detail without a value": (
        having({"url": "detail", "extension": DETAIL[:2]}),
        "detail",
    ),
    "a coverage that is none": (
        having(
            {"url": "coverage", "valueReference": {"reference": "Patient/1"}}, instead=["coverage"]
        ),
        "coverage",
    ),
    "a billing code without a system": (
        having({"url": "billingCode", "valueCoding": {"code": "97124"}}),
        "billingCode",
    ),
    "an empty reason": (having({"url": "reason", "valueCodeableConcept": {}}), "reason"),
    "q1": (without("doc-needed"), "q1"),
    "q2": (having(code("covered", "not-covered"), instead=["covered", "info-needed"]), "q2"),
    "q2 of 2.0.1": (without("pa-needed"), "q2 of 2.0.1"),
    "q3, too little": (without("info-needed"), "q3"),
    "q3, too much": (having(code("covered", "covered"), instead=["covered"]), "q3"),
    "q4": (having(code("pa-needed", "no-auth"), instead=["pa-needed"]), "q4"),
    "q5, no id": (
        having(code("pa-needed", "satisfied"), instead=["pa-needed", "doc-purpose"]),
        "q5",
    ),
    "q5, an id": (having({"url": "satisfied-pa-id", "valueString": "7"}), "q5"),
    "q6 and q8": (without("reason"), "q6"),
    "q7": (
        having(
            {
                "url": "reason",
                "valueCodeableConcept": {"coding": [{"system": "urn:x", "code": "y"}]},
            }
        ),
        "q7",
    ),
    "q9": (
        having(code("covered", "indeterminate"), instead=["covered", "info-needed", "reason"]),
        "q9",
    ),
    "not-covered without words": (
        having(
            code("covered", "not-covered"),
            instead=["covered", "pa-needed", "info-needed", "reason", "doc-purpose"],
        ),
        "not-covered without",
    ),
}


@pytest.mark.parametrize(("made", "told"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told(made, told):
    found = breaches(made, "both")
    assert any(told in text for text in found), found


def test_every_invariant_has_a_fault():
    told = " ".join(text for made, _ in FAULTS.values() for text in breaches(made, "both"))
    assert [name for name in INVARIANTS if name not in told] == []


def test_codes_of_the_other_version_are_told():
    assert breaches(having(code("covered", "indeterminate"), instead=["covered"]), "2.0")
    technical = {"coding": [{"system": TEMP, "code": "technical"}], "text": "No answer."}
    made = having({"url": "reason", "valueCodeableConcept": technical})
    assert breaches(made, "2.2") == []
    assert breaches(made, "2.0") == ["reason: technical is no code of 2.0"]
    assert breaches(having(code("doc-needed", "patient")), "2.0")


def test_a_detail_is_of_one_version():
    new = having({"url": "detail", "extension": DETAIL})
    assert breaches(new, "2.2") == []
    assert breaches(new, "2.0")
    old = copy.deepcopy(DETAIL[1:])
    old[0]["valueCodeableConcept"]["coding"][0]["system"] = TEMP
    assert breaches(having({"url": "detail", "extension": old}), "2.0") == []
    assert breaches(having({"url": "detail", "extension": old}), "2.2")


def test_a_refusal_has_pa_needed_in_2_0_as_its_invariant_is_coded_and_not_in_2_2():
    refused = having(code("covered", "not-covered"), instead=["covered", "info-needed"])
    bare = having(
        code("covered", "not-covered"),
        instead=["covered", "info-needed", "pa-needed", "doc-purpose"],
    )
    assert breaches(refused, "2.0") == []
    assert breaches(refused, "2.2")
    assert breaches(bare, "2.0")
    assert breaches(bare, "2.2") == breaches(bare, "both") == []
