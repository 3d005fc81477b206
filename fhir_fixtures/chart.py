"""The chart that a story fills: resources with their ids, days counted from the order."""

import re
from datetime import date, timedelta

from fhir_fixtures.fhir import (
    Json,
    bare,
    base,
    coding,
    concept,
    drop_empty,
    lookup,
    reference,
    site,
    split_code,
    system,
    system_of,
    tables,
)

NOT_ON_FILE = "somebody not on file"
ABSENT = "PractitionerRole/not-on-file"


class Chart:
    """Resources of one story; `prefix` starts every id, `today` is the day of the order."""

    def __init__(self, prefix: str, today: date) -> None:
        self.prefix = prefix
        self.today = today
        self.resources: list[Json] = []
        self._uses: dict[str, int] = {}
        self._labels: dict[str, str] = {}

    def day(self, offset: int) -> str:
        """Return the date so many days after (or, negative, before) the order."""
        return (self.today + timedelta(days=offset)).isoformat()

    def maybe_day(self, offset: int | str | None) -> str | None:
        """Return the date, or None when the story names no day; a partial date stays as it is."""
        return self.day(offset) if isinstance(offset, int) else offset

    def add(self, kind: str, slug: str, content: Json) -> str:
        """Add a resource and return its reference; the second of a slug is called `slug-2`."""
        count = self._uses[slug] = self._uses.get(slug, 0) + 1
        name = f"{self.prefix}-{slug}" + (f"-{count}" if count > 1 else "")
        self.resources.append(drop_empty({"resourceType": kind, "id": name} | content))
        return f"{kind}/{name}"

    def find(self, kind: str, slug: str) -> str | None:
        """Return the reference of a resource already in the chart."""
        name = f"{self.prefix}-{slug}"
        held = any(r["id"] == name and r["resourceType"] == kind for r in self.resources)
        return f"{kind}/{name}" if held else None

    @property
    def patient(self) -> Json:
        """The reference to the patient."""
        return reference(f"Patient/{self.prefix}-patient")

    def code(self, written: str | int, default_system: str | None = None) -> Json:
        """Return the concept of `M54.2 Neck pain`; a label once given need not be repeated."""
        code, label = split_code(written)
        if code is None:
            return {"text": label}
        label = label or self._labels.get(code) or tables()["cpt"].get(code, "")
        self._labels[code] = label
        return concept(default_system or system_of(code), bare(code), label or None)

    def condition(self, written: str | int) -> str | None:
        """Return the reference of the diagnosis with this code, if the chart holds it."""
        return self.find("Condition", condition_slug(written))

    def requester(self, kind: str) -> str:
        """Return the reference of who orders: a clinician, or the patient."""
        return self.patient["reference"] if kind == "patient" else self.practitioner(kind)

    def practitioner(self, kind: str) -> str:
        """Return the reference of a clinician, added with the role when first named."""
        slug = kind.replace(" ", "-")
        return self.find("Practitioner", slug) or self._add_clinician(kind, slug)

    def role(self, kind: str) -> str:
        """Return the reference of a clinician's role; of one that is not on file, a broken one."""
        if kind == NOT_ON_FILE:
            return ABSENT
        self.practitioner(kind)
        return f"PractitionerRole/{self.prefix}-{kind.replace(' ', '-')}-role"

    def _add_clinician(self, kind: str, slug: str) -> str:
        row = lookup("clinicians", kind)
        person = self.add("Practitioner", slug, clinician(self.prefix, kind, row))
        roles = [row["role"], *([row["also"]] if "also" in row else [])]
        specialty = [concept(system("nucc"), role, row["label"]) for role in roles]
        role = {"active": True, "practitioner": reference(person), "code": specialty}
        self.add("PractitionerRole", f"{slug}-role", role | {"specialty": specialty})
        return person


def clinician(prefix: str, kind: str, row: Json) -> Json:
    """Return the content of an invented clinician's Practitioner resource."""
    if "degree" in row:
        licence = coding(f"{system('hl7')}/v2-0360", row["degree"])
    else:
        licence = coding(system("nucc"), row["role"], row["label"])
    slug = kind.replace(" ", "-")
    return {
        "identifier": [{"system": base("identifier/clinician"), "value": f"{prefix}-{slug}"}],
        "active": True,
        "name": [{"use": "official", "family": "Example", "given": [kind.title()]}],
        "qualification": [{"code": {"coding": [licence], "text": row["qualification"]}}],
    }


def condition_slug(written: str | int) -> str:
    """Return the part of an id that a diagnosis code gives."""
    code, _ = split_code(written)
    return "condition-" + (re.sub("[.:]", "-", code.lower()) if code else "in-words")


def sites(words: str | None) -> list[Json]:
    """Return the list that `bodySite` wants; empty when the story names no site."""
    return [site(words)] if words else []
