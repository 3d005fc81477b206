"""What policies ask a record for by name, so that a site file maps to nothing that nobody reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from cds_service.evidence import fields
from cds_service.evidence.codings import data
from cds_service.evidence.forms import SCREEN
from cds_service.evidence.phrases import phrase_lists
from cds_service.evidence.plans import FOLLOW_UP
from cds_service.local import Vocabulary
from cds_service.policies.routing import PayerEntry
from cds_service.terminology import Terminology
from cds_service.terminology.measures import Loader

ASKED = {
    "document": ("content",),
    "goal": ("category",),
    "plan": ("category", "activity"),
    "program": ("is",),
}
"""Arguments of leaves that name codes of ours."""


def vocabulary(texts: Iterable[tuple[str, str]], payers: Sequence[PayerEntry]) -> Vocabulary:
    """Return the names that the policy files (name, text) and the table of payers know."""
    asked: dict[str, set[str]] = defaultdict(set)
    forms: dict[str, set[str]] = defaultdict(set)
    for _, text in texts:
        for word, spec in _leaves(yaml.load(text, Loader)):
            for argument in ASKED.get(word, ()):
                asked[word].update(fields.names(spec.get(argument)))
            if word in ("form", "screen"):
                name = str(spec.get("questionnaire", SCREEN)).rsplit("/", 1)[-1]
                forms[name].update(fields.names(spec.get("item")))
    terminology = Terminology.load()
    planned = {name for name in asked["plan"] if not terminology.has(name)}
    return Vocabulary(
        contents=frozenset(asked["document"] | {data("standing.yaml")["cleared"]}),
        plan_codes=frozenset(asked["goal"] | planned | {FOLLOW_UP}),
        programs=frozenset(asked["program"]),
        phrases=phrase_lists(),
        forms={name: frozenset(items) for name, items in forms.items()},
        payors=frozenset((entry.payor[1], entry.plan) for entry in payers),
    )


def _leaves(node: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every leaf of a file, wherever it stands, with its arguments."""
    if isinstance(node, Mapping):
        for word, inner in node.items():
            if word in (*ASKED, "form", "screen") and isinstance(inner, Mapping):
                yield word, inner
            yield from _leaves(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _leaves(inner)
