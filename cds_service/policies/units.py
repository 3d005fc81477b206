"""Units of a policy's numbers: days where days are meant, visits where visits are counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from cds_service.terminology import Terminology
from cds_service.terminology.source import Path, Problem, Source

DAYS = frozenset({"d", "day", "days"})
PERCENT = frozenset({"%", "percent"})
SHARE = frozenset({"1", "share", "%"})
VISITS = frozenset({"visits"})
WEEKLY = frozenset({"visits per week", "/wk"})
WEEKS = frozenset({"wk", "week", "weeks"})
UNITS = frozenset({"units", "15-minute units", "units per visit"})
YEARS = frozenset({"a", "years"})
SITES = frozenset({"sites", "1"})

BY_KEY = {
    **dict.fromkeys(
        (
            "within",
            "told-within",
            "older-than",
            "from",
            "to",
            "before",
            "after",
            "apart",
            "lasting",
            "for",
        ),
        DAYS,
    ),
    "percent": PERCENT,
    "mcid-share": SHARE,
    "to-share": SHARE,
    "visits": VISITS,
    "units": UNITS,
}
BY_QUANTITY = {
    "visits.year": VISITS,
    "visits.episode": VISITS,
    "visits.calendar-year": VISITS,
    "visits.per-week-recent": WEEKLY,
    "visits.missed-recent": VISITS,
    "order.visits": VISITS,
    "order.units-per-visit": UNITS,
    "order.per-week": WEEKLY,
    "order.weeks": WEEKS,
    "order.last-day": DAYS,
    "course.last-day": DAYS,
    "course.first-visit": DAYS,
    "course.last-visit": DAYS,
    "order.sites": SITES,
    "episode.day": DAYS,
    "patient.age": YEARS,
}
COMPARED = ("at-most", "at-least", "above", "below", "equals")
TERMS = ("plus", "minus")

Place = tuple[Path, str, frozenset[str]]


def unit_problems(
    source: Source, units: Mapping[str, str], terminology: Terminology
) -> list[Problem]:
    """Return the numbers that stand where another unit is meant; `units` are by parameter."""
    wrong = [
        source.problem(
            path,
            f"'{name}' is in {units[name[1:]]}",
            f"give it in {min(wanted, key=len)}, which is what stands here",
        )
        for path, name, wanted in _places(source.data, ())
        if name[1:] in units and units[name[1:]] not in wanted
    ]
    return [*wrong, *_scale_problems(source, terminology)]


def _places(node: Any, path: Path) -> Iterator[Place]:
    """Yield every parameter whose place says what unit it must have."""
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _places(inner, (*path, index))
    elif isinstance(node, Mapping):
        for word, value in node.items():
            here = (*path, word)
            if word in BY_KEY and _is_parameter(value):
                yield here, value, BY_KEY[word]
            if word == "number" and isinstance(value, Mapping):
                yield from _compared(value, here)
            yield from _places(value, here)


def _compared(spec: Mapping[str, Any], path: Path) -> Iterator[Place]:
    wanted = BY_QUANTITY.get(spec.get("of", ""))
    if wanted is None:
        return
    for word in (*COMPARED, *TERMS):
        value = spec.get(word)
        for term in value if isinstance(value, list) else [value]:
            if isinstance(term, str) and _is_parameter(term):
                yield (*path, word), term, wanted


def _is_parameter(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("$")


def _scale_problems(source: Source, terminology: Terminology) -> Iterator[Problem]:
    """Check limits of one measure against the scale that its values are compared on."""
    parameters = source.data.get("parameters", {})
    for path, spec in _measures(source.data, ()):
        names = spec["of"] if isinstance(spec["of"], list) else [spec["of"]]
        if not all(name in terminology.measures for name in names):
            continue
        for word in COMPARED:
            entry = parameters.get(str(spec.get(word, ""))[1:])
            for name in names if entry else ():
                measure = terminology.measures[name]
                value = Fraction(str(entry["value"]))
                if value not in measure.canonical(value, entry["unit"]):
                    yield source.problem(
                        (*path, word),
                        f"'{spec[word]}' is in {entry['unit']}",
                        f"{name} is compared on the scale {measure.scale.id}",
                    )


def _measures(node: Any, path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _measures(inner, (*path, index))
    elif isinstance(node, Mapping):
        for word, value in node.items():
            if word == "measure" and isinstance(value, Mapping) and "of" in value:
                yield (*path, word), value
            yield from _measures(value, (*path, word))
