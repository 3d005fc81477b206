"""The pages of the demo, as the header of each lists them."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, request, url_for

PAGES = (("web.page", "Order"), ("policies.listing", "Policies"), ("insight.page", "Insight"))


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the header; `current` on the pages that it stands for."""

    label: str
    url: str
    current: bool


def navigation() -> list[Entry]:
    """Return the pages that this application has."""
    there = [(name, label) for name, label in PAGES if name in current_app.view_functions]
    return [Entry(label, url_for(name), _here(name)) for name, label in there]


def _here(endpoint: str) -> bool:
    return request.blueprint == endpoint.partition(".")[0]
