"""The patient and who pays."""

from datetime import date

from fhir_fixtures.chart import Chart
from fhir_fixtures.fhir import Json, base, coding, hl7, lookup, reference, system


def add_patient(chart: Chart, story: Json) -> None:
    """Add the Patient; the birthday lies half a year before the order unless it is today."""
    person = story["patient"]
    given, _, family = person.get("name", f"Test Example-{chart.prefix.upper()}").partition(" ")
    content = {
        "identifier": [{"system": base("identifier/mrn"), "value": chart.prefix.upper()}],
        "active": True,
        "name": [{"use": "official", "family": family, "given": [given]}],
        "gender": person["sex"],
        "birthDate": birth_date(chart.today, person["age"], person.get("birthday")),
    }
    chart.add("Patient", "patient", content)


def birth_date(today: date, age: int, birthday: str | None) -> str:
    """Return the birth date of somebody of that age; never 29 February."""
    day = min(today.day, 28)
    if birthday == "today":
        return date(today.year - age, today.month, day).isoformat()
    month = (today.month + 5) % 12 + 1
    year = today.year - age - (1 if today.month <= 6 else 0)
    return date(year, month, day).isoformat()


def add_coverages(chart: Chart, story: Json) -> list[Json]:
    """Add each Coverage with its payor; return references in their order."""
    ended = chart.maybe_day(story.get("coverage-ended"))
    return [
        reference(add_coverage(chart, product, number, ended))
        for number, product in enumerate(story.get("coverage", []), start=1)
    ]


def add_coverage(chart: Chart, product: str, number: int, ended: str | None) -> str:
    """Add one Coverage of a product and return its reference."""
    row = lookup("products", product)
    member = f"{chart.prefix.upper()}-{number}"
    plan = hl7("coverage-class", "plan", "Plan")
    start, end = date(chart.today.year - 1, 1, 1), date(chart.today.year, 12, 31)
    content = {
        "identifier": [{"system": base("identifier/member"), "value": member}],
        "status": "active",
        "type": coverage_type(row),
        "subscriberId": member,
        "beneficiary": chart.patient,
        "relationship": hl7("subscriber-relationship", "self", "Self"),
        "period": {"start": start.isoformat(), "end": ended or end.isoformat()},
        "payor": [reference(add_payor(chart, row))],
        "class": [{"type": plan, "value": product, "name": row["name"]}],
        "order": number,
    }
    return chart.add("Coverage", f"coverage-{number}", content)


def coverage_type(row: Json) -> Json:
    """Return the kind of coverage in both code systems, or in the one that is known."""
    kinds = [coding(f"{system('hl7')}/v3-ActCode", row["type"])]
    kinds += [coding(system("sopt"), row["sopt"])] if "sopt" in row else []
    return {"coding": kinds, "text": row["name"]}


def add_payor(chart: Chart, row: Json) -> str:
    """Add the payor's Organization once and return its reference."""
    slug = f"payor-{row['payor'].lower()}"
    content = {
        "identifier": [{"system": base("identifier/payor"), "value": row["payor"]}],
        "active": True,
        "type": [hl7("organization-type", "pay", "Payer")],
        "name": row["payor-name"],
    }
    return chart.find("Organization", slug) or chart.add("Organization", slug, content)
