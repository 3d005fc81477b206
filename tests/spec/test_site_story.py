"""A record coded wholly in a site's own codes comes out as the plain one does."""

import copy
from pathlib import Path

import pytest

from cds_service.reasoning import outline
from cds_service.record.reader import record_of_bundle
from cds_service.review import Case, review
from cds_service.services import rules_of
from cds_service.settings import load_settings
from fhir_fixtures.stories import ORDER_DATE, build, read_story

ROOT = Path(__file__).resolve().parents[2]
STORIES = ROOT / "fhir_fixtures" / "stories"
EXAMPLE = ROOT / "docs" / "examples" / "site.toml"
BASE = "https://massage-cds.example.org/fhir"
HOSPITAL = "https://hospital.example.org"
CPT = "http://www.ama-assn.org/go/cpt"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
LOINC = "http://loinc.org"
NUCC = "http://nucc.org/provider-taxonomy"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"
STAFF = "http://terminology.hl7.org/CodeSystem/v2-0360"

LOCAL = {
    (ICD, "G89.29"): (f"{HOSPITAL}/problems", "P-1207"),
    (ICD, "M54.12"): (f"{HOSPITAL}/problems", "P-3310"),
    (CPT, "97124"): (None, "MSG15"),
    (CPT, "97110"): (f"{HOSPITAL}/visit-types", "PT"),
    (CPT, "99213"): (f"{HOSPITAL}/visit-types", "OV"),
    (f"{BASE}/CodeSystem/encounter-types", "office-visit"): (f"{HOSPITAL}/visit-types", "OV"),
    (f"{BASE}/CodeSystem/encounter-types", "physical-therapy"): (f"{HOSPITAL}/visit-types", "PT"),
    (f"{BASE}/CodeSystem/encounter-types", "behavioral-counselling"): (
        f"{HOSPITAL}/visit-types",
        "BH",
    ),
    (f"{BASE}/CodeSystem/encounter-types", "pain-clinic"): (f"{HOSPITAL}/visit-types", "PAIN"),
    (f"{BASE}/CodeSystem/encounter-types", "hope-quarterly-review"): (
        f"{HOSPITAL}/visit-types",
        "HOPE-Q",
    ),
    (RXNORM, "1049502"): (f"{HOSPITAL}/formulary", "RX-55"),
    (NUCC, "225700000X"): (f"{HOSPITAL}/staff", "LMT"),
    (NUCC, "207Q00000X"): (f"{HOSPITAL}/staff", "FP"),
    (STAFF, "MD"): (f"{HOSPITAL}/staff", "DOC"),
    (SNOMED, "45048000"): (f"{HOSPITAL}/sites", "NECK"),
    (SNOMED, "122496007"): (f"{HOSPITAL}/sites", "LBACK"),
    (LOINC, "72514-3"): (f"{HOSPITAL}/flowsheet", "301"),
    (LOINC, "82237-9"): (f"{HOSPITAL}/flowsheet", "302"),
    (LOINC, "71959-1"): (f"{HOSPITAL}/flowsheet", "303"),
    (LOINC, "71961-7"): (f"{HOSPITAL}/flowsheet", "304"),
    (f"{BASE}/CodeSystem/measures", "rom-cervical-rotation"): (f"{HOSPITAL}/flowsheet", "310"),
    (f"{BASE}/CodeSystem/measures", "walking-tolerance"): (f"{HOSPITAL}/flowsheet", "320"),
    (f"{BASE}/CodeSystem/measures", "standing-tolerance"): (f"{HOSPITAL}/flowsheet", "321"),
    (f"{BASE}/CodeSystem/plan-codes", "functional"): (f"{HOSPITAL}/goals", "FUNC"),
}
WORDS = {
    (ICD, "G89.4"): "CPS",
    (f"{BASE}/CodeSystem/programs", "HOPE"): "HOPE program member",
}
FORMS = {
    "http://loinc.org/q/62337-1": f"{HOSPITAL}/Questionnaire/promis",
    f"{BASE}/Questionnaire/ndi": f"{HOSPITAL}/Questionnaire/neck|7",
    f"{BASE}/Questionnaire/member-satisfaction": f"{HOSPITAL}/Questionnaire/intake",
}
LINKS = {"71959-1": "pf-t", "71961-7": "pi-t", "82237-9": "total", "satisfied": "satisfied"}
OURS = (BASE, CPT, ICD, LOINC, NUCC, RXNORM, SNOMED, STAFF)


def rules(site):
    return rules_of(load_settings({"MASSAGE_CDS_SITE": str(site)} if site else {}))


@pytest.fixture(scope="module")
def both():
    return rules(None), rules(EXAMPLE)


def localised(node):
    """Return a resource with every code, form and unit written as the hospital writes them."""
    if isinstance(node, list):
        return [localised(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: localised(value) for name, value in node.items() if name != "coding"}
    if "coding" in node:
        made |= _concept(node)
    if node.get("resourceType") == "QuestionnaireResponse":
        made["questionnaire"] = FORMS[node["questionnaire"].partition("|")[0]]
    if "linkId" in node:
        made["linkId"] = "PART" if "item" in node else LINKS[node["linkId"]]
    if node.get("name") == "Commonwealth Care Alliance":
        made = {**made, "name": f"{node['name']} of Massachusetts", "identifier": []}
    if node.get("value") == "CCA-ONE-CARE":
        made = {**made, "value": "A17", "name": "One Care 65 minus"}
    if "valueBoolean" in node:
        made = {"valueInteger": 5 if node["valueBoolean"] else 1}
    return {"value": node["value"]} if made.get("code") == "{score}" else made


def _concept(concept):
    codes = [(one.get("system"), one["code"]) for one in concept["coding"]]
    said = next((WORDS[one] for one in codes if one in WORDS), None)
    if said:
        return {"text": said}
    written = (LOCAL.get(one, one) for one in codes)
    coding = [{"system": system, "code": code} for system, code in dict.fromkeys(written)]
    shown = [one if one["system"] else {"code": one["code"]} for one in coding]
    return {"coding": shown, "text": concept.get("text", "as the hospital calls it")}


def own_codes(node):
    """Yield the systems of ours, and of standards that the hospital does not write."""
    if isinstance(node, dict):
        if str(node.get("system", "")).startswith(OURS) and "code" in node:
            yield node["system"], node["code"]
        for value in node.values():
            yield from own_codes(value)
    elif isinstance(node, list):
        for value in node:
            yield from own_codes(value)


def reviewed(built, change, decided_by):
    record = [change(one["resource"]) for one in built.record["entry"]]
    drafts = [change(one["resource"]) for one in built.request["context"]["draftOrders"]["entry"]]
    patient = built.request["context"]["patientId"]
    bundle = {"resourceType": "Bundle", "entry": [{"resource": one} for one in record]}
    case = Case(drafts, record_of_bundle(patient, bundle), ORDER_DATE)
    return (record, drafts), review(case, decided_by)


def essence(evaluation):
    """Return an evaluation without what it shows of codes as written."""
    shown = copy.deepcopy(evaluation.as_json())
    shown.pop("digest")
    for one in (*shown["criteria"], *shown["safety"]):
        for finding in one["evidence"]:
            for name in ("value", "text", "via"):
                finding.pop(name, None)
    return shown


@pytest.mark.parametrize("name", ["cca-hope-member", "cca-crossing-twelve", "kp-complete"])
class TestLocalRecord:
    @pytest.fixture
    def results(self, name, both):
        built = build(name, read_story(STORIES / f"{name}.yaml"))
        plain_rules, site_rules = both
        _, plain = reviewed(built, lambda one: one, plain_rules)
        written, local = reviewed(built, localised, site_rules)
        _, unread = reviewed(built, localised, plain_rules)
        assert list(own_codes(built.record))
        return plain, local, unread, written

    def test_is_written_in_no_code_of_ours(self, results):
        assert list(own_codes(results[3])) == []

    def test_comes_out_as_the_plain_one(self, results):
        plain, local, _, _ = results
        assert plain
        assert [essence(one) for one in local] == [essence(one) for one in plain]

    def test_means_nothing_without_the_site_file(self, results):
        plain, _, unread, _ = results
        assert [essence(one) for one in unread] != [essence(one) for one in plain]

    def test_says_which_line_gave_each_fact(self, results):
        plain, local, _, _ = results
        assert "site file line" in outline(local)
        assert "site file line" not in outline(plain)


def test_plain_records_come_out_the_same_with_a_site_file(both):
    for path in sorted(STORIES.glob("*.yaml")):
        built = build(path.stem, read_story(path))
        _, plain = reviewed(built, lambda one: one, both[0])
        _, mapped = reviewed(built, lambda one: one, both[1])
        assert [one.as_json() for one in mapped] == [one.as_json() for one in plain], path.stem
