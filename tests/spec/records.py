"""Whole records for tests that change them: resources, their dates, their references."""

import gzip
import json
import re
from datetime import date, timedelta
from functools import cache

from tests.shared import SHARED

PATIENTS = sorted((SHARED / "patients").glob("*/*.json*"))
A_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?=$|T)")
PARTIAL = re.compile(r"\d{4}(-\d{2})?")
DATED = re.compile(r"date|Date|authored|period|Period|start|end|issued|recorded|onset|abatement")


def mapped(value, change, key=""):
    """Return JSON with `change(key, text)` applied to every text below, keyed by its element."""
    if isinstance(value, dict):
        return {name: mapped(item, change, name) for name, item in value.items()}
    if isinstance(value, list):
        return [mapped(item, change, key) for item in value]
    return change(key, value) if isinstance(value, str) else value


def shifted(value, days):
    """Return JSON with every whole date moved by so many days, times of day kept."""

    def change(key, text):
        found = A_DAY.match(text)
        if not found:
            return text
        moved = date.fromisoformat(found[0]) + timedelta(days=days)
        return moved.isoformat() + text[10:]

    return mapped(value, change)


def has_partial_dates(value):
    """Whether a date below names only a month or a year."""
    found = []

    def note(key, text):
        if DATED.search(key) and PARTIAL.fullmatch(text):
            found.append(text)
        return text

    mapped(value, note)
    return bool(found)


def name_of(resource):
    return f"{resource.get('resourceType')}/{resource.get('id')}"


@cache
def patient_resources(path):
    """Return the resources of a file of SHARED, references as a server writes them."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        entries = json.load(file)["entry"]
    real = {e["fullUrl"]: name_of(e["resource"]) for e in entries if "fullUrl" in e}
    resources = [entry["resource"] for entry in entries]
    return mapped(resources, lambda key, text: real.get(text, text) if key == "reference" else text)


def last_day(resources):
    """Return the day of the last Encounter, or else of the last Observation."""
    encounters = [r.get("period", {}) for r in resources if r["resourceType"] == "Encounter"]
    observations = [r for r in resources if r["resourceType"] == "Observation"]
    seen = [period["start"] for period in encounters if "start" in period]
    measured = [r.get("effectiveDateTime") or r.get("issued") for r in observations]
    dates = seen or [text for text in measured if text]
    return max(dates)[:10] if dates else None
