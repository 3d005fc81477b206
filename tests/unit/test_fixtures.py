"""The stories, what the builder makes of them, and the files that the demo ships."""

import json
from datetime import date

import pytest
from fhir.resources.R4B import get_fhir_model_class
from fhir.resources.R4B.bundle import Bundle

from cds_service.services import rules_of
from cds_service.settings import load_settings
from fhir_fixtures import generate
from fhir_fixtures.care import STRANGER
from fhir_fixtures.chart import ABSENT
from fhir_fixtures.fhir import HERE
from fhir_fixtures.people import birth_date
from fhir_fixtures.stories import StoryError, build, read_story

SCENARIOS = {built.name: (story, built) for story, built in generate.scenarios()}


def story(**changes):
    minimal = {"title": "t", "patient": {"age": 40, "sex": "female"}, "orders": [{"code": 97124}]}
    return minimal | changes


def resources(built, kind):
    held = [entry["resource"] for entry in built.record["entry"]]
    return [resource for resource in held if resource["resourceType"] == kind]


def drafts(built):
    return [e["resource"] for e in built.request["context"]["draftOrders"]["entry"]]


class TestShippedFiles:
    def test_are_what_the_stories_make(self):
        stale = [
            name
            for name, content in generate.files().items()
            if not (HERE / name).is_file()
            or (HERE / name).read_text(encoding="utf-8") != generate.text(content)
        ]
        assert not stale, f"run `make fixtures`: {stale}"

    def test_nothing_else_is_shipped(self):
        held = {
            f"{part}/{path.name}"
            for part in ("patients", "requests")
            for path in (HERE / part).iterdir()
        }
        assert held == generate.files().keys() - {generate.INDEX}

    def test_index_names_every_patient_once(self):
        index = json.loads((HERE / generate.INDEX).read_text(encoding="utf-8"))["patients"]
        assert [entry["id"] for entry in index] == sorted(SCENARIOS)
        assert len({entry["name"] for entry in index}) == len(index)

    def test_every_outcome_is_shown_for_every_payer(self):
        shown = {(s["policy"], s["expect"]["determination"]) for s, _ in SCENARIOS.values()}
        policies = {row.policy for row in rules_of(load_settings({})).payers if row.policy}
        outcomes = ("covered", "conditional", "not-covered")
        assert policies
        assert {(policy, outcome) for policy in policies for outcome in outcomes} <= shown

    def test_every_urgency_and_effect_of_a_safety_finding_is_shown(self):
        flags = [flag for s, _ in SCENARIOS.values() for flag in s["expect"].get("redFlags", ())]
        assert {flag["urgency"] for flag in flags} == {
            "ED-now",
            "PCP-prompt",
            "specialist",
            "caution",
        }
        assert {flag["effect"] for flag in flags} == {"stop", "hold", "none"}

    def test_both_code_systems_are_shown_alone(self):
        alone = [systems for systems in map(diagnosis_systems, SCENARIOS) if len(systems) == 1]
        assert {"http://hl7.org/fhir/sid/icd-10-cm"} in alone
        assert {"http://snomed.info/sct"} in alone


def diagnosis_systems(name):
    held = resources(SCENARIOS[name][1], "Condition")
    return {coding["system"] for one in held for coding in one["code"].get("coding", ())}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_bundle_is_valid_r4(name):
    record = json.loads((HERE / "patients" / f"{name}.json").read_text(encoding="utf-8"))
    request = json.loads((HERE / "requests" / f"{name}.json").read_text(encoding="utf-8"))
    for bundle in (record, request["context"]["draftOrders"]):
        Bundle.model_validate(bundle)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_reference_resolves(name):
    _, built = SCENARIOS[name]
    held = [e["resource"] for e in built.record["entry"]]
    known = {f"{r['resourceType']}/{r['id']}" for r in held}
    assert set(references([*held, *drafts(built)])) <= known | {STRANGER, ABSENT}
    assert len(known) == len(held)


def references(value):
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for item in value.values():
            yield from references(item)


class TestBuilder:
    def test_days_count_from_the_order(self):
        built = build("x", story(conditions=[{"code": "M54.2 Neck pain", "since": -16}]))
        moved = build("x", story(conditions=[{"code": "M54.2", "since": -16}]), date(2030, 1, 1))
        assert resources(built, "Condition")[0]["onsetDateTime"] == "2026-02-28"
        assert resources(moved, "Condition")[0]["onsetDateTime"] == "2029-12-16"
        assert drafts(moved)[0]["authoredOn"] == "2030-01-01"

    @pytest.mark.parametrize(
        ("today", "birthday", "expected"),
        [
            (date(2026, 3, 16), None, "1985-09-16"),
            (date(2026, 9, 30), None, "1986-03-28"),
            (date(2026, 7, 1), None, "1986-01-01"),
            (date(2026, 3, 16), "today", "1986-03-16"),
        ],
    )
    def test_birth_date(self, today, birthday, expected):
        assert birth_date(today, 40, birthday) == expected

    def test_entered_in_error_has_no_clinical_status_and_no_reference(self):
        wrong = {"code": "M54.2 Neck pain", "since": -1, "verification": "entered-in-error"}
        order = {"code": 97124, "reason": "M54.2"}
        built = build("x", story(conditions=[wrong], orders=[order]))
        assert "clinicalStatus" not in resources(built, "Condition")[0]
        assert "reasonReference" not in drafts(built)[0]
        assert drafts(built)[0]["reasonCode"][0]["coding"][0]["code"] == "M54.2"

    def test_score_and_form_are_one_measurement(self):
        built = build("x", story(measures=[{"day": -1, "ndi": "38%", "status": "preliminary"}]))
        (form,) = resources(built, "QuestionnaireResponse")
        (score,) = resources(built, "Observation")
        assert score["derivedFrom"] == [{"reference": f"QuestionnaireResponse/{form['id']}"}]
        assert (score["status"], form["status"]) == ("preliminary", "in-progress")
        assert score["valueQuantity"]["code"] == "%"

    def test_unscored_form_has_no_score(self):
        built = build("x", story(measures=[{"day": -1, "lefs": "not scored"}]))
        (form,) = resources(built, "QuestionnaireResponse")
        assert form["item"] == [{"linkId": "lefs-score"}]
        assert not resources(built, "Observation")

    def test_platelets_below_the_limit_are_marked_low(self):
        built = build("x", story(measures=[{"day": -1, "platelets": 90}]))
        (count,) = resources(built, "Observation")
        assert count["interpretation"][0]["coding"][0]["code"] == "L"
        assert count["referenceRange"][0]["low"]["value"] == 150

    def test_screen_answers_no_unless_told(self):
        forms = [{"day": 0, "safety-screen": {"EV-RF08": True, "EV-RF31": "unknown"}}]
        (form,) = resources(build("x", story(forms=forms)), "QuestionnaireResponse")
        items = [item for group in form["item"] for item in group["item"]]
        given = {i["linkId"]: i["answer"][0]["valueCoding"]["code"] for i in items}
        assert (given["EV-RF08"], given["EV-RF31"], given["EV-RF01"]) == ("yes", "unknown", "no")

    def test_house_code_has_a_system_of_its_own(self):
        built = build("x", story(conditions=[{"code": "local:P-12 Neck pain"}]))
        (condition,) = resources(built, "Condition")
        (coding,) = condition["code"]["coding"]
        assert (coding["code"], coding["display"]) == ("P-12", "Neck pain")
        assert coding["system"] == "https://ehr.example.org/problem-list"
        assert condition["id"] == "x-condition-local-p-12"

    def test_stray_note_is_about_somebody_else(self):
        note = {"day": -1, "type": "letter", "whose": "another patient"}
        built = build("x", story(documents=[note]))
        assert resources(built, "DocumentReference")[0]["subject"] == {"reference": STRANGER}

    def test_who_is_not_on_file_is_referred_to_all_the_same(self):
        built = build("x", story(orders=[{"code": 97124, "by": "somebody not on file"}]))
        assert drafts(built)[0]["performer"] == [{"reference": ABSENT}]
        held = [f"PractitionerRole/{one['id']}" for one in resources(built, "PractitionerRole")]
        assert ABSENT not in held

    def test_words_without_a_code_stay_words(self):
        built = build("x", story(conditions=[{"code": "Bad knees"}]))
        assert resources(built, "Condition")[0]["code"] == {"text": "Bad knees"}

    def test_order_without_anything_stated(self):
        (order,) = drafts(build("x", story(orders=[{"code": "massage, please"}])))
        assert order["code"] == {"text": "massage, please"}
        assert not order.keys() & {"occurrenceTiming", "quantityQuantity", "bodySite", "insurance"}

    def test_allergy_program_and_procedure(self):
        built = build(
            "x",
            story(
                allergies=["Nut oil"],
                programs=["HOPE"],
                procedures=[{"code": "97161", "day": -9, "site": "left knee"}],
            ),
        )
        assert resources(built, "Flag")[0]["code"]["coding"][0]["code"] == "HOPE"
        assert resources(built, "AllergyIntolerance")[0]["code"] == {"text": "Nut oil"}
        assert resources(built, "Procedure")[0]["bodySite"][0]["text"] == "left knee"
        for resource in built.record["entry"]:
            kind = resource["resource"]["resourceType"]
            get_fhir_model_class(kind).model_validate(resource["resource"])


class TestStoryErrors:
    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("title: t\n", "bad.yaml: top: 'patient' is a required property"),
            ("{title: t, patient: {age: 4, sex: male}, orders: [{kode: 1}]}", "orders/0"),
            ("{title: t, patient: {age: 4, sex: m}, orders: [{}]}", "patient/sex"),
        ],
    )
    def test_form(self, tmp_path, text, problem):
        path = tmp_path / "bad.yaml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(StoryError, match=problem):
            read_story(path)

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"coverage": ["NOWHERE"]}, "x: codes.yaml: products has no 'NOWHERE'; it has CASC"),
            ({"orders": [{"code": 97124, "site": "left ear"}]}, "sites has no region in 'left e"),
            ({"measures": [{"day": 0, "weight": "heavy"}]}, "'heavy' is no amount"),
            ({"forms": [{"day": 0, "limited-in": ["flying"]}]}, "flying"),
            ({"documents": [{"day": 0, "type": "poem"}]}, "documents has no 'poem'"),
        ],
    )
    def test_content(self, change, problem):
        with pytest.raises(StoryError, match=problem):
            build("x", story(**change))
