"""A policy as its owner checks it: the parts of the file, ready to be set as text or Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.policies.expressions import parameters_in, walk
from cds_service.policies.policy import Policy
from cds_service.policies.words import Numbers, amount_words, expression_words, filled
from cds_service.terminology import Parameter, Terminology
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
class Decided:
    """One line of how a rule is decided, and the reason that a card gives for it."""

    words: str
    because: str | None = None


@dataclass(frozen=True)
class RuleLine:
    """One criterion as listed: how deep it lies in the tree, what it is, how it is decided."""

    depth: int
    id: str
    text: str
    source: str
    operator: str | None
    decided: tuple[Decided, ...]
    sections: tuple[str, ...] = ()
    repeated: bool = False


@dataclass(frozen=True)
class SafetyLine:
    """One safety rule: what raises it, and urgency and effect by circumstances."""

    id: str
    text: str
    source: str
    evidence: tuple[str, ...]
    effects: tuple[str, ...]


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
        """Return the criteria as a tree from the root, then those that no group names.

        A criterion of several groups is told where it first stands, and named again elsewhere.
        """
        lines: list[RuleLine] = []
        seen: set[str] = set()
        for name in (self.data["root"], *self.data["criteria"]):
            if name not in seen:
                lines += self._below(name, 0, seen)
        return lines

    def _below(self, name: str, depth: int, seen: set[str]) -> Iterator[RuleLine]:
        entry = self.data["criteria"][name]
        operator, members = _group(entry)
        repeated = name in seen
        seen.add(name)
        decided = () if operator or repeated else tuple(self._decided(name, entry))
        text = filled(entry["text"], self.numbers)
        compiled = self.policy.criteria.get(name)
        sections = compiled.sections if compiled else ()
        yield RuleLine(depth, name, text, entry["source"], operator, decided, sections, repeated)
        for member in () if repeated else members:
            yield from self._below(member, depth + 1, seen)

    def _decided(self, name: str, entry: Mapping[str, Any]) -> Iterator[Decided]:
        if "applies" in entry:
            yield Decided(f"applies if {self._words(entry['applies'])}")
        for word, words in UNDECIDED.items():
            if word in entry:
                yield Decided(f"{words} {entry[word]}")
        if "documented" in entry:
            yield Decided(f"met if {self._words(entry['documented'])}")
            yield Decided(self._undocumented(name, entry))
        for row in entry.get("decide", ()):
            because = row.get("because")
            yield Decided(self._row(row), filled(because, self.numbers) if because else None)

    def _undocumented(self, name: str, entry: Mapping[str, Any]) -> str:
        if entry.get("advisory"):
            return f"else advises {name}"
        if "blocking" in entry:
            return f"else asks for {name} if {self._words(entry['blocking'])}, else advises it"
        return f"else asks for {name}"

    def _row(self, row: Mapping[str, Any]) -> str:
        when = f"if {self._words(row['when'])}" if "when" in row else "otherwise"
        marks = self._marks(row)
        head = f"{row.get('is', row.get('else'))} {when}"
        return f"{head} - {'; '.join(marks)}" if marks else head

    def _marks(self, row: Mapping[str, Any]) -> list[str]:
        marks = ["at most conditional"] if row.get("conditional") else []
        marks += ["does not block"] if row.get("aside") else []
        for unit, amount in row.get("supports", {}).items():
            marks.append(f"supports {unit}: {amount_words(amount, self.numbers)}")
        marks += [f"asks for {', '.join(row['asks'])}"] if row.get("asks") else []
        return marks + ([f"advises {', '.join(row['advises'])}"] if row.get("advises") else [])

    def _words(self, node: Mapping[str, Any]) -> str:
        return expression_words(node, self.numbers)

    def named(self) -> list[tuple[str, str]]:
        """Return the named questions of the file in words."""
        stated = self.data.get("expressions", {})
        return [(name.replace("-", " "), self._words(node)) for name, node in stated.items()]

    def used_numbers(self) -> list[Parameter]:
        """Return the parameters that the policy uses, its own first."""
        own = self.data.get("parameters", {})
        used = parameters_in(self.data, {})
        shared = [name for name in used if name not in own and name in self.numbers]
        return [self.numbers[name] for name in (*own, *shared)]

    def targets(self) -> list[str]:
        """Return what scores should have come to, in words."""
        return [self._target(entry) for entry in self.data.get("targets", ())]

    def _target(self, entry: Mapping[str, Any]) -> str:
        better, days = entry["better-by"], entry.get("days", {})
        size = better if isinstance(better, str) else amount_words(better["percent"], self.numbers)
        span = (f" {word} day {amount_words(day, self.numbers)}" for word, day in days.items())
        return f"{entry['rule']}: {', '.join(entry['of'])} better by {size}{''.join(span)}"

    def safety(self) -> list[SafetyLine]:
        """Return the safety rules."""
        stated = self.data.get("safety", {})
        return [self._safety(name, entry) for name, entry in stated.items()]

    def _safety(self, name: str, entry: Mapping[str, Any]) -> SafetyLine:
        effects = [self._judged(row) for row in entry.get("judge", ())]
        if "applies" in entry:
            effects.insert(0, f"applies if {self._words(entry['applies'])}")
        effects += [f"{words} {entry[word]}" for word, words in UNDECIDED.items() if word in entry]
        found = tuple(self._found(piece) for piece in entry.get("evidence", ()))
        text = filled(entry["text"], self.numbers)
        return SafetyLine(name, text, entry["source"], found, tuple(effects))

    def _found(self, piece: Mapping[str, Any]) -> str:
        beside = f" where {self._words(piece['when'])}" if "when" in piece else ""
        return f"{piece['grade']}: {self._words(piece['is'])}{beside}"

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

    def own_configured(self) -> list[Parameter]:
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
