"""Measurements and forms of a story."""

from collections.abc import Callable, Iterable
from typing import Any

from fhir_fixtures.chart import Chart
from fhir_fixtures.fhir import (
    Json,
    base,
    coding,
    concept,
    hl7,
    quantity,
    reference,
    site,
    system,
    tables,
)

RESPONSE_STATUS = {
    "final": "completed",
    "amended": "amended",
    "corrected": "amended",
    "preliminary": "in-progress",
    "entered-in-error": "entered-in-error",
    "cancelled": "stopped",
}
UNSCORED = "not scored"
Add = Callable[[Chart, Any, Json], None]


def add_measures(chart: Chart, story: Json) -> None:
    """Add every measurement; a line may hold several of one day."""
    for line in story.get("measures", []):
        about = {"day": line["day"], "status": line.get("status", "final")}
        for name, value in line.items():
            if name not in about:
                add_measure(chart, name, value, about)


def add_measure(chart: Chart, name: str, value: Any, about: Json) -> None:
    """Add one measurement in the way that its kind is written."""
    if name in tables()["measures"]:
        add_number(chart, name, value, about)
    elif name in tables()["scores"]:
        add_score(chart, name, value, about)
    else:
        SPECIAL[name](chart, value, about)


def observation(chart: Chart, about: Json, category: str, code: Json) -> Json:
    """Return the members that every Observation has."""
    return {
        "status": about["status"],
        "category": [hl7("observation-category", category)],
        "code": code,
        "subject": chart.patient,
        "effectiveDateTime": chart.day(about["day"]),
    }


def measure_code(row: Json) -> Json:
    """Return the concept of a row of the measures or scores table."""
    return concept(system(row.get("system", "loinc")), row["code"], row["label"])


def add_number(chart: Chart, name: str, value: Any, about: Json) -> None:
    """Add one number as an Observation."""
    row = tables()["measures"][name]
    amount = quantity(value, row["unit"])
    content = observation(chart, about, row["category"], measure_code(row))
    content |= {"valueQuantity": amount, "bodySite": site(row["site"]) if "site" in row else None}
    chart.add("Observation", row.get("slug", name), content | lower_limit(row, amount))


def lower_limit(row: Json, amount: Json) -> Json:
    """Return reference range and interpretation of a laboratory value with a lower limit."""
    if "low" not in row:
        return {}
    kind = "L" if amount["value"] < row["low"] else "N"
    return {
        "referenceRange": [{"low": quantity(row["low"], row["unit"])}],
        "interpretation": [hl7("v3-ObservationInterpretation", kind)],
    }


def add_score(chart: Chart, name: str, value: Any, about: Json) -> None:
    """Add a form and the score derived from it; an unscored form has no Observation."""
    row = tables()["scores"][name]
    amount = None if value == UNSCORED else quantity(value, row["unit"])
    items = [item(row["code"], {"valueQuantity": amount} if amount else None)]
    form = add_response(chart, f"{name}-form", row["questionnaire"], about, items)
    if amount:
        content = observation(chart, about, "survey", measure_code(row))
        content |= {"valueQuantity": amount, "derivedFrom": [reference(form)]}
        chart.add("Observation", f"{name}-score", content)


def item(link_id: str, answer: Json | None) -> Json:
    """Return an answered item; without an answer the item stays open."""
    return {"linkId": link_id} | ({"answer": [answer]} if answer else {})


def group(link_id: str, items: list[Json]) -> Json:
    """Return items under the group of the Questionnaire in which they stand."""
    return {"linkId": link_id, "item": items}


def add_response(
    chart: Chart, slug: str, questionnaire: str, about: Json, items: Iterable[Json]
) -> str:
    """Add a QuestionnaireResponse and return its reference."""
    ours = not questionnaire.startswith("http")
    content = {
        "questionnaire": base(f"Questionnaire/{questionnaire}") if ours else questionnaire,
        "status": RESPONSE_STATUS[about["status"]],
        "subject": chart.patient,
        "authored": chart.day(about["day"]),
        "source": chart.patient,
        "item": list(items),
    }
    return chart.add("QuestionnaireResponse", slug, content)


def add_t_scores(chart: Chart, scores: Json, about: Json) -> None:
    """Add a PROMIS-29 form of T-scores and one Observation for each."""
    table = tables()["promis-29"]
    level = scores.get("coded", "instrument")
    rows = [(table["t-scores"][name], value) for name, value in scores.items() if name != "coded"]
    items = [item(row[level], {"valueDecimal": value}) for row, value in rows]
    form = add_response(chart, "promis-29", table["questionnaire"], about, items)
    for row, value in rows:
        code = concept(system("loinc"), row[level], row["label"])
        content = observation(chart, about, "survey", code)
        content |= {"valueQuantity": quantity(value, "{T-score}")}
        slug = f"promis-{row['slug']}"
        chart.add("Observation", slug, content | {"derivedFrom": [reference(form)]})


def add_answers(chart: Chart, answers: Json, about: Json) -> None:
    """Add a PROMIS-29 form as filled in: LOINC items and answers, no score."""
    table = tables()["promis-29"]
    items = [entry for name in table["items"] for entry in domain_items(table, name, answers)]
    intensity = {"valueInteger": answers["pain-intensity"]}
    items.append(item(table["pain-intensity"], intensity))
    add_response(chart, "promis-29", table["questionnaire"], about, items)


def domain_items(table: Json, name: str, answers: Json) -> Iterable[Json]:
    """Yield the items of one domain that the story answers."""
    domain = table["items"][name]
    choices = table["answers"][domain["answers"]]
    for link_id, place in zip(domain["codes"], answers.get(name, []), strict=False):
        yield item(link_id, {"valueCoding": coding(system("loinc"), choices[place - 1])})


def add_blood_pressure(chart: Chart, written: str, about: Json) -> None:
    """Add a blood pressure panel of `120/80`, in mm[Hg]."""
    row = tables()["blood-pressure"]
    panel = concept(system("loinc"), row["panel"], row["label"])
    parts = zip(("systolic", "diastolic"), written.split("/"), strict=True)
    components = [
        {
            "code": concept(system("loinc"), row[name], f"{name.title()} blood pressure"),
            "valueQuantity": quantity(value, "mm[Hg]"),
        }
        for name, value in parts
    ]
    content = observation(chart, about, "vital-signs", panel)
    chart.add("Observation", "blood-pressure", content | {"component": components})


def add_pregnancy(chart: Chart, status: str, about: Json) -> None:
    """Add the pregnancy status."""
    row = tables()["pregnancy"]
    code = concept(system("loinc"), row["code"], row["label"])
    content = observation(chart, about, "social-history", code)
    value = concept(system("loinc"), row[status], status.title())
    chart.add("Observation", "pregnancy", content | {"valueCodeableConcept": value})


SPECIAL: dict[str, Add] = {
    "promis-29": add_t_scores,
    "promis-29-answers": add_answers,
    "blood-pressure": add_blood_pressure,
    "pregnancy": add_pregnancy,
}


def add_forms(chart: Chart, story: Json) -> None:
    """Add the filled-in forms that are no measures."""
    for line in story.get("forms", []):
        about = {"day": line["day"], "status": "final"}
        for name, value in line.items():
            if name != "day":
                FORMS[name](chart, value, about)


def add_functional_status(chart: Chart, limited: list[str], about: Json) -> None:
    """Add the functional-status form: what the story names is limited, the rest is not."""
    form = tables()["forms"]["functional-status"]
    unknown = set(limited) - set(form["items"])
    if unknown:
        raise ValueError(f"limited-in knows no {sorted(unknown)}; it knows {form['items']}")
    items = [item(f"EV-C5.{name}", {"valueBoolean": name in limited}) for name in form["items"]]
    asked = [group(form["groups"]["items"], items)]
    add_response(chart, "functional-status", form["questionnaire"], about, asked)


def add_complaints(chart: Chart, named: list[str], about: Json) -> None:
    """Add the functional-status form with the complaints that the story names and no others."""
    form = tables()["forms"]["functional-status"]
    unknown = set(named) - set(form["complaints"])
    if unknown:
        raise ValueError(f"complains-of knows no {sorted(unknown)}; it knows {form['complaints']}")
    items = [item(f"EV-C6.{name}", {"valueBoolean": name in named}) for name in form["complaints"]]
    asked = [group(form["groups"]["complaints"], items)]
    add_response(chart, "functional-status", form["questionnaire"], about, asked)


def add_safety_screen(chart: Chart, answers: str | Json, about: Json) -> None:
    """Add the safety screen: every question is answered no but those the story names."""
    form = tables()["forms"]["safety-screen"]
    given = {} if isinstance(answers, str) else answers
    asked = [
        group(name, [item(rule, screen_answer(given.get(rule, "no"))) for rule in rules])
        for name, rules in form["groups"].items()
    ]
    add_response(chart, "safety-screen", form["questionnaire"], about, asked)


def screen_answer(answer: str | bool) -> Json:
    """Return the answer to one question; YAML reads a bare yes and no as true and false."""
    code = ("yes" if answer else "no") if isinstance(answer, bool) else answer
    return {"valueCoding": coding(base("CodeSystem/screen-answers"), code)}


def add_satisfaction(chart: Chart, satisfied: bool, about: Json) -> None:
    """Add the member's answer to being satisfied."""
    form = tables()["forms"]["satisfaction"]
    asked = [group(form["group"], [item("satisfied", {"valueBoolean": satisfied})])]
    add_response(chart, "satisfaction", form["questionnaire"], about, asked)


FORMS: dict[str, Add] = {
    "limited-in": add_functional_status,
    "complains-of": add_complaints,
    "safety-screen": add_safety_screen,
    "satisfied": add_satisfaction,
}
