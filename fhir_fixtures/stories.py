"""Turn a story, a chart that a clinician can read, into an order-sign request and a record.

The form is described in `story.schema.yaml`; every day counts from the day of the order, so that
a story does not age.
"""

import uuid
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from fhir_fixtures import care, measures, people
from fhir_fixtures.chart import Chart, sites
from fhir_fixtures.fhir import HERE, Json, lookup, quantity, reference, split_code

ORDER_DATE = date(2026, 3, 16)
EHR = "https://ehr.example.org/fhir"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, EHR)
PARTS = (
    care.add_conditions,
    measures.add_measures,
    measures.add_forms,
    care.add_visits,
    care.add_procedures,
    care.add_goals,
    care.add_plans,
    care.add_documents,
    care.add_medicines,
    care.add_other_orders,
    care.add_programs,
    care.add_allergies,
    care.add_family,
)


class StoryError(ValueError):
    """A story that cannot be read; the message names the file, the place and the remedy."""


@dataclass(frozen=True)
class BuiltStory:
    """A story as FHIR: the hook request without `fhirServer`, and the whole record."""

    name: str
    request: Json
    record: Json


def read_story(path: Path) -> Json:
    """Return the story of a YAML file; StoryError when it does not have the form of a story."""
    found: Json = yaml.safe_load(path.read_text(encoding="utf-8"))
    check_story(path.name, found)
    return found


def check_story(name: str, story: Any) -> None:
    """Raise StoryError when this does not have the form of a story."""
    for error in _validator().iter_errors(story):
        place = "/".join(str(part) for part in error.absolute_path) or "top"
        raise StoryError(f"{name}: {place}: {error.message}; see story.schema.yaml")


@cache
def _validator() -> Draft202012Validator:
    schema = yaml.safe_load((HERE / "story.schema.yaml").read_text(encoding="utf-8"))
    return Draft202012Validator(schema)


def build(name: str, story: Json, order_date: date = ORDER_DATE) -> BuiltStory:
    """Return the story as FHIR; `name` starts every id; StoryError names what is unknown."""
    chart = Chart(name.lower(), order_date)
    try:
        request = _fill(chart, story)
    except (KeyError, ValueError) as error:
        raise StoryError(f"{name}: {error.args[0]}") from error
    entries = [
        {"fullUrl": f"{EHR}/{resource['resourceType']}/{resource['id']}", "resource": resource}
        for resource in chart.resources
    ]
    record = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return BuiltStory(name, request, record)


def _fill(chart: Chart, story: Json) -> Json:
    people.add_patient(chart, story)
    coverages = people.add_coverages(chart, story)
    for add in PARTS:
        add(chart, story)
    encounter = care.add_encounters(chart, story)
    orders = [
        order(chart, story, line, number) | {"insurance": coverages}
        for number, line in enumerate(story["orders"], start=1)
    ]
    return _request(chart, story, orders, encounter)


def _request(chart: Chart, story: Json, orders: list[Json], encounter: str | None) -> Json:
    context: dict[str, Any] = {
        "userId": chart.requester(story.get("requester", "physician")),
        "patientId": f"{chart.prefix}-patient",
        "draftOrders": {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": {k: v for k, v in o.items() if v}} for o in orders],
        },
    }
    if encounter:
        context["encounterId"] = encounter
    instance = str(uuid.uuid5(NAMESPACE, chart.prefix))
    return {"hook": "order-sign", "hookInstance": instance, "context": context}


def order(chart: Chart, story: Json, line: Json, number: int) -> Json:
    """Return one draft order as a ServiceRequest."""
    reasons = [line[key] for key in ("reason", "due-to") if key in line]
    units = line.get("units")
    return {
        "resourceType": "ServiceRequest",
        "id": f"{chart.prefix}-order-{number}",
        "status": "draft",
        "intent": "order",
        "code": procedure_code(chart, line),
        "quantityQuantity": _units(units) if units else None,
        "subject": chart.patient,
        "occurrenceTiming": _timing(chart, line),
        "authoredOn": chart.day(0),
        "requester": reference(chart.requester(story.get("requester", "physician"))),
        "performer": [reference(chart.role(line["by"]))] if "by" in line else None,
        "reasonCode": [chart.code(reason) for reason in reasons],
        "reasonReference": _reason_references(chart, story, reasons),
        "bodySite": sites(line.get("site")),
        "note": [{"text": line["note"]}] if "note" in line else None,
    }


def procedure_code(chart: Chart, line: Json) -> Json | None:
    """Return the code of an order; CPT codes take their label from the table."""
    if "code" not in line:
        return None
    code, label = split_code(line["code"])
    return chart.code(f"{code} {label or lookup('cpt', code)}" if code else label)


def _units(count: int) -> Json:
    return quantity(count, "{unit}") | {"unit": "15-minute unit"}


def _timing(chart: Chart, line: Json) -> Json | None:
    if "visits" not in line and "weekly" not in line:
        return None
    repeat: Json = {"count": line["visits"]} if "visits" in line else {}
    if "weekly" in line:
        repeat |= {"frequency": line["weekly"], "period": 1, "periodUnit": "wk"}
    if "until" in line:
        bounds = {"start": chart.day(line.get("from", 0)), "end": chart.day(line["until"])}
        repeat = {"boundsPeriod": bounds} | repeat
    return {"repeat": repeat}


def _reason_references(chart: Chart, story: Json, reasons: list[str]) -> list[Json]:
    in_error = {
        split_code(line["code"])[0]
        for line in story.get("conditions", [])
        if line.get("verification") == care.IN_ERROR
    }
    named = [reason for reason in reasons if split_code(reason)[0] not in in_error]
    found = [chart.condition(reason) for reason in named]
    return [reference(target) for target in found if target]
