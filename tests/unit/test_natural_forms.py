"""Records as US Core and LOINC shape them, read without any mapping."""

import pytest

from cds_service.evidence import vocabulary
from cds_service.evidence.measures import Measures
from cds_service.record.queries import catalogue
from cds_service.terminology import promis
from tests.unit.evidence_help import BASE, CPT, LOINC, ago, ask, coded, context, status

vocabulary.load()
FUNCTION = promis.items()[:4]
SOME = {"valueCodeableConcept": coded("LA13920-6", LOINC)}


def response(questionnaire, **answers):
    return {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "questionnaire": questionnaire,
        "authored": ago(2),
        "item": [{"linkId": link, "answer": [value]} for link, value in answers.items()],
    }


def series(measure, *resources):
    return context(*resources).facts.of(Measures).series(measure).points


class TestForms:
    @pytest.mark.parametrize("path", ["{}", "/{}", "/62337-1/{}"])
    def test_items_named_by_loinc_code_or_path(self, path):
        answer = {"valueCoding": {"system": LOINC, "code": "LA13920-6"}}
        answers = {path.format(code): answer for code in FUNCTION}
        (point,) = series("promis-physical-function", response("http://vendor/q/1", **answers))
        assert point.raw == 12

    @pytest.mark.parametrize(
        ("link", "measure"), [("72514-3", "nprs"), ("/97909-6", "odi"), ("44261-6", "phq-9")]
    )
    def test_a_score_in_a_form_nobody_knows(self, link, measure):
        form = response("http://vendor/q/1", **{link: {"valueDecimal": 7}})
        assert [point.figure for point in series(measure, form)] == ["7"]

    @pytest.mark.parametrize("link", ["1", "72514-4", "/99999-9"])
    def test_an_item_nobody_knows_states_nothing(self, link):
        form = response("http://vendor/q/1", **{link: {"valueDecimal": 7}})
        assert series("nprs", form) == ()

    @pytest.mark.parametrize(
        ("canonical", "link", "measure"),
        [
            ("http://loinc.org/q/97908-8", "97909-6", "odi"),
            ("https://loinc.org/q/82226-2|2.73", "82237-9", "ndi"),
        ],
    )
    def test_loinc_forms(self, canonical, link, measure):
        score = {"valueQuantity": {"value": 40, "unit": "%"}}
        assert len(series(measure, response(canonical, **{link: score}))) == 1

    def test_a_rating_may_stand_in_a_form_that_was_not_read(self):
        assert status("measure", {"of": "nprs"}, unread=("responses",)) == "unknown"
        assert status("measure", {"of": "temperature"}, unread=("responses",)) == "not-met"


class TestItemsAsObservations:
    def observation(self, **more):
        return {
            "resourceType": "Observation",
            "status": "final",
            "effectiveDateTime": ago(2),
            **more,
        }

    def test_each_by_itself_below_a_panel(self):
        items = [self.observation(id=code, code=coded(code, LOINC), **SOME) for code in FUNCTION]
        members = [{"reference": f"Observation/{code}"} for code in FUNCTION]
        panel = self.observation(id="p", code=coded("62337-1", LOINC), hasMember=members)
        (point,) = series("promis-physical-function", panel, *items)
        assert point.raw == 12

    def test_as_components(self):
        parts = [{"id": f"e{code}", "code": coded(code, LOINC), **SOME} for code in FUNCTION]
        panel = self.observation(id="p", code=coded("62337-1", LOINC), component=parts)
        (point,) = series("promis-physical-function", panel)
        assert (point.raw, point.finding.reference) == (12, "Observation/p")

    def test_preliminary_components_do_not_count(self):
        parts = [{"code": coded(code, LOINC), **SOME} for code in FUNCTION]
        panel = self.observation(code=coded("62337-1", LOINC), component=parts)
        assert series("promis-physical-function", panel | {"status": "preliminary"}) == ()

    def test_are_asked_for(self):
        query = catalogue().queries["measures"].query
        assert [code for code in promis.items() if code not in query] == []

    def test_answers_of_yes_and_no_by_code(self):
        yes = coded("yes", f"{BASE}/CodeSystem/screen-answers")
        told = self.observation(
            code=coded("member-satisfaction", f"{BASE}/CodeSystem/measures"),
            valueCodeableConcept=yes,
        )
        spec = {"of": "member-satisfaction", "coded-in": ["yes"]}
        assert status("measure", spec, told) == "met"


class TestGoals:
    def goal(self, **more):
        return {
            "resourceType": "Goal",
            "id": "g",
            "lifecycleStatus": "active",
            "description": {"text": "Sit through a meeting"},
            **more,
        }

    def aim(self, code):
        measure = coded(code, LOINC)
        return [{"measure": measure, "detailQuantity": {"value": 20}, "dueDate": ago(-30)}]

    @pytest.mark.parametrize(
        ("change", "category"),
        [
            ({"target": [{"measure": coded("97909-6", LOINC)}]}, "functional"),
            ({"target": [{"measure": coded("72514-3", LOINC)}]}, "comfort"),
            ({"description": coded("97909-6", LOINC)}, "functional"),
            (
                {
                    "category": [coded("physiotherapy", "http://hl7.org/goal-category")],
                    "target": [{"measure": coded("82237-9", LOINC)}],
                },
                "functional",
            ),
        ],
    )
    def test_are_about_what_they_measure(self, change, category):
        assert status("goal", {"category": [category]}, self.goal(**change)) == "met"
        assert status("goal", {"category": ["maintenance"]}, self.goal(**change)) == "not-met"

    def test_are_what_their_category_says_and_nothing_else(self):
        category = [coded("maintenance", f"{BASE}/CodeSystem/plan-codes")]
        goal = self.goal(category=category, target=self.aim("97909-6"))
        assert status("goal", {"category": ["functional"]}, goal) == "not-met"

    def test_in_words_alone_may_be_asked_about(self):
        spec = {"category": ["functional"]}
        assert status("goal", spec, self.goal()) == "not-met"
        found = ask("goal", spec | {"uncoded": True}, self.goal())
        assert found.status == "unknown"
        assert [one.text for one in found.findings] == ["Goal (Sit through a meeting)"]
        assert status("goal", spec | {"uncoded": True}) == "not-met"

    def test_measurable_and_dated_in_us_core_shape(self):
        goal = self.goal(target=self.aim("97909-6"))
        spec = {"category": ["functional"], "measurable": True, "dated": True}
        assert status("goal", spec, goal) == "met"


class TestDocuments:
    def test_of_a_type_alone_asks_to_confirm_what_it_holds(self):
        note = {
            "resourceType": "DocumentReference",
            "id": "d",
            "status": "current",
            "docStatus": "final",
            "type": coded("11506-3", LOINC),
            "category": [coded("clinical-note", "http://hl7.org/fhir/us/core/x")],
            "date": ago(2),
        }
        spec = {"type": ["progress-note"], "content": ["objective-findings"]}
        found = ask("document", spec, note)
        assert found.status == "unknown"
        assert [one.reference for one in found.findings] == ["DocumentReference/d"]
        assert status("document", {"type": ["progress-note"]}, dict(note)) == "met"


class TestPeople:
    NPI = "http://hl7.org/fhir/sid/us-npi"

    def test_are_known_by_provider_number(self):
        number = {"system": self.NPI, "value": "1234567893"}
        practitioner = {"resourceType": "Practitioner", "id": "a", "identifier": [number]}
        seen = {
            "resourceType": "Encounter",
            "status": "finished",
            "type": [coded("99213", CPT)],
            "period": {"start": ago(5)},
            "participant": [{"individual": {"identifier": number, "display": "Dr A"}}],
        }
        order = {
            "resourceType": "ServiceRequest",
            "id": "o",
            "status": "draft",
            "code": coded("97124"),
            "requester": {"reference": "Practitioner/a"},
        }
        spec = {"in": ["office-visit"], "with": "requester"}
        assert status("encounter", spec, practitioner, seen, orders=(order,)) == "met"
        number["value"] = "1"
        other = {**practitioner, "identifier": [{"system": self.NPI, "value": "2"}]}
        assert status("encounter", spec, other, dict(seen), orders=(order,)) == "not-met"


class TestMedicines:
    def order(self, **more):
        return {
            "resourceType": "MedicationRequest",
            "id": "m",
            "status": "active",
            "intent": "order",
            "authoredOn": ago(20),
            **more,
        }

    def test_only_referred_to_and_not_read_is_a_hole(self):
        order = self.order(medicationReference={"reference": "Medication/x", "display": "Tablet"})
        found = ask("medication", {"in": ["opioids"], "active": True}, order)
        assert found.status == "unknown"
        (hole,) = found.holes
        assert (hole.key, hole.reason) == ("medications", "absent")
        assert "MedicationRequest/m" in hole.query

    def test_referred_to_and_read_is_none(self):
        rxnorm = "http://www.nlm.nih.gov/research/umls/rxnorm"
        medicine = {"resourceType": "Medication", "id": "x", "code": coded("1", rxnorm)}
        order = self.order(medicationReference={"reference": "Medication/x"})
        found = ask("medication", {"in": ["opioids"], "active": True}, order, medicine)
        assert (found.status, found.holes) == ("not-met", ())


def test_procedure_in_a_period():
    done = {
        "resourceType": "Procedure",
        "status": "completed",
        "code": coded("97124"),
        "performedPeriod": {"start": f"{ago(3)}T09:00:00-05:00", "end": ago(3)},
    }
    assert status("procedure", {"in": ["massage-procedure"], "within": 7}, done) == "met"
