"""What the page shows of a patient and offers in the order form, read from FHIR JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import yaml

from cds_service.evidence.fields import codes, identity, item, items, label, text

Resource = dict[str, Any]

OPTIONS = Path(__file__).with_name("options.yaml")
ACTIVE = frozenset({"active", "recurrence", "relapse"})
NOT_A_DIAGNOSIS = frozenset({"entered-in-error", "refuted"})
TREATS = "PractitionerRole"


class Fixtures(Protocol):
    """What the page needs of the sandbox's store; both maps are by patient id."""

    requests: dict[str, list[Mapping[str, Any]]]
    stories: dict[str, str]

    def read(self, kind: str, identity: str) -> Resource | None:
        """Return a resource, or None when there is none."""

    def of_type(self, kind: str) -> list[Resource]:
        """Return all resources of a type."""

    def of_patient(self, kind: str, patient: str) -> list[Resource]:
        """Return a patient's resources of a type."""

    def reset(self) -> None:
        """Forget every write since loading."""


@dataclass(frozen=True, slots=True)
class PatientLine:
    """A patient as the list shows it."""

    id: str
    name: str
    about: str
    payer: str
    story: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of the form; `fragment` is what choosing it puts into the ServiceRequest."""

    label: str
    fragment: Mapping[str, Any]


@cache
def options() -> dict[str, Any]:
    """Return the codes, sites and periods of the form."""
    data: dict[str, Any] = yaml.safe_load(OPTIONS.read_text(encoding="utf-8"))
    return data


def patient_lines(store: Fixtures) -> list[PatientLine]:
    """Return all patients, by name."""
    lines = [patient_line(store, patient) for patient in store.of_type("Patient")]
    return sorted(lines, key=lambda line: line.name)


def patient_line(store: Fixtures, patient: Resource) -> PatientLine:
    """Return one patient as the list shows it."""
    key = str(patient["id"])
    payers = [payer(store, coverage) for coverage in store.of_patient("Coverage", key)]
    return PatientLine(
        id=key,
        name=human_name(patient) or key,
        about=_about(patient),
        payer=", ".join(dict.fromkeys(payers)) or "No coverage on file",
        story=store.stories.get(key, ""),
    )


def _about(patient: Resource) -> str:
    born = text(patient, "birthDate")
    return ", ".join(filter(None, [text(patient, "gender"), f"born {born}" if born else None]))


def human_name(person: Resource) -> str:
    """Return the first name of a Patient or Practitioner in words; empty when there is none."""
    name = next(iter(items(person, "name")), {})
    given = name.get("given")
    parts = [*(given if isinstance(given, list) else []), text(name, "family")]
    return text(name, "text") or " ".join(str(part) for part in parts if part)


def payer(store: Fixtures, coverage: Resource) -> str:
    """Return the payor's name and the plan's, as far as they are known."""
    payor = next(iter(items(coverage, "payor")), {})
    organization = _resolve(store, payor) or {}
    plan = next((text(held, "name") for held in items(coverage, "class")), None)
    name = text(organization, "name") or text(payor, "display") or "Unknown payer"
    return f"{name} · {plan}" if plan and plan != name else name


def _resolve(store: Fixtures, reference: Mapping[str, Any]) -> Resource | None:
    kind, _, key = (text(reference, "reference") or "").rpartition("/")
    return store.read(kind.rpartition("/")[2], key) if kind else None


def reasons(store: Fixtures, patient: str) -> list[Choice]:
    """Return the patient's active diagnoses as reasons of an order."""
    held = store.of_patient("Condition", patient)
    return [_reason(condition) for condition in held if _is_active(condition)]


def _is_active(condition: Resource) -> bool:
    clinical = codes([item(condition, "clinicalStatus")])
    verified = codes([item(condition, "verificationStatus")])
    return not verified & NOT_A_DIAGNOSIS and (not clinical or bool(clinical & ACTIVE))


def _reason(condition: Resource) -> Choice:
    concept = item(condition, "code")
    code = text(next(iter(items(concept, "coding")), {}), "code")
    words = label(concept, identity(condition))
    shown = f"{words} ({code})" if code and code != words else words
    reference = [{"reference": identity(condition)}]
    coded = {"reasonCode": [concept]} if concept else {}
    return Choice(shown, {**coded, "reasonReference": reference})


def performers(store: Fixtures, drafts: Iterable[Resource]) -> list[Choice]:
    """Return who could treat: those the drafts name, then one role of each other kind."""
    roles = [*_named(store, drafts), *store.of_type(TREATS)]
    found: dict[str, Choice] = {}
    for role in roles:
        words = role_label(store, role)
        fragment = {"performer": [{"reference": identity(role)}]}
        found.setdefault(words, Choice(words, fragment))
    return list(found.values())


def _named(store: Fixtures, drafts: Iterable[Resource]) -> list[Resource]:
    held = [_resolve(store, one) for draft in drafts for one in items(draft, "performer")]
    return [role for role in held if role]


def role_label(store: Fixtures, role: Resource) -> str:
    """Return the kind of a role, or the name of a person."""
    kind = next((label(concept, "") for concept in items(role, "code")), "")
    person = _resolve(store, item(role, "practitioner")) or role
    return kind or human_name(person) or identity(role)


def sites() -> list[Choice]:
    """Return the body regions of the form."""
    system = options()["site-system"]
    return [
        Choice(row["label"], {"bodySite": [_concept(system, row)]}) for row in options()["sites"]
    ]


def order_codes() -> list[Choice]:
    """Return the procedures of the form."""
    return [
        Choice(f"{row['code']} {row['label']}", {"code": _concept(row["system"], row)})
        for row in options()["codes"]
    ]


def _concept(system: str, row: Mapping[str, str]) -> Resource:
    coding = {"system": system, "code": row["code"], "display": row["label"]}
    return {"coding": [coding], "text": row["label"]}


def drafts_of(request: Mapping[str, Any]) -> Sequence[Resource]:
    """Return the draft orders of a hook request."""
    bundle = item(request.get("context"), "draftOrders")
    return [item(entry, "resource") for entry in items(bundle, "entry")]
