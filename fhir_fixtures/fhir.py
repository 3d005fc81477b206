"""FHIR data types as plain JSON, filled from the code tables."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

HERE = Path(__file__).parent
ICD10 = re.compile(r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?")
CPT = re.compile(r"\d{5}|\d{4}[A-Z]")
SNOMED = re.compile(r"\d{6,18}")
LOCAL = re.compile(r"local:(\S+)")
AMOUNT = re.compile(r"(-?\d+(?:\.\d+)?)\s*(\S*)")
UNIT_ALIASES = {"C": "Cel", "F": "[degF]", "lb": "[lb_av]"}


@cache
def tables() -> Json:
    """Return the code tables of `codes.yaml`."""
    content: Json = yaml.safe_load((HERE / "codes.yaml").read_text(encoding="utf-8"))
    return content


def lookup(table: str, name: str) -> Any:
    """Return one row of a table; KeyError names the table, the name and what there is."""
    rows = tables()[table]
    if name not in rows:
        raise KeyError(f"codes.yaml: {table} has no {name!r}; it has {', '.join(rows)}")
    return rows[name]


def system(name: str) -> str:
    """Return the URI of a code system by its short name."""
    uri: str = lookup("systems", name)
    return uri


def base(path: str) -> str:
    """Return a URI below the base of our own code systems, identifiers and questionnaires."""
    return f"{system('base')}/{path}"


def coding(uri: str, code: str, label: str | None = None) -> Json:
    """Return a Coding; without a label it carries no display."""
    return {"system": uri, "code": code} | ({"display": label} if label else {})


def concept(uri: str, code: str, label: str | None = None) -> Json:
    """Return a CodeableConcept with one coding."""
    return {"coding": [coding(uri, code, label)]} | ({"text": label} if label else {})


def hl7(name: str, code: str, label: str | None = None) -> Json:
    """Return a CodeableConcept of one of HL7's own code systems."""
    return concept(f"{system('hl7')}/{name}", code, label)


def split_code(written: str | int) -> tuple[str | None, str]:
    """Return (code, label) of `M54.2 Neck pain` or `local:P-12 Neck`; words have no code."""
    first, _, rest = str(written).partition(" ")
    if any(form.fullmatch(first) for form in (ICD10, CPT, SNOMED, LOCAL)):
        return first, rest
    return None, str(written)


def system_of(code: str) -> str:
    """Return the code system that a diagnosis or procedure code belongs to by its form."""
    forms = ((ICD10, "icd10"), (CPT, "cpt"), (SNOMED, "snomed"), (LOCAL, "local"))
    for form, name in forms:
        if form.fullmatch(code):
            return system(name)
    raise ValueError(f"{code!r} is no ICD-10-CM, CPT, SNOMED CT or local code")


def bare(code: str) -> str:
    """Return a code as its system writes it: `P-12` of `local:P-12`."""
    found = LOCAL.fullmatch(code)
    return found[1] if found else code


def quantity(written: str | float, default_unit: str) -> Json:
    """Return a UCUM Quantity of `38.7 C`, `38%` or a bare number in the default unit."""
    found = AMOUNT.fullmatch(str(written))
    if not found:
        raise ValueError(f"{written!r} is no amount; write a number, or a number and its unit")
    number, unit = float(found[1]), found[2] or default_unit
    unit = UNIT_ALIASES.get(unit, unit)
    value = int(number) if number.is_integer() else number
    return {"value": value, "unit": unit, "system": system("ucum"), "code": unit}


def site(words: str) -> Json:
    """Return a body site; the region is coded, the side stays in the text."""
    regions: Json = tables()["sites"]
    for name in sorted(regions, key=len, reverse=True):
        if words.endswith(name):
            region = regions[name]
            body = coding(system("snomed"), region["code"], region["label"])
            return {"coding": [body], "text": words}
    raise KeyError(f"codes.yaml: sites has no region in {words!r}; it has {', '.join(regions)}")


def reference(target: str) -> Json:
    """Return a Reference to `Type/id`."""
    return {"reference": target}


def drop_empty(resource: Json) -> Json:
    """Return the resource without members that are null, empty lists or empty objects."""
    return {key: value for key, value in resource.items() if value not in (None, [], {})}
