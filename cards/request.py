"""What a card must know of the call, beside the evaluations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from cards.words import WORDS
from cds_service.record.model import PatientRecord, Resource


@dataclass(frozen=True)
class CardRequest:
    """One hook call as the cards need it.

    `orders` holds every draft order as received, keyed as `Evaluation.orders` names them
    ("ServiceRequest/id", "#position" without an id). `patient` and `user` are references, `user`
    and `encounter` None when not known. `day` dates what a suggestion creates. `text_only` names
    orders for massage that carry no code. `form_page` is the address of a page on which a form
    can be filled in, with `{questionnaire}` for its canonical; without it no card has a link.
    """

    hook_instance: str
    patient: str
    orders: Mapping[str, Resource] = field(default_factory=dict)
    user: str | None = None
    encounter: str | None = None
    record: PatientRecord | None = None
    day: date | None = None
    text_only: tuple[str, ...] = ()
    form_page: str | None = None

    def resolve(self, reference: str) -> Resource | None:
        """Return a resource of the record, if it was read."""
        return self.record.resolve(reference) if self.record else None

    def name(self, references: Iterable[str]) -> str:
        """Return "Massage", with codes and, between equal codes, sites when there are others."""
        if len(self.orders) < 2:
            return str(WORDS["order"])
        labels = dict.fromkeys(self._label(reference) for reference in references)
        return " ".join([WORDS["order"], " + ".join(filter(None, labels))]).strip()

    def describe(self, reference: str) -> str:
        """Return "massage 97124, right lower leg" for the line that says what was ordered."""
        order = self.orders.get(reference, {})
        words = f"{WORDS['order'].lower()} {code_of(order)}".strip()
        return ", ".join(filter(None, [words, site_of(order)]))

    def _label(self, reference: str) -> str:
        order = self.orders.get(reference, {})
        code = code_of(order)
        if self._codes.count(code) < 2:
            return code
        place = site_of(order) or f"{WORDS['position']} {[*self.orders].index(reference) + 1}"
        return f"{code} ({place})" if code else place

    @cached_property
    def _codes(self) -> list[str]:
        return [code_of(order) for order in self.orders.values()]


def code_of(order: Mapping[str, Any]) -> str:
    """Return the CPT code of an order, or ""."""
    for coding in listed(member(order, "code", "coding")):
        if is_cpt(coding):
            return str(coding.get("code") or "")
    return ""


def is_cpt(coding: Any) -> bool:
    """Whether a coding is of CPT, under any of the names in use."""
    return member(coding, "system") in WORDS["cpt-systems"]


def site_of(order: Mapping[str, Any]) -> str:
    """Return the ordered body sites in words, or ""."""
    sites = (concept_words(site) for site in listed(member(order, "bodySite")))
    return ", ".join(filter(None, sites))


def concept_words(concept: Any) -> str:
    """Return the text of a CodeableConcept, else the first display, else ""."""
    shown = [member(coding, "display") for coding in listed(member(concept, "coding"))]
    words = [member(concept, "text"), *shown]
    return next((word for word in words if isinstance(word, str) and word), "")


def member(node: Any, *path: str) -> Any:
    """Return the value under a path of keys, None where an element is missing or odd."""
    for key in path:
        if not isinstance(node, dict):
            return None
        node = node.get(key)
    return node


def listed(value: Any) -> list[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []
