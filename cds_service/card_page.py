"""The page of sample cards, made from the demo's stories: `python -m cds_service.card_page`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import orjson

from cds_service.hooks.request import parse_request
from cds_service.review import Rules
from cds_service.services import cards_of, rules_of
from cds_service.settings import load_settings
from fhir_fixtures.generate import scenarios

Json = Mapping[str, Any]

HEAD = """# Cards

What a clinician sees for each patient of the demo. Made from `fhir_fixtures` by `make docs`; the
people are invented. Each record is taken whole from a file: what the demo's FHIR server cannot give
(`messy-unread-therapist`) is named by the card on the page, and is simply not there below.
"""
SILENT = "No card: nothing in this order is about massage."
LAST_DAY = date(2100, 1, 1)


def page() -> str:
    """Return the page as Markdown."""
    rules = rules_of(load_settings({}))
    parts = [HEAD]
    for story, built in scenarios():
        parts.append("\n".join(patient_lines(story, built.name)))
        made = cards_for(built.request, built.record, rules)
        parts += ["\n".join(card_lines(card)) for card in made] or [SILENT + "\n"]
    return "\n".join(parts)


def cards_for(request: Json, record: Json, rules: Rules) -> list[dict[str, Any]]:
    """Return the cards of a hook request against a Bundle; an order without date counts never."""
    return cards_of(parse_request(orjson.dumps(request)), record, rules, LAST_DAY)


def patient_lines(story: Json, name: str) -> Iterator[str]:
    """Yield the heading of one patient."""
    yield f"## {name}"
    yield ""
    yield f"{story['title']}. {story['shows']}"
    yield ""


def card_lines(card: Json) -> Iterator[str]:
    """Yield one card as a block quote: indicator, summary, detail, clicks, reasons to go on."""
    yield f"> **[{card['indicator']}] {card['summary']}**"
    yield ">"
    for line in card.get("detail", "").splitlines():
        yield f"> {line}".rstrip()
    if card.get("suggestions"):
        yield ">"
    for suggestion in card.get("suggestions", ()):
        mark = " (recommended)" if suggestion.get("isRecommended") else ""
        yield f"> - [ ] {suggestion['label']}{mark}"
    reasons = [reason["display"] for reason in card.get("overrideReasons", ())]
    if reasons:
        yield ">"
        yield f"> Go on because: {' / '.join(reasons)}"
    yield ">"
    yield f"> {card['source']['label']}"
    yield ""


if __name__ == "__main__":
    print(page(), end="")
