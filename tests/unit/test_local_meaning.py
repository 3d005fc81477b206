"""What a site's own codes, words, forms and phrases come to as evidence."""

from dataclasses import replace

import pytest

from cds_service.evidence import vocabulary
from cds_service.evidence.context import LEAVES, Context
from cds_service.evidence.coverage import coverage_fact
from cds_service.evidence.measures import Measures
from cds_service.evidence.orders import OrderGroup
from cds_service.local import Vocabulary, read_site
from cds_service.policies.routing import load_table, routed, with_site
from cds_service.record.queries import catalogue, catalogue_of, prefetch_templates
from cds_service.terminology import promis
from tests.unit.evidence_help import CPT, DAY, LOINC, ZONE, ago, coded, context, visit

vocabulary.load()
KNOWN = Vocabulary(
    contents=frozenset({"objective-findings", "subjective-findings"}),
    plan_codes=frozenset({"functional", "rehabilitation", "follow-up-assessment"}),
    programs=frozenset({"HOPE"}),
    phrases=frozenset({"maintenance", "massage"}),
    forms={
        "massage-safety-screen": frozenset({"EV-RF27", "EV-RF31"}),
        "massage-functional-status": frozenset({"EV-C5.sitting", "EV-C5.walking"}),
    },
    payors=frozenset({("CCA", "CCA-SCO")}),
)
HOSPITAL = "urn:oid:1.2.3"


@pytest.fixture
def ask(tmp_path):
    """Ask one leaf about a record, at a site with this file."""

    def asked(file, name, spec, *resources, **about):
        return LEAVES[name].make(spec)(at(site_of(tmp_path, file), *resources, **about))

    return asked


def site_of(tmp_path, text):
    path = tmp_path / "site.toml"
    path.write_text(f'site = "A"\n{text}', encoding="utf-8")
    return read_site(path, KNOWN)


def at(site, *resources, orders=(), **about):
    plain = context(*resources, **about)
    facts = replace(plain.facts, orders=orders, terminology=site.terminology, _kinds={})
    return Context(facts, OrderGroup.of(facts), None, plain.numbers)


def entry(fields, code='system = "urn:oid:1.2.3"\ncode = "X"'):
    return f"[[codes]]\n{code}\n{fields}\n"


def local(code="X", system=HOSPITAL, **more):
    coding = {"system": system, "code": code} if system else {"code": code}
    return {"coding": [coding], **more}


def condition(code):
    return {
        "resourceType": "Condition",
        "clinicalStatus": coded("active", "s"),
        "verificationStatus": coded("confirmed", "s"),
        "code": code,
        "onsetDateTime": ago(30),
    }


PAIN = ("condition", {"in": ["low-back-pain"]})
TO_SET = 'value-set = ["low-back-pain", "pain"]'
TO_ICD = 'means = "http://hl7.org/fhir/sid/icd-10-cm|M54.50"'


class TestCodes:
    @pytest.mark.parametrize("target", [TO_SET, TO_ICD])
    @pytest.mark.parametrize(
        ("written", "code"),
        [
            ('system = "urn:oid:1.2.3"\ncode = "X"', local()),
            ('system = "urn:oid:1.2.3"\ncode = ["W", "X"]', local()),
            ('code = "X"', local(system=None)),
            ('text = "Sore  Back"', {"text": "sore back"}),
            ('text = "Sore back"', {"coding": [{"display": "Sore Back"}]}),
        ],
    )
    def test_stand_for_value_sets_and_codes(self, ask, target, written, code):
        found = ask(entry(target, written), *PAIN, condition(code))
        assert found.status == "met"
        line = "site file line 2: "
        assert [one.via[: len(line)] for one in found.findings] == [line]

    @pytest.mark.parametrize(
        ("written", "code"),
        [
            ('system = "urn:oid:1.2.3"\ncode = "X"', local(system=None)),
            ('system = "urn:oid:1.2.3"\ncode = "X"', local(system="urn:oid:9")),
            ('code = "X"', local()),
            ('text = "sore back"', {"text": "no sore back"}),
            ('text = "sore back"', {**local("Y"), "text": "sore back"}),
        ],
    )
    def test_nothing_else_does(self, ask, written, code):
        found = ask(entry(TO_SET, written), *PAIN, condition(code))
        assert found.status == "not-met"
        assert not any(one.via for one in found.findings)

    def test_value_as_the_site_writes_it(self, ask):
        (finding,) = ask(entry(TO_ICD), *PAIN, condition(local())).findings
        assert finding.value == "X"
        assert finding.via.endswith("local code X -> code http://hl7.org/fhir/sid/icd-10-cm|M54.50")

    def test_ours_count_as_before(self, ask):
        code = coded("M54.50", "http://hl7.org/fhir/sid/icd-10-cm")
        (finding,) = ask(entry(TO_SET), *PAIN, condition(code)).findings
        assert finding.via is None

    def test_reason_in_words_is_a_diagnosis_stated(self, ask):
        order = {
            "resourceType": "ServiceRequest",
            "id": "o",
            "status": "draft",
            "code": coded("97124"),
            "reasonCode": [{"text": "sore back"}],
        }
        written = entry(TO_SET, 'text = "sore back"')
        assert ask(written, *PAIN, orders=(order,)).status == "met"
        assert ask(written, "reason", {"coded": True}, orders=(order,)).status == "not-met"

    def test_order_visit_medicine_role_and_place(self, tmp_path):
        file = (
            entry('means = "http://www.ama-assn.org/go/cpt|97124"', 'code = "MSG"')
            + entry('value-set = "role-massage-therapist"', 'code = "LMT"')
            + entry('value-set = "opioids"', 'code = "RX"')
            + entry('region = ["neck"]\nside = "left"', 'code = "NL"')
        )
        order = {
            "resourceType": "ServiceRequest",
            "id": "o",
            "status": "draft",
            "code": local("MSG", None),
            "performerType": local("LMT", None),
            "bodySite": [local("NL", None)],
        }
        medicine = {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": local("RX", None),
        }
        asked = at(
            site_of(tmp_path, file),
            visit(ago(3), code=local("MSG", None)),
            medicine,
            orders=(order,),
        )
        assert asked.group.codes == {"97124"}
        (place,) = asked.group.sites
        assert (place.regions, place.side) == ({"neck"}, "left")
        for name, spec in (
            ("performer", {"in": ["role-massage-therapist"]}),
            ("medication", {"in": ["opioids"], "active": True}),
            ("procedure", {"in": ["massage-procedure"]}),
        ):
            assert LEAVES[name].make(spec)(asked).status == "met", name

    def test_documents_goals_plans_and_programs(self, ask):
        file = (
            entry(
                'means = "http://loinc.org|11506-3"\ncontent = "objective-findings"', 'code = "N"'
            )
            + entry('plan-code = ["functional", "rehabilitation"]', 'code = "F"')
            + entry('program = "HOPE"', 'text = "HOPE member"')
            + entry('plan-code = "follow-up-assessment"', 'code = "FU"')
        )
        note = {
            "resourceType": "DocumentReference",
            "status": "current",
            "docStatus": "final",
            "type": local("N", None),
            "date": ago(3),
        }
        goal = {
            "resourceType": "Goal",
            "lifecycleStatus": "active",
            "category": [local("F", None)],
        }
        plan = {
            "resourceType": "CarePlan",
            "status": "active",
            "intent": "plan",
            "category": [local("F", None)],
            "activity": [
                {"detail": {"code": local("FU", None), "scheduledPeriod": {"end": ago(-5)}}}
            ],
        }
        flag = {"resourceType": "Flag", "status": "active", "code": {"text": "hope member"}}
        for name, spec, resource in (
            ("document", {"type": ["progress-note"], "content": ["objective-findings"]}, note),
            ("document", {"type": ["11506-3"], "signed": True}, note),
            ("goal", {"category": ["functional"]}, goal),
            ("plan", {"category": ["rehabilitation"], "follow-up": True}, plan),
            ("program", {"is": ["HOPE"]}, flag),
        ):
            found = ask(file, name, spec, dict(resource))
            assert found.status == "met", (name, spec)
            assert found.findings[0].via, name


def measured(code, value, unit=None, **more):
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": code,
        "effectiveDateTime": ago(2),
        "valueQuantity": {"value": value, "unit": unit, "code": unit},
        **more,
    }


class TestMeasures:
    @pytest.mark.parametrize(
        ("fields", "value", "unit", "canonical"),
        [
            ('measure = "nprs"', 6, "{score}", 6),
            ('measure = "odi"\nunit = "/50"', 22, None, 44),
            ('measure = "odi"\nunit = "/50"', 22, "{score}", 44),
            ('measure = "odi"\nunit = "%"', 22, None, 22),
            ('measure = "nprs"\nscale = {min = 0, max = 100, factor = "1/10"}', 65, None, 6.5),
            ('measure = "nprs"\nscale = {min = 1, max = 11, offset = -1}', 7, "{score}", 6),
            (
                'measure = "nprs"\nscale = {min = 0, max = 100, units = "mm", factor = "0.1"}',
                65,
                "mm",
                6.5,
            ),
            ('means = "http://loinc.org|72514-3"', 6, "{score}", 6),
        ],
    )
    def test_on_our_scale(self, tmp_path, fields, value, unit, canonical):
        site = site_of(tmp_path, entry(fields))
        measure = "odi" if "odi" in fields else "nprs"
        found = at(site, measured(local(), value, unit)).facts.of(Measures).series(measure)
        assert [float(one) for point in found.points for one in point.values] == [canonical]
        assert "line 2: local code X -> " in found.points[0].finding.via

    @pytest.mark.parametrize(
        ("fields", "value", "unit"),
        [
            ('measure = "odi"\nunit = "/50"', 22, "%"),
            ('measure = "odi"\nunit = "/50"', 51, None),
            (
                'measure = "nprs"\nscale = {min = 0, max = 100, units = "mm", factor = "0.1"}',
                6,
                "cm",
            ),
        ],
    )
    def test_what_does_not_fit_is_left_out_with_a_note(self, tmp_path, fields, value, unit):
        found = at(site_of(tmp_path, entry(fields)), measured(local(), value, unit))
        notes = found.facts.of(Measures).notes
        assert [note for note in notes if "does not fit its scale and is not used" in note]

    def test_a_code_beside_ours_tells_the_scale_once(self, tmp_path):
        site = site_of(tmp_path, entry('measure = "odi"\nunit = "/50"'))
        both = {"coding": [coded("97909-6", LOINC)["coding"][0], local()["coding"][0]]}
        facts = at(site, measured(both, 22)).facts
        (point,) = facts.of(Measures).series("odi").points
        assert [float(one) for one in point.values] == [44]
        assert facts.of(Measures).notes == ()

    def test_component_of_a_local_panel(self, tmp_path):
        panel = {
            "resourceType": "Observation",
            "status": "final",
            "effectiveDateTime": ago(2),
            "code": local("PANEL"),
            "component": [{"code": local(), "valueInteger": 4}],
        }
        found = at(site_of(tmp_path, entry('measure = "nprs"')), panel).facts.of(Measures)
        assert [point.figure for point in found.series("nprs").points] == ["4"]

    def test_coded_answer_of_a_yes_no_measure(self, ask):
        file = entry('measure = "member-satisfaction"') + entry(
            'value-set = "answer-yes"', 'code = "HAPPY"'
        )
        told = measured(local(), None)
        told |= {"valueQuantity": None, "valueCodeableConcept": local("HAPPY", None)}
        spec = {"of": "member-satisfaction", "coded-in": ["yes"]}
        assert ask(file, "measure", spec, told).status == "met"

    def test_plain_terminology_is_untouched(self, tmp_path):
        site_of(tmp_path, entry('measure = "nprs"')).terminology.measure_of(HOSPITAL, "X")
        found = context(measured(local(), 6)).facts.of(Measures).series("nprs")
        assert found.points == ()


FORM = '[[questionnaires]]\ncanonical = "http://x/q/intake"\n{head}\n'
QUESTION = '[[questionnaires.items]]\nlink = "{link}"\n{fields}\n'
SCREEN = 'form = "massage-safety-screen"'


def mapped(*items, head=SCREEN):
    questions = (QUESTION.format(link=link, fields=fields) for link, fields in items)
    return FORM.format(head=head) + "".join(questions)


def response(questionnaire, day, **answers):
    return {
        "resourceType": "QuestionnaireResponse",
        "id": f"{questionnaire.rsplit('/', 1)[-1]}-{day}",
        "status": "completed",
        "questionnaire": questionnaire,
        "authored": day,
        "item": [{"linkId": link, "answer": [value]} for link, value in answers.items()],
    }


INTAKE = "http://x/q/intake|3"
OURS = "https://massage-cds.example.org/fhir/Questionnaire/massage-safety-screen"
WORDS = 'item = "EV-RF27"\nanswers = {yes = ["Often", "2"], no = "Never", unknown = "Dunno"}'
YES, NO = {"valueCoding": {"code": "yes"}}, {"valueCoding": {"code": "no"}}


class TestForms:
    @pytest.mark.parametrize(
        ("answer", "yes", "no"),
        [
            ({"valueString": "often"}, "met", "not-met"),
            ({"valueInteger": 2}, "met", "not-met"),
            ({"valueCoding": {"code": "Z", "display": "Never"}}, "not-met", "met"),
            ({"valueString": "dunno"}, "not-met", "not-met"),
            ({"valueString": "yes"}, "not-met", "not-met"),
        ],
    )
    def test_answers_as_the_site_words_them(self, ask, answer, yes, no):
        record = response(INTAKE, ago(2), q=answer)
        file = mapped(("q", WORDS))
        for wanted, expected in (("yes", yes), ("no", no)):
            spec = {"item": ["EV-RF27"], "answer": wanted}
            found = ask(file, "screen", spec, dict(record))
            assert found.status == expected
            if expected == "met":
                assert found.findings[0].via == "site file line 5: item q -> item EV-RF27"

    def test_answers_as_they_come(self, ask):
        record = response(INTAKE, ago(2), q={"valueBoolean": True})
        spec = {"item": ["EV-RF27"], "answer": "yes"}
        assert ask(mapped(("q", 'item = "EV-RF27"')), "screen", spec, record).status == "met"

    def test_part_of_our_form_leaves_the_rest_to_the_older_one(self, ask):
        ours = response(OURS, ago(9), **{"EV-RF27": NO, "EV-RF31": YES})
        theirs = response(INTAKE, ago(2), q=YES)
        file = mapped(("q", 'item = "EV-RF27"'))
        for item, answer, reference in (
            ("EV-RF27", "yes", theirs["id"]),
            ("EV-RF31", "yes", ours["id"]),
        ):
            found = ask(file, "screen", {"item": [item], "answer": answer}, ours, theirs)
            assert [one.reference for one in found.findings] == [
                f"QuestionnaireResponse/{reference}"
            ]
        both = {"item": ["EV-RF27", "EV-RF31"], "answer": "yes"}
        assert len(ask(file, "screen", both, ours, theirs).findings) == 2

    def test_a_screen_too_old_is_no_part(self, ask):
        ours = response(OURS, ago(31), **{"EV-RF31": YES})
        theirs = response(INTAKE, ago(2), q=YES)
        file = mapped(("q", 'item = "EV-RF27"'))
        spec = {"item": ["EV-RF27", "EV-RF31"], "answer": "yes"}
        assert len(ask(file, "screen", spec, ours, theirs).findings) == 1
        assert ask(file, "screen", {"item": ["EV-RF31"], "answer": "yes"}, ours, theirs).status == (
            "not-met"
        )

    @pytest.mark.parametrize(("complete", "expected"), [("true", "met"), ("false", "not-met")])
    def test_only_a_complete_one_answers_for_the_form_as_a_whole(self, ask, complete, expected):
        head = f"{SCREEN}\ncomplete = {complete}"
        file = mapped(("q", 'item = "EV-RF27"'), head=head)
        spec = {"all-answered": True}
        assert ask(file, "screen", spec, response(INTAKE, ago(2), q=NO)).status == expected

    def test_items_of_several_forms(self, ask):
        sitting = 'item = "EV-C5.sitting"\nform = "massage-functional-status"'
        file = mapped(("q", 'item = "EV-RF27"'), ("s", sitting))
        record = response(INTAKE, ago(2), q=NO, s=YES)
        spec = {
            "questionnaire": "massage-functional-status",
            "item": ["EV-C5.sitting"],
            "answer": "yes",
        }
        assert ask(file, "form", spec, record).status == "met"

    def test_a_score(self, tmp_path):
        site = site_of(tmp_path, mapped(("t", 'measure = "ndi"\nunit = "/50"'), head=""))
        record = response(INTAKE, ago(2), t={"valueDecimal": 21})
        (point,) = at(site, record).facts.of(Measures).series("ndi").points
        assert [float(one) for one in point.values] == [42]
        assert point.finding.via == "site file line 5: item t -> measure ndi"

    def test_questions_of_promis(self, tmp_path):
        links = dict(zip("abcd", promis.items()[:4], strict=True))
        items = [(link, f'means = "http://loinc.org|{code}"') for link, code in links.items()]
        answers = {link: {"valueCoding": {"code": "LA13920-6"}} for link in links}
        site = site_of(tmp_path, mapped(*items, head=""))
        record = response(INTAKE, ago(2), **answers)
        (point,) = at(site, record).facts.of(Measures).series("promis-physical-function").points
        assert point.raw == 12
        assert point.finding.via.count("site file line") == 4

    def test_a_yes_no_measure(self, ask):
        file = mapped(
            ("q", 'measure = "member-satisfaction"\nanswers = {yes = ["4", "5"]}'), head=""
        )
        spec = {"of": "member-satisfaction", "coded-in": ["yes"]}
        for answer, expected in ((5, "met"), (3, "not-met")):
            record = response(INTAKE, ago(2), q={"valueInteger": answer})
            assert ask(file, "measure", spec, record).status == expected

    def test_an_unread_query_for_forms_is_a_hole_of_what_they_measure(self, ask):
        file = mapped(("t", 'measure = "temperature"'), head="")
        spec = {"of": "temperature"}
        assert ask(file, "measure", spec, unread=("responses",)).status == "unknown"
        assert ask("", "measure", spec, unread=("responses",)).status == "not-met"


class TestPhrases:
    FILE = '[[phrases]]\nlist = "maintenance"\nphrases = ["Tune-up"]\n'

    @pytest.mark.parametrize(
        ("note", "expected"),
        [("Monthly tune up", "met"), ("no tune-up", "not-met"), ("maintenance", "met")],
    )
    def test_count_like_ours(self, ask, note, expected):
        order = {
            "resourceType": "ServiceRequest",
            "id": "o",
            "status": "draft",
            "code": coded("97124"),
            "note": [{"text": note}],
        }
        assert ask(self.FILE, "order", {"note": "maintenance"}, orders=(order,)).status == expected


class TestSearches:
    def test_ask_for_local_codes_too(self, tmp_path):
        file = (
            entry('measure = "nprs"', 'code = ["P 1", "P,2"]')
            + entry('measure = "temperature"')
            + entry('means = "http://loinc.org|61597-1"', 'code = "I1"')
            + entry('value-set = "pain"', 'code = "NEVER"')
            + '[search]\nvitals = ["VP"]\n'
        )
        found = catalogue_of(site_of(tmp_path, file))
        measures, vitals = (found.queries[key].query for key in ("measures", "vitals"))
        assert measures.startswith(catalogue().queries["measures"].query)
        assert measures.endswith(",P%201,P%5C%2C2,I1")
        assert vitals.endswith(",X,VP")
        assert "NEVER" not in measures + vitals
        assert prefetch_templates(found)["vitals"].endswith(",X,VP")

    def test_are_as_ever_without_a_site(self):
        assert catalogue_of(None) is catalogue()


class TestProducts:
    FILE = (
        '[[coverages]]\npayor = "Bay State Care"\nproduct = "Gold 65"\n'
        'is = {payor = "CCA", product = "CCA-SCO"}\n'
    )

    @pytest.mark.parametrize(
        ("payor", "plan", "line"),
        [
            ("Bay State  care", {"value": "gold 65"}, "sco"),
            ("Bay State Care", {"value": "7", "name": "Gold 65"}, "sco"),
            ("Bay State Care", {"value": "Silver"}, None),
            ("Other", {"value": "Gold 65"}, None),
        ],
    )
    def test_lead_to_a_row_of_the_table(self, tmp_path, payor, plan, line):
        kind = coded("plan", "http://terminology.hl7.org/CodeSystem/coverage-class")
        resource = {
            "resourceType": "Coverage",
            "id": "c",
            "status": "active",
            "payor": [{"display": payor}],
            "class": [{"type": kind, **plan}],
        }
        fact = coverage_fact(resource, context().facts.record, DAY, ZONE)
        table = with_site(load_table(), site_of(tmp_path, self.FILE))
        told, _ = routed(fact, table)
        assert told.line_of_business == line
        via = "site file line 2: product Gold 65 -> payor CCA CCA-SCO" if line else None
        assert told.finding("x", "y").via == via


def test_codes_of_a_standard_keep_what_they_are(ask):
    """A site may add to a standard code; it takes nothing away."""
    file = entry('value-set = "office-visit"', f'system = "{CPT}"\ncode = "97124"')
    found = ask(file, "procedure", {"in": ["massage-procedure"]}, visit(ago(2)))
    assert found.status == "met"
