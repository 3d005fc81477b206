"""What the store tells of many answers together, in words: the page /insight and its CSV.

No patient, no order, no comment: ids of rules, codes of ours and counts. Counts below a smallest
number are not told.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from cards.words import WORDS as CARD_WORDS
from cds_service.policies.library import PolicyLibrary
from cds_service.policies.policy import Policy
from cds_service.policies.words import filled
from cds_service.review import NO_COVERAGE
from cds_service.store.insight import Insight
from cds_service.store.reasons import UNKNOWN, reason

Counted = Iterable[tuple[tuple[str, ...], float]]

RISKY = ("=", "+", "-", "@", "\t", "\r")
COUNT = "Count"


@cache
def words() -> dict[str, Any]:
    """Return the words of the page."""
    text = Path(__file__).with_name("insight.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


@dataclass(frozen=True, slots=True)
class Section:
    """A table: rows of labels with what was counted last, as it may be told."""

    id: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Teller:
    """Puts counts into words; those above 0 and below `least` are told as fewer than that."""

    library: PolicyLibrary
    least: int
    _names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._names[NO_COVERAGE.id] = NO_COVERAGE.text
        for versions in self.library.versions.values():
            for policy in reversed(versions):
                self._names.update(_named(policy))

    def sections(self, found: Insight) -> list[Section]:
        """Return all tables, empty ones too."""
        told = {
            "determinations": self._determinations(found),
            "missing": (((self._name(id_), id_), n) for (id_,), n in found.missing.items()),
            "flags": self._flags(found),
            "overrides": _overrides(found),
            "feedback": (((_word("outcomes", o),), n) for (o,), n in found.feedback.items()),
            "answers": found.answers.items(),
        }
        made = [self._section(name, rows) for name, rows in told.items()]
        return [*made, self._latency(found)]

    def text(self, found: Insight, sections: list[Section]) -> str:
        """Return all tables for a terminal."""
        head = words()["orders"].format(self.count(found.orders))
        parts = ["\n".join(_lines(section)) for section in sections if section.rows]
        return "\n\n".join([head, *parts]) + "\n"

    def count(self, count: float) -> str:
        """Return a count as it may be told."""
        return words()["fewer"].format(self.least) if 0 < count < self.least else f"{count:g}"

    def _section(self, name: str, rows: Counted) -> Section:
        about = words()["sections"][name]
        told = tuple((*labels, self.count(count)) for labels, count in rows)
        return Section(name, about["title"], (*about["columns"], COUNT), told)

    def _determinations(self, found: Insight) -> Counted:
        for (policy, determination), count in sorted(found.determinations.items()):
            yield (self._payer(policy), _word("determinations", determination)), count

    def _flags(self, found: Insight) -> Counted:
        for (name, urgency, effect), count in found.flags.items():
            labels = (self._name(name), name, _word("urgencies", urgency), _word("effects", effect))
            yield labels, count

    def _latency(self, found: Insight) -> Section:
        about = words()["sections"]["latency"]
        latency, named = found.latency, words()["latency"]
        if latency is None or latency.answers < self.least:
            return Section("latency", about["title"], ("", *about["columns"]), ())
        rows = tuple((said, f"{getattr(latency, name):.0f}") for name, said in named.items())
        return Section("latency", about["title"], ("", *about["columns"]), rows)

    def _payer(self, policy: str) -> str:
        versions = self.library.versions.get(policy)
        if not policy:
            return str(words()["no-policy"])
        return f"{versions[0].head.payer} ({policy})" if versions else policy

    def _name(self, name: str) -> str:
        return self._names.get(name, name)


def _named(policy: Policy) -> dict[str, str]:
    """Return the words of what a policy can ask for and find."""
    overlay = policy.overlay.rules if policy.overlay else ()
    found = {rule.id: rule.text for rule in (*overlay, *policy.safety)}
    found |= {name: item.text for name, item in policy.items.items()}
    return {name: filled(text, policy.parameters) for name, text in found.items()}


def _overrides(found: Insight) -> Counted:
    counts: dict[tuple[str, ...], int] = {}
    for (kind, system, code), count in found.overrides.items():
        labels = (_reason(system, code), kind or words()["unknown-card"])
        counts[labels] = counts.get(labels, 0) + count
    yield from sorted(counts.items(), key=lambda entry: -entry[1])


def _reason(system: str, code: str) -> str:
    """Return a reason in our words; a code that we do not know may hold anything: not told."""
    if not code:
        return str(words()["no-reason"])
    known = reason(system, code)
    if known is UNKNOWN:
        return str(words()["other-reason"])
    named = CARD_WORDS["override-reasons"]
    return str(named[known.meaning]) if known.meaning else code.replace("-", " ").capitalize()


def _word(kind: str, code: str) -> str:
    return str(words()[kind].get(code, code))


def as_csv(sections: list[Section]) -> str:
    """Return all tables as one: section, up to four labels, count."""
    out = StringIO()
    writer = csv.writer(out)
    width = max(len(section.columns) for section in sections) - 1
    writer.writerow(["section", *(f"label {n + 1}" for n in range(width)), "count"])
    for section in sections:
        for *labels, count in section.rows:
            padded = [*labels, *[""] * (width - len(labels))]
            writer.writerow([section.title, *map(_harmless, padded), count])
    return out.getvalue()


def _harmless(cell: str) -> str:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{cell}" if cell.startswith(RISKY) else cell


def _lines(section: Section) -> Iterator[str]:
    yield section.title
    for *labels, count in section.rows:
        yield f"  {count:>14}  {', '.join(filter(None, labels))}"
