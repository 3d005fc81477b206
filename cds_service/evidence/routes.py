"""Whether a medicine acts where it is put, and not in the whole body."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from cds_service.evidence import fields
from cds_service.evidence.codings import data
from cds_service.evidence.context import Facts
from cds_service.evidence.phrases import whole_words
from cds_service.record.model import Resource


def acts_locally(facts: Facts, order: Resource, medication: object) -> bool:
    """Whether a medicine order is of skin, eye, ear, nose or airways alone.

    Every route it states must be; where it states none, its form or its name tells. What says
    nothing of it may act in the whole body.
    """
    doses = fields.items(order, "dosageInstruction")
    routes = [route for dose in doses if (route := fields.item(dose, "route"))]
    if routes:
        return all(_local(facts, route) for route in routes)
    named = [fields.item(order, "medicationCodeableConcept"), fields.item(medication, "code")]
    words = fields.words_of([*named, fields.item(medication, "form")])
    shown = fields.text(fields.item(order, "medicationReference"), "display")
    return _says([*words, shown or ""])


def _local(facts: Facts, route: Resource) -> bool:
    known = fields.value_sets(facts, [route]) & frozenset(data("routes.yaml")["routes"])
    return bool(known) or _says(fields.words_of([route]))


def _says(words: Iterable[str]) -> bool:
    return any(_pattern().search(one.lower()) for one in words)


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    return whole_words(data("routes.yaml")["words"])
