"""What the page shows of a patient and offers in the order form, read from FHIR JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import yaml

from cds_service.evidence.conditions import ACTIVE
from cds_service.evidence.fields import codes, identity, item, items, label, text

Resource = dict[str, Any]

OPTIONS = Path(__file__).with_name("options.yaml")
NOT_A_DIAGNOSIS = frozenset({"entered-in-error", "refuted"})
TREATS = "PractitionerRole"
USER = "Practitioner/demo"
LONGEST_ID = 64
OF_THE_PLAN = ("resourceType", "status", "type", "relationship", "payor", "class")


class Chart(Protocol):
    """What the page reads of a patient; both maps are by patient id."""

    @property
    def requests(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return the drafted hook requests that go with patients."""

    @property
    def stories(self) -> Mapping[str, str]:
        """Return a line about each patient."""

    def read(self, kind: str, identity: str) -> Resource | None:
        """Return a resource, or None when there is none."""

    def of_type(self, kind: str) -> list[Resource]:
        """Return all resources of a type."""

    def of_patient(self, kind: str, patient: str) -> list[Resource]:
        """Return a patient's resources of a type."""


class Fixtures(Chart, Protocol):
    """What the page needs of the sandbox's store beyond reading."""

    def admit(self, entries: Iterable[Mapping[str, Any]], story: str) -> str:
        """Keep a patient's Bundle entries until the next reset; return the patient's id."""

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


def patient_lines(store: Chart) -> list[PatientLine]:
    """Return all patients, by name."""
    lines = [patient_line(store, patient) for patient in store.of_type("Patient")]
    return sorted(lines, key=lambda line: line.name)


def patient_head(patient: Resource) -> PatientLine:
    """Return one patient by name, sex and birth alone."""
    key = str(patient["id"])
    return PatientLine(key, human_name(patient) or key, _about(patient), "", "")


def patient_line(store: Chart, patient: Resource) -> PatientLine:
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


def payer(store: Chart, coverage: Resource) -> str:
    """Return the payor's name and the plan's, as far as they are known."""
    payor = next(iter(items(coverage, "payor")), {})
    organization = _resolve(store, payor) or {}
    plan = next((text(held, "name") for held in items(coverage, "class")), None)
    name = text(organization, "name") or text(payor, "display") or "Unknown payer"
    return f"{name} · {plan}" if plan and plan != name else name


def _resolve(store: Chart, reference: Mapping[str, Any]) -> Resource | None:
    kind, _, key = (text(reference, "reference") or "").rpartition("/")
    return store.read(kind.rpartition("/")[2], key) if kind else None


def reasons(store: Chart, patient: str) -> list[Choice]:
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


def coverages(store: Chart, patient: str) -> list[Choice]:
    """Return who may pay: each coverage of the patient, and all together where there are more."""
    held = store.of_patient("Coverage", patient)
    single = [_insured([coverage], payer(store, coverage)) for coverage in held]
    if len(held) < 2:
        return single
    return [*single, _insured(held, " and ".join(choice.label for choice in single))]


def _insured(held: Sequence[Resource], words: str) -> Choice:
    return Choice(words, {"insurance": [{"reference": identity(one)} for one in held]})


def plans(store: Chart) -> list[Choice]:
    """Return one coverage of each plan that any patient has, without whose it is."""
    found: dict[str, Choice] = {}
    for coverage in store.of_type("Coverage"):
        if text(coverage, "status") == "active":
            words = payer(store, coverage)
            found.setdefault(words, Choice(words, _plan(coverage)))
    return sorted(found.values(), key=lambda choice: choice.label)


def _plan(coverage: Resource) -> Resource:
    """Return what a coverage has of its plan, in force from its start on."""
    shared = {name: coverage[name] for name in OF_THE_PLAN if name in coverage}
    start = text(item(coverage, "period"), "start")
    return shared | ({"period": {"start": start}} if start else {})


def performers(store: Chart, drafts: Iterable[Resource]) -> list[Choice]:
    """Return who could treat: those the drafts name, then one role of each other kind."""
    roles = [*_named(store, drafts), *store.of_type(TREATS)]
    found: dict[str, Choice] = {}
    for role in roles:
        words = role_label(store, role)
        fragment = {"performer": [{"reference": identity(role)}]}
        found.setdefault(words, Choice(words, fragment))
    return list(found.values())


def _named(store: Chart, drafts: Iterable[Resource]) -> list[Resource]:
    held = [_resolve(store, one) for draft in drafts for one in items(draft, "performer")]
    return [role for role in held if role]


def role_label(store: Chart, role: Resource) -> str:
    """Return the kind of a role, or the name of a person."""
    kind = next((label(concept, "") for concept in items(role, "code")), "")
    if kind:
        return kind
    person = _resolve(store, item(role, "practitioner")) or role
    return human_name(person) or identity(role)


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


@dataclass(frozen=True, slots=True)
class Unsigned:
    """The orders of a session: `request` has those of the form, `others` wait beside them."""

    request: Mapping[str, Any]
    others: Sequence[Resource] = ()


def unsigned(store: Chart, patient: str) -> Unsigned:
    """Return a patient's orders that wait for a signature, as the record has them now.

    They are the drafted ones, as they were last kept, and every other draft of the record; a new
    order where none of them is for what the form offers.
    """
    kept = [order for order in store.of_patient("ServiceRequest", patient) if _is_draft(order)]
    drafted = next(iter(store.requests.get(patient, [])), None)
    if drafted is None:
        ours = [order for order in kept if _is_offered(order)] or [_new_order(patient)]
        request = _request(patient, ours)
    else:
        ours = [store.read("ServiceRequest", str(o.get("id"))) or o for o in drafts_of(drafted)]
        request = {**drafted, "context": {**drafted["context"], "draftOrders": _bundle(ours)}}
    names = {order.get("id") for order in ours}
    return Unsigned(request, [order for order in kept if order["id"] not in names])


def _is_draft(order: Resource) -> bool:
    return order.get("status") == "draft"


def _is_offered(order: Resource) -> bool:
    offered = {str(row["code"]) for row in options()["codes"]}
    return bool(codes([item(order, "code")]) & offered)


def _request(patient: str, orders: Sequence[Resource]) -> Mapping[str, Any]:
    user = next((item(order, "requester").get("reference") for order in orders), None)
    context = {"patientId": patient, "userId": user or USER, "draftOrders": _bundle(orders)}
    return {"hook": "order-sign", "context": context}


def _bundle(orders: Sequence[Resource]) -> Resource:
    entries = [{"resource": order} for order in orders]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _new_order(patient: str) -> Resource:
    return {
        "resourceType": "ServiceRequest",
        "id": f"{patient}-order"[-LONGEST_ID:],
        "status": "draft",
        "intent": "order",
        **order_codes()[0].fragment,
        "subject": {"reference": f"Patient/{patient}"},
    }
