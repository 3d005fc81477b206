"""Citations: where a rule stands in its source, for machines ("S2 L65") and for readers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_PLACE = re.compile(
    r"\b(?P<source>S\d+)\b|(?P<kind>\bL|\bp\.)\s*(?P<first>\d+)(?:\s*-\s*[Lp.]*(?P<last>\d+))?"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A range of lines ("L") or pages ("p.") of a source; `source` is its id ("S2")."""

    source: str
    kind: str
    first: int
    last: int

    def meets(self, other: Place) -> bool:
        """Whether two ranges share a line or page."""
        alike = self.source == other.source and self.kind == other.kind
        return alike and self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class SourceText:
    """A cited document: its title for readers, and its sections with where they stand."""

    title: str
    sections: tuple[tuple[str, tuple[Place, ...]], ...] = ()


Sources = Mapping[str, SourceText]


def places(citation: str, source: str = "") -> Iterator[Place]:
    """Yield the places that a citation names, in order; `source` is meant where none is named."""
    for found in _PLACE.finditer(citation):
        if found["source"]:
            source = found["source"]
        else:
            first = int(found["first"])
            yield Place(source, found["kind"], first, int(found["last"] or first))


def source_text(identity: str, entry: Mapping[str, Any]) -> SourceText:
    """Return a source as a policy file describes it (`title`, `sections`)."""
    sections = (
        (name, tuple(place for text in _listed(written) for place in places(text, identity)))
        for name, written in entry.get("sections", {}).items()
    )
    return SourceText(entry["title"], tuple(sections))


def sources_of(data: Mapping[str, Any]) -> Sources:
    """Return the documents that a file describes: its own, and others that its rules cite."""
    own = data.get("source")
    titled = {own["id"]: {**own, "title": data["title"]}} if own else {}
    named = data.get("sources", {}) | titled
    return {identity: source_text(identity, entry) for identity, entry in named.items()}


def sections_of(citation: str, sources: Sources) -> tuple[str, ...]:
    """Return the names of the sections that a citation lies in, each once, in its order."""
    named = (name for place in _precise(citation) for name in _at(place, sources))
    return tuple(dict.fromkeys(named))


def titles_of(citation: str, sources: Sources) -> tuple[str, ...]:
    """Return the titles of the documents that a citation names, each once."""
    named = (sources[p.source].title for p in places(citation) if p.source in sources)
    return tuple(dict.fromkeys(named))


def astray(citation: str, sources: Sources) -> list[Place]:
    """Return the places of a citation that no section holds, of sources that have sections."""
    cut = {name for name, text in sources.items() if text.sections}
    return [p for p in _precise(citation) if p.source in cut and not any(_at(p, sources))]


def _precise(citation: str) -> Iterator[Place]:
    """Yield the places of a citation; a page with a line behind it is only where the line is."""
    listed = list(places(citation))
    for place, following in zip(listed, [*listed, None][1:], strict=True):
        if not (place.kind == "p." and following and following.kind == "L"):
            yield place


def _at(place: Place, sources: Sources) -> Iterator[str]:
    text = sources.get(place.source)
    for name, held in text.sections if text else ():
        if any(place.meets(one) for one in held):
            yield name


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
