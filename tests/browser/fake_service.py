"""A CDS service of fixed answers, so that the page can be walked through every state by itself.

It answers by the patient of the call, and remembers nothing.
"""

from flask import Blueprint, Flask, request

from cds_service.sandbox import SandboxStore, sandbox_blueprint
from cds_service.web import web_blueprint

SERVICE = "massage-order-review"
PREVIEW = "massage-order-select"
CRD = "order-sign-crd"
DISPATCH = "order-dispatch-crd"
COVERED = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information"
PROMIS = "http://loinc.org/q/62337-1"
REASONS = "https://massage-cds.example.org/fhir/CodeSystem/override-reasons"
CPT = "http://www.ama-assn.org/go/cpt"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"

DETAIL = """**Result:** cannot be confirmed yet for 12 visits.

| Criterion | Evidence |
|---|---|
| Chronic pain | G89.29, active since 2025-02-09 |

- [ ] A PROMIS-29 from <b onclick="alert(1)">today</b> <img src=x onerror="alert(2)">
- [a link](javascript:alert(3))

*Policy: CCA MNG 084, revision 2022-05-30.*
"""


def patient(identity, given, family, story, payer, code="G89.29", words="Chronic low back pain"):
    resources = [
        {
            "resourceType": "Patient",
            "id": identity,
            "name": [{"family": family, "given": [given]}],
            "gender": "female",
            "birthDate": "1980-05-04",
        },
        {"resourceType": "Organization", "id": f"{identity}-payer", "name": payer},
        {
            "resourceType": "Coverage",
            "id": f"{identity}-coverage",
            "status": "active",
            "beneficiary": {"reference": f"Patient/{identity}"},
            "payor": [{"reference": f"Organization/{identity}-payer"}],
        },
        {
            "resourceType": "Condition",
            "id": f"{identity}-pain",
            "subject": {"reference": f"Patient/{identity}"},
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "code": {"coding": [{"system": ICD, "code": code}], "text": words},
        },
        {
            "resourceType": "Condition",
            "id": f"{identity}-old",
            "subject": {"reference": f"Patient/{identity}"},
            "clinicalStatus": {"coding": [{"code": "resolved"}]},
            "code": {"coding": [{"system": ICD, "code": "M54.2"}], "text": "Neck pain"},
        },
        {
            "resourceType": "PractitionerRole",
            "id": f"{identity}-therapist",
            "code": [{"text": "Massage therapist"}],
        },
    ]
    return {
        "resourceType": "Bundle",
        "meta": {"tag": [{"display": story}]},
        "entry": [{"resource": resource} for resource in resources],
    }


def hook_request(identity):
    order = {
        "resourceType": "ServiceRequest",
        "id": f"{identity}-order-1",
        "status": "draft",
        "intent": "order",
        "code": {"coding": [{"system": CPT, "code": "97124"}], "text": "Massage"},
        "subject": {"reference": f"Patient/{identity}"},
        "authoredOn": "2026-03-16",
        "occurrenceTiming": {
            "repeat": {"count": 12, "frequency": 1, "period": 1, "periodUnit": "wk"}
        },
        "quantityQuantity": {"value": 4, "unit": "15-minute unit"},
        "reasonReference": [{"reference": f"Condition/{identity}-pain"}],
        "performer": [{"reference": f"PractitionerRole/{identity}-therapist"}],
        "extension": [{"url": "http://ehr.example.org/kept", "valueString": "as it was"}],
    }
    drafts = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]}
    context = {"userId": "Practitioner/doc", "patientId": identity, "draftOrders": drafts}
    return {"hook": "order-sign", "hookInstance": "0", "context": context}


PATIENTS = [
    ("ann", "Ann", "Ash", "PROMIS-29 is missing", "Commonwealth Care Alliance"),
    ("bea", "Bea", "Birch", "New clot in the leg", "Commonwealth Care Alliance"),
    ("cat", "Cat", "Cedar", "Nothing to say", "Workers' compensation"),
    ("dot", "Dot", "Dogwood", "The service refuses", "Kaiser Permanente"),
]


def demo_store():
    return SandboxStore(
        [patient(*line) for line in PATIENTS], [hook_request(line[0]) for line in PATIENTS]
    )


def drafts_of(body):
    return [entry["resource"] for entry in body["context"]["draftOrders"]["entry"]]


def card(summary, indicator, **more):
    source = {"label": "CCA MNG 084, 2022-05-30"}
    return {"uuid": "1", "summary": summary, "indicator": indicator, "source": source, **more}


def coding(code, words):
    return {"code": code, "system": REASONS, "display": words}


def missing_card(body):
    order = drafts_of(body)[0]
    questionnaire = {
        "resourceType": "ServiceRequest",
        "id": "new-promis",
        "status": "draft",
        "intent": "order",
        "code": {"text": "PROMIS-29"},
        "subject": order["subject"],
    }
    fewer = {**order, "occurrenceTiming": {"repeat": {"count": 4}}}
    later = {**order, "id": "later", "occurrenceTiming": {"repeat": {"count": 8}}}
    return card(
        "Massage 97124: one item needed before CCA criteria can be confirmed: PROMIS-29",
        "warning",
        detail=DETAIL,
        selectionBehavior="any",
        suggestions=[
            {
                "label": "Order a PROMIS-29",
                "uuid": "2",
                "isRecommended": True,
                "actions": [
                    {"type": "create", "description": "Adds it", "resource": questionnaire}
                ],
            },
            {
                "label": "Order 4 visits now",
                "uuid": "3",
                "actions": [
                    {"type": "update", "description": "Changes the order", "resource": fewer},
                    {"type": "create", "description": "drafts 8 more", "resource": later},
                ],
            },
        ],
        overrideReasons=[
            coding("documented-elsewhere", "Documented elsewhere"),
            coding("clinical-judgement", "Clinical judgement"),
        ],
        links=[{"label": "The policy", "url": "https://payer.example.org/p", "type": "absolute"}],
    )


def critical_card(body):
    order = drafts_of(body)[0]
    withdraw = {
        "type": "delete",
        "description": "Takes the order back",
        "resourceId": f"ServiceRequest/{order['id']}",
    }
    referral = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "order",
        "code": {"text": "Referral to the emergency department"},
        "subject": order["subject"],
    }
    refer = {"type": "create", "description": "Drafts a referral", "resource": referral}
    return card(
        "Suspected DVT, right leg: do not massage; send to the emergency department now",
        "critical",
        detail="**Found:** acute DVT right leg (I82.401), recorded 2026-03-14.",
        selectionBehavior="any",
        suggestions=[
            {"label": "Withdraw the order", "uuid": "4", "actions": [withdraw]},
            {"label": "Refer to the emergency department", "uuid": "5", "actions": [refer]},
        ],
    )


def met_card(_):
    return card("Massage 97124: CCA criteria appear met; prior authorization required", "info")


def evaluation(body, determination, missing=()):
    who = body["context"]["patientId"]
    evidence = {
        "reference": f"Condition/{who}-pain",
        "date": "2025-02-09",
        "value": "G89.29",
        "text": "Chronic low back pain",
    }
    status = "unknown" if missing else "met"
    return {
        "coverage": f"Coverage/{who}-coverage",
        "policy": "cca-mng-084",
        "policyVersion": "2022-05-30",
        "determination": determination,
        "priorAuth": "required",
        "approvableNow": {"value": 4, "unit": "visits"},
        "limits": {"visits": 12, "period": "P1Y"},
        "criteria": [
            criterion("CCA", status, "All conditions of the guideline", None, operator="all"),
            criterion("CCA-E2", "met", "A qualifying diagnosis", "CCA", evidence=[evidence]),
            criterion("CCA-D2", status, "A PROMIS-29 before the course", "CCA"),
            criterion("CCA-D3c", "not-applicable", "Pain clinic evaluation", "CCA"),
        ],
        "missing": list(missing),
        "safety": [],
        "unread": [{"query": "Goal", "reason": "timeout"}],
        "notes": [],
    }


def criterion(identity, status, text, parent, **more):
    return {
        "id": identity,
        "status": status,
        "text": text,
        "parent": parent,
        "source": "S2",
        **more,
    }


def answer(body):
    who, drafts = body["context"]["patientId"], drafts_of(body)
    if who == "cat":
        return [], []
    if who == "bea":
        return [critical_card(body), met_card(body)], [evaluation(body, "conditional")]
    asked = any(draft["code"].get("text") == "PROMIS-29" for draft in drafts)
    if asked:
        return [met_card(body)], [evaluation(body, "covered")]
    missing = {"id": "CCA-D2", "blocking": True, "text": "PROMIS-29"}
    return [missing_card(body)], [evaluation(body, "conditional", [missing])]


def written(order):
    parts = [
        {"url": "covered", "valueCode": "covered"},
        {"url": "limit", "valueQuantity": {"value": 12, "unit": "visits"}},
        {"url": "times", "valuePeriod": {"start": "2026-03-16", "end": "2027-03-15"}},
        {"url": "reason", "valueCodeableConcept": {"text": "As agreed"}},
    ]
    extension = [{"url": COVERED, "extension": parts}]
    changed = {**order, "extension": [*order.get("extension", []), *extension]}
    return {"type": "update", "description": "Coverage information", "resource": changed}


def in_advance(body):
    chosen = body["context"]["selections"]
    orders = [order for order in drafts_of(body) if f"ServiceRequest/{order['id']}" in chosen]
    visits = [order.get("occurrenceTiming", {}).get("repeat", {}).get("count") for order in orders]
    return [card(f"On signing: one item for {visits}", "info", detail="**Needed**: PROMIS-29")]


class Calls(list):
    """The calls on signing; beside them those while composing, and the feedback."""

    def __init__(self):
        self.selected, self.feedback = [], []


def service_blueprint(calls):
    blueprint = Blueprint("service", __name__)

    @blueprint.get("/cds-services")
    def discovery():
        prefetch = {
            "patient": "Patient/{{context.patientId}}",
            "conditions": "Condition?patient={{context.patientId}}",
            "encounter": "Encounter/{{context.encounterId}}",
        }
        sign = {"hook": "order-sign", "id": SERVICE, "title": "Review", "prefetch": prefetch}
        crd = {"hook": "order-sign", "id": CRD, "title": "Coverage"}
        ahead = {"hook": "order-select", "id": PREVIEW}
        dispatch = {"hook": "order-dispatch", "id": DISPATCH}
        return {"services": [sign, crd, ahead, dispatch]}

    @blueprint.post(f"/cds-services/{DISPATCH}")
    def dispatched():
        calls.append(request.get_json())
        return {"cards": [card("Sent with the payer's knowledge", "info")], "systemActions": []}

    @blueprint.post("/cds-services/<service>/feedback")
    def take_feedback(service):
        calls.feedback += [(service, entry) for entry in request.get_json()["feedback"]]
        return {}

    @blueprint.post(f"/cds-services/{PREVIEW}")
    def select():
        calls.selected.append(request.get_json())
        return {"cards": in_advance(request.get_json())}

    @blueprint.post(f"/cds-services/{CRD}")
    def coverage():
        body = request.get_json()
        calls.append(body)
        return {"cards": [], "systemActions": [written(order) for order in drafts_of(body)]}

    @blueprint.post(f"/cds-services/{SERVICE}")
    def review():
        body = request.get_json()
        calls.append(body)
        if body["context"]["patientId"] == "dot":
            issue = {"severity": "error", "code": "processing", "diagnostics": "Coverage is needed"}
            return {"resourceType": "OperationOutcome", "issue": [issue]}, 412
        cards, evaluations = answer(body)
        return {"cards": cards, "extension": {"massage-cds.evaluations": evaluations}}

    return blueprint


def fake_app(store, calls):
    app = Flask("fake", static_folder=None)
    app.register_blueprint(sandbox_blueprint(store))
    app.register_blueprint(web_blueprint(store))
    app.register_blueprint(service_blueprint(calls))
    return app
