"""A policy as its owner checks it: the parts of the file, ready to be set as text or Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.evaluation import ParameterUse
from cds_service.policies.expressions import parameters_in, walk
from cds_service.policies.policy import Policy
from cds_service.policies.words import Numbers, amount_words, expression_words, filled
from cds_service.terminology import Terminology
from cds_service.terminology.value_sets import ValueSet

GROUPS = {"all": "all of", "any": "any of"}
NAMING_VALUE_SETS = frozenset(
    [
        "in",
        "only-in",
        "not-in",
        "reason-in",
        "caused-by",
        "ended-by",
        "about",
        "type",
        "with-role",
        "coded-in",
        "category-in",
        "activity",
        "category",
        "addressed-by",
    ]
)
UNDECIDED = {"not-computable": "not computable", "asked": "asked by"}


@dataclass(frozen=True)
class RuleLine:
    """One criterion as listed: how deep it lies in the tree, what it is, how it is decided."""

    depth: int
    id: str
    text: str
    source: str
    operator: str | None
    decided: tuple[str, ...]


@dataclass(frozen=True)
class Outline:
    """A policy with the file it came from."""

    policy: Policy
    data: Mapping[str, Any]

    @property
    def numbers(self) -> Numbers:
        """All parameters by name, the policy's own and the shared ones."""
        return self.policy.parameters

    def rules(self) -> list[RuleLine]:
        """Return the criteria as a tree from the root, then those that no group names."""
        lines = list(self._below(self.data["root"], 0))
        seen = {line.id for line in lines}
        for name in self.data["criteria"]:
            if name not in seen:
                found = list(self._below(name, 0))
                lines += found
                seen |= {line.id for line in found}
        return lines

    def _below(self, name: str, depth: int) -> Iterator[RuleLine]:
        entry = self.data["criteria"][name]
        operator, members = _group(entry)
        decided = () if operator else tuple(self._decided(name, entry))
        text = filled(entry["text"], self.numbers)
        yield RuleLine(depth, name, text, entry["source"], operator, decided)
        for member in members:
            yield from self._below(member, depth + 1)

    def _decided(self, name: str, entry: Mapping[str, Any]) -> Iterator[str]:
        if "applies" in entry:
            yield f"applies if {self._words(entry['applies'])}"
        for word, words in UNDECIDED.items():
            if word in entry:
                yield f"{words} {entry[word]}"
        if "documented" in entry:
            yield from self._documented(name, entry)
        for row in entry.get("decide", ()):
            yield self._row(row)

    def _documented(self, name: str, entry: Mapping[str, Any]) -> Iterator[str]:
        yield f"met if {self._words(entry['documented'])}"
        if entry.get("advisory"):
            yield f"else advises {name}"
        elif "blocking" in entry:
            yield f"else asks for {name} if {self._words(entry['blocking'])}, else advises it"
        else:
            yield f"else asks for {name}"

    def _row(self, row: Mapping[str, Any]) -> str:
        head = f"{row['is']} if {self._words(row['when'])}" if "when" in row else row["else"]
        marks = [] if "when" in row else ["otherwise"]
        if "supports" in row:
            (unit, amount), *_ = row["supports"].items()
            marks.append(f"supports {unit}: {amount_words(amount, self.numbers)}")
        marks += ["at most conditional"] if row.get("conditional") else []
        marks += ["does not block"] if row.get("aside") else []
        marks += [f"asks for {', '.join(row['asks'])}"] if row.get("asks") else []
        marks += [f"advises {', '.join(row['advises'])}"] if row.get("advises") else []
        return f"{head} - {'; '.join(marks)}" if marks else head

    def _words(self, node: Mapping[str, Any]) -> str:
        return expression_words(node, self.numbers)

    def named(self) -> list[tuple[str, str]]:
        """Return the named questions of the file in words."""
        stated = self.data.get("expressions", {})
        return [(name.replace("-", " "), self._words(node)) for name, node in stated.items()]

    def used_numbers(self) -> list[ParameterUse]:
        """Return the parameters that the policy uses, its own first."""
        own = self.data.get("parameters", {})
        used = parameters_in(self.data, {})
        shared = [name for name in used if name not in own and name in self.numbers]
        return [self.numbers[name] for name in (*own, *shared)]

    def safety(self) -> list[tuple[str, Mapping[str, Any], tuple[str, ...]]]:
        """Return (id, entry, effects in words) of the safety rules."""
        return [
            (name, entry, tuple(self._judged(row) for row in entry.get("judge", ())))
            for name, entry in self.data.get("safety", {}).items()
        ]

    def _judged(self, row: Mapping[str, Any]) -> str:
        urgency = row.get("urgency", row.get("else"))
        asks = f", asks for {', '.join(row['asks'])}" if row.get("asks") else ""
        fit = " and ".join(self._fit(word, value) for word, value in row.get("if", {}).items())
        return f"{urgency}, {row['effect']}{asks}" + (f" if {fit}" if fit else "")

    def _fit(self, word: str, value: Any) -> str:
        if word == "when":
            return self._words(value)
        words = expression_words({word: value}, self.numbers)
        return words.replace("when ", "")

    def effective(self) -> str:
        """Return the days on which orders follow this version."""
        end = self.policy.end
        return f"{self.policy.start} to {end}" if end else f"from {self.policy.start}"

    def evidence(self, entry: Mapping[str, Any]) -> list[str]:
        """Return what raises a safety rule, in words with the grade."""
        pieces = entry.get("evidence", ())
        return [f"{piece['grade']}: {self._words(piece['is'])}" for piece in pieces]

    def value_sets(self) -> list[ValueSet]:
        """Return the value sets that the file names."""
        terminology = Terminology.load()
        named = {
            name
            for word, argument in walk(self.data)
            if word in NAMING_VALUE_SETS
            for name in ([argument] if isinstance(argument, str) else argument)
        }
        known = sorted(name for name in named if isinstance(name, str) and terminology.has(name))
        return [terminology.value_set(name) for name in known]

    def rule_ids(self) -> set[str]:
        """Return every rule id that the file carries."""
        parts = ("criteria", "safety", "items", "information")
        return {name for part in parts for name in self.data.get(part, {})}

    def own_configured(self) -> list[ParameterUse]:
        """Return the policy's own numbers that no source gives."""
        own = self.data.get("parameters", {})
        return [self.numbers[name] for name in own if self.numbers[name].configured]


def _group(entry: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    for word, words in GROUPS.items():
        if word in entry:
            return words, tuple(entry[word])
    if "at-least" in entry:
        stated = entry["at-least"]
        return f"at least {stated['count']} of", tuple(stated["of"])
    return None, ()
