"""Diagnoses, care given, notes, goals and plans of a story."""

from fhir_fixtures.chart import Chart, condition_slug, sites
from fhir_fixtures.fhir import (
    Json,
    base,
    coding,
    concept,
    hl7,
    lookup,
    quantity,
    reference,
    system,
    tables,
)

DUE_TO = "http://hl7.org/fhir/StructureDefinition/condition-dueTo"
NOTE_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
PLAN_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/careplan-category"
IN_ERROR = "entered-in-error"
STRANGER = "Patient/somebody-else"
# The instant of a note: the same calendar day anywhere in the United States.
MIDDAY = "T17:00:00Z"


def add_conditions(chart: Chart, story: Json) -> None:
    """Add each diagnosis."""
    for line in story.get("conditions", []):
        chart.add("Condition", condition_slug(line["code"]), condition(chart, line))


def condition(chart: Chart, line: Json) -> Json:
    """Return one diagnosis; entered in error it has no clinical status (FHIR con-5)."""
    verification = line.get("verification", "confirmed")
    clinical = hl7("condition-clinical", line.get("status", "active"))
    return {
        "extension": due_to(chart, line),
        "clinicalStatus": None if verification == IN_ERROR else clinical,
        "verificationStatus": hl7("condition-ver-status", verification),
        "category": [hl7("condition-category", line.get("category", "problem-list-item"))],
        "code": chart.code(line["code"]),
        "bodySite": sites(line.get("site")),
        "subject": whose(chart, line),
        "onsetDateTime": chart.maybe_day(line.get("since")),
        "abatementDateTime": chart.maybe_day(line.get("ended")),
        "recordedDate": chart.maybe_day(line.get("recorded", line.get("since"))),
    }


def whose(chart: Chart, line: Json) -> Json:
    """Return the reference to this patient, or to another one whose data strayed into the chart."""
    return reference(STRANGER) if "whose" in line else chart.patient


def due_to(chart: Chart, line: Json) -> list[Json]:
    """Return the extension that names an external cause."""
    if "due-to" not in line:
        return []
    return [{"url": DUE_TO, "valueCodeableConcept": chart.code(line["due-to"])}]


def add_visits(chart: Chart, story: Json) -> None:
    """Add a completed massage Procedure for each visit day."""
    for offset in story.get("visits", []):
        actor = reference(chart.role(story.get("visits-by", "massage therapist")))
        content = procedure(chart, {"code": "97124", "day": offset})
        chart.add("Procedure", "visit", content | {"performer": [{"actor": actor}]})


def add_procedures(chart: Chart, story: Json) -> None:
    """Add what was done beside massage."""
    for line in story.get("procedures", []):
        chart.add("Procedure", "procedure", procedure(chart, line))


def procedure(chart: Chart, line: Json) -> Json:
    """Return one Procedure."""
    return {
        "status": line.get("status", "completed"),
        "code": chart.code(line["code"]),
        "subject": chart.patient,
        "performedDateTime": chart.day(line["day"]),
        "bodySite": sites(line.get("site")),
    }


def plan_codes(names: list[str]) -> list[Json]:
    """Return concepts of our plan codes."""
    return [concept(system("plan-codes"), name) for name in names]


def add_goals(chart: Chart, story: Json) -> None:
    """Add each goal; without targets it is free text only."""
    for line in story.get("goals", []):
        achievement = line.get("achievement")
        about = chart.condition(line["for"]) if "for" in line else None
        content = {
            "lifecycleStatus": "active",
            "achievementStatus": hl7("goal-achievement", achievement) if achievement else None,
            "category": plan_codes(line.get("kind", ["functional"])),
            "description": {"text": line["text"]},
            "subject": chart.patient,
            "startDate": chart.day(line.get("started", 0)),
            "target": [target(chart, written, line) for written in line.get("targets", [])],
            "addresses": [reference(about)] if about else [],
        }
        chart.add("Goal", "goal", content)


def target(chart: Chart, written: str, line: Json) -> Json:
    """Return the target of `odi <= 20`, due on the day of its goal."""
    name, comparator, value = written.split(" ")
    measure, unit = target_measure(name)
    content = {"measure": {"coding": [measure]}}
    content["detailQuantity"] = quantity(value, unit) | {"comparator": comparator}
    due = chart.maybe_day(line.get("due"))
    return content | ({"dueDate": due} if due else {})


def target_measure(name: str) -> tuple[Json, str]:
    """Return (Coding, default unit) of what a goal is measured by."""
    if name in tables()["targets"]:
        return coding(system("measures"), name), tables()["targets"][name]
    row = lookup("scores" if name in tables()["scores"] else "measures", name)
    return coding(system(row.get("system", "loinc")), row["code"]), row["unit"]


def add_documents(chart: Chart, story: Json) -> None:
    """Add each signed note with what it holds."""
    for line in story.get("documents", []):
        chart.add("DocumentReference", "document", document(chart, line))


def document(chart: Chart, line: Json) -> Json:
    """Return one note; the text itself is an attachment that nobody reads."""
    day, title = chart.day(line["day"]), line["type"].capitalize()
    content = [
        concept(base("CodeSystem/document-content"), name) for name in line.get("content", [])
    ]
    url = f"https://ehr.example.org/fhir/files/{chart.prefix}{line['day']}.pdf"
    return {
        "status": "current",
        "docStatus": "preliminary" if "unsigned" in line else "final",
        "type": concept(system("loinc"), lookup("documents", line["type"])["code"], title),
        "category": [concept(NOTE_CATEGORY, "clinical-note", "Clinical Note"), *content],
        "subject": whose(chart, line),
        "date": day + MIDDAY,
        "author": [reference(chart.practitioner(line.get("by", "physician")))],
        "description": line.get("about", line["type"]),
        "content": [{"attachment": {"contentType": "application/pdf", "url": url, "title": title}}],
        "context": {"period": {"start": day, "end": day}},
    }


def add_encounters(chart: Chart, story: Json) -> str | None:
    """Add each encounter; return the id of the one in progress, if there is one."""
    open_one = None
    for line in story.get("encounters", []):
        name = chart.add("Encounter", f"encounter-{line['kind']}", encounter(chart, line))
        if line.get("status") == "in-progress":
            open_one = name.partition("/")[2]
    return open_one


def encounter(chart: Chart, line: Json) -> Json:
    """Return one encounter of a single day, open-ended while it is in progress."""
    kind, status = lookup("encounters", line["kind"]), line.get("status", "finished")
    day = chart.day(line["day"])
    confirmed = chart.condition(line["confirms"]) if "confirms" in line else None
    seen_by = reference(chart.practitioner(line["with"])) if "with" in line else None
    return {
        "status": status,
        "class": encounter_class(kind["class"]),
        "type": [{"coding": encounter_codes(line["kind"], kind), "text": line["kind"]}],
        "subject": chart.patient,
        "participant": [{"individual": seen_by}] if seen_by else [],
        "period": {"start": day} | ({} if status == "in-progress" else {"end": day}),
        "reasonCode": [chart.code(line["reason"])] if "reason" in line else [],
        "diagnosis": [{"condition": reference(confirmed)}] if confirmed else [],
    }


def encounter_class(code: str) -> Json:
    """Return the class of an encounter as a Coding."""
    return coding(f"{system('hl7')}/v3-ActCode", code, lookup("encounter-classes", code))


def encounter_codes(name: str, kind: Json) -> list[Json]:
    """Return our type of encounter and the CPT or SNOMED CT code beside it."""
    known = [coding(system(where), kind[where]) for where in ("cpt", "snomed") if where in kind]
    return [coding(base("CodeSystem/encounter-types"), name), *known]


def add_plans(chart: Chart, story: Json) -> None:
    """Add each plan of care; its end is the estimated release from care."""
    for line in story.get("plans", []):
        started, release = chart.day(line["started"]), chart.maybe_day(line.get("release"))
        content = {
            "status": "active",
            "intent": "plan",
            "category": [
                concept(PLAN_CATEGORY, "assess-plan"),
                *plan_codes(line.get("kind", [])),
            ],
            "description": line["text"],
            "subject": chart.patient,
            "period": {"start": started} | ({"end": release} if release else {}),
            "created": started,
            "activity": [{"detail": detail} for detail in activities(chart, line)],
        }
        chart.add("CarePlan", "care-plan", content)


def activities(chart: Chart, line: Json) -> list[Json]:
    """Return what a plan of care holds."""
    found = []
    if "massage-weekly" in line:
        weekly = {"frequency": line["massage-weekly"], "period": 1, "periodUnit": "wk"}
        massage = {"code": chart.code("97124"), "status": "scheduled"}
        found.append(massage | {"scheduledTiming": {"repeat": weekly}})
    if "self-management" in line:
        own = {"code": plan_codes(["self-management"])[0], "status": "in-progress"}
        found.append(own | {"description": line["self-management"]})
    if "follow-up" in line:
        day = chart.day(line["follow-up"])
        assessment = {"code": plan_codes(["follow-up-assessment"])[0], "status": "scheduled"}
        found.append(assessment | {"scheduledPeriod": {"start": day, "end": day}})
    return found


def add_medicines(chart: Chart, story: Json) -> None:
    """Add each medicine as an order by RxNorm product code."""
    for line in story.get("medicines", []):
        slug = "medication" + (f"-{line['kind']}" if "kind" in line else "")
        content = {
            "status": line.get("status", "active"),
            "intent": "order",
            "medicationCodeableConcept": chart.code(line["code"], system("rxnorm")),
            "subject": chart.patient,
            "authoredOn": chart.maybe_day(line.get("started")),
            "requester": reference(chart.practitioner("physician")),
            "dosageInstruction": dosage(chart, line),
        }
        chart.add("MedicationRequest", slug, content)


def dosage(chart: Chart, line: Json) -> list[Json]:
    """Return the dose of a medicine: in words, by which route, as an amount a day, until when."""
    found: Json = {"text": line["dose"]} if "dose" in line else {}
    if "route" in line:
        found["route"] = chart.code(line["route"], system("snomed"))
    repeat: Json = {}
    if "daily" in line:
        found["doseAndRate"] = [{"doseQuantity": quantity(line["daily"], "mg")}]
        repeat |= {"frequency": 1, "period": 1, "periodUnit": "d"}
    if "ended" in line:
        repeat["boundsPeriod"] = {"end": chart.day(line["ended"])}
    return [found | ({"timing": {"repeat": repeat}} if repeat else {})] if found or repeat else []


def add_other_orders(chart: Chart, story: Json) -> None:
    """Add orders that already run elsewhere."""
    for line in story.get("other-orders", []):
        start, end = chart.maybe_day(line.get("from")), chart.maybe_day(line.get("to"))
        period = {key: day for key, day in (("start", start), ("end", end)) if day}
        content = {
            "status": line.get("status", "active"),
            "intent": "order",
            "code": chart.code(line["code"]),
            "subject": chart.patient,
            "priority": line.get("priority"),
            "occurrencePeriod": period,
            "quantityQuantity": quantity(line["visits"], "{visits}") if "visits" in line else None,
            "authoredOn": start,
            "requester": reference(chart.requester(story.get("requester", "physician"))),
            "performer": [reference(chart.role(line["by"]))] if "by" in line else [],
            "reasonCode": [chart.code(line["reason"])] if "reason" in line else [],
            "bodySite": sites(line.get("site")),
        }
        chart.add("ServiceRequest", "other-order", content)


def add_programs(chart: Chart, story: Json) -> None:
    """Add a Flag for each program that the patient is a member of."""
    for name in story.get("programs", []):
        code = concept(base("CodeSystem/programs"), name, name)
        content = {"status": "active", "code": code, "subject": chart.patient}
        chart.add("Flag", "program", content)


def add_allergies(chart: Chart, story: Json) -> None:
    """Add each allergy as an active, confirmed one."""
    for written in story.get("allergies", []):
        content = {
            "clinicalStatus": hl7("allergyintolerance-clinical", "active"),
            "verificationStatus": hl7("allergyintolerance-verification", "confirmed"),
            "code": chart.code(written),
            "patient": chart.patient,
        }
        chart.add("AllergyIntolerance", "allergy", content)


def add_family(chart: Chart, story: Json) -> None:
    """Add each illness of the patient's mother."""
    for written in story.get("family", []):
        content = {
            "status": "completed",
            "patient": chart.patient,
            "relationship": {"text": "mother"},
            "condition": [{"code": chart.code(written)}],
        }
        chart.add("FamilyMemberHistory", "family", content)
