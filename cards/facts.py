"""Findings as a reader meets them: the same fact under two coverages is one fact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cards.rows import worded
from cards.words import WORDS
from cds_service.evaluation import Evaluation, SafetyFinding
from cds_service.evidence.answer import Finding

_URGENCIES = [*WORDS["urgencies"]]
_EFFECTS = [*WORDS["effects"]]
_LEAST = "caution"


@dataclass
class Raised:
    """A finding as one evaluation raised it."""

    evaluation: Evaluation
    finding: SafetyFinding

    @property
    def policy(self) -> str:
        """Short name of the policy whose review raised it."""
        head = self.evaluation.policy
        return head.short if head else WORDS["overlay"]

    @property
    def document(self) -> str:
        """The clinical source: the policy, or the documents that a shared rule cites."""
        head = self.evaluation.policy
        if head and self.finding.policy != "overlay":
            return f"{head.title} ({head.version})"
        return ", ".join(self.finding.origins) or str(WORDS["overlay"])

    @property
    def places(self) -> tuple[str, ...]:
        """The sections of the source; without names, the citation."""
        return self.finding.sections or (self.finding.source,)


@dataclass
class Fact:
    """One clinical fact with every review that raised it; the first is the most urgent."""

    raised: list[Raised] = field(default_factory=list)

    @property
    def first(self) -> SafetyFinding:
        """The most urgent finding."""
        return self.raised[0].finding

    @property
    def urgency(self) -> str:
        """ED-now, PCP-prompt, specialist or caution."""
        return self.first.urgency

    @property
    def effect(self) -> str:
        """The gravest effect on any determination."""
        return min((item.finding.effect for item in self.raised), key=_EFFECTS.index)

    @property
    def partial(self) -> bool:
        """Whether only partial evidence (grade P) speaks for it."""
        return all(item.finding.grade == "P" for item in self.raised)

    @property
    def suspected(self) -> bool:
        """Whether its cause is unconfirmed."""
        return self.first.suspected or any(item.suspected for item in self.first.evidence)

    @property
    def evidence(self) -> tuple[Finding, ...]:
        """What shows it."""
        return tuple(worded(finding) for finding in self.first.evidence)

    @property
    def text(self) -> str:
        """The rule's words."""
        return self.first.text

    @property
    def subject(self) -> str:
        """The fact itself: the label of the diagnosis or drug, else the rule's words."""
        return next(filter(None, map(_own_label, self.evidence)), self.text)

    @property
    def name(self) -> str:
        """The fact with its doubt: "Suspected acute DVT right leg"."""
        doubt = "suspected" if self.suspected else "partial" if self.partial else None
        if doubt is None or doubt in self.subject.lower():
            return self.subject
        return str(WORDS["doubts"][doubt]).format(_uncapitalised(self.subject))

    @property
    def binding(self) -> bool:
        """Whether a determination waits for it."""
        return self.effect != "none"

    @property
    def asks(self) -> list[str]:
        """Ids of the items that would settle it, of all reviews."""
        return [*dict.fromkeys(name for item in self.raised for name in item.finding.asks)]

    @property
    def needs(self) -> list[str]:
        """These items in words."""
        texts = (
            missing.text
            for item in self.raised
            for missing in item.evaluation.missing
            if missing.id in item.finding.asks
        )
        return [*dict.fromkeys(texts)]

    @property
    def suggests(self) -> list[str]:
        """Keys of actions, of all reviews."""
        return [*dict.fromkeys(key for item in self.raised for key in item.finding.suggests)]

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """(policy, effect) for each review on which it has an effect."""
        pairs = ((item.policy, _effect_on(item)) for item in self.raised)
        return [pair for pair in dict.fromkeys(pairs) if pair[1] != "none"]


def _effect_on(raised: Raised) -> str:
    """A hold holds nothing where the criteria are not met on other grounds."""
    unmet = raised.evaluation.determination == "not-covered"
    return "unmet" if unmet and raised.finding.effect == "hold" else raised.finding.effect


def gravest(facts: Iterable[Fact]) -> list[tuple[str, str]]:
    """Return (policy, gravest effect) of several facts, each policy once."""
    found: dict[str, str] = {}
    for policy, effect in (pair for fact in facts for pair in fact.outcomes):
        found[policy] = min(found.get(policy, effect), effect, key=_EFFECTS.index)
    return [*found.items()]


def facts_of(evaluations: Sequence[Evaluation], addressed: bool = False) -> list[Fact]:
    """Return the facts that are open (or those addressed), the most urgent first."""
    facts: list[Fact] = []
    for raised in sorted(_raised(evaluations, addressed), key=_urgency):
        same = next((fact for fact in facts if _same(fact, raised)), None)
        if same:
            same.raised.append(raised)
        else:
            facts.append(Fact([raised]))
    return facts


def new_cautions(facts: Sequence[Fact]) -> list[Fact]:
    """Return the cautions that no more urgent fact of the same evidence has said already."""
    said = {ref for fact in facts if fact.urgency != _LEAST for ref in _shown_by(fact.first)}
    cautions = [fact for fact in facts if fact.urgency == _LEAST]
    return [fact for fact in cautions if not fact.evidence or _shown_by(fact.first) - said]


def _raised(evaluations: Iterable[Evaluation], addressed: bool) -> Iterator[Raised]:
    for evaluation in evaluations:
        for finding in evaluation.safety:
            if finding.addressed == addressed:
                yield Raised(evaluation, finding)


def _urgency(raised: Raised) -> int:
    return _URGENCIES.index(raised.finding.urgency)


def _same(fact: Fact, raised: Raised) -> bool:
    if any(item.evaluation is raised.evaluation for item in fact.raised):
        return False
    finding = raised.finding
    if finding.id == fact.first.id or not finding.evidence:
        return finding.id == fact.first.id and _shown_by(finding) == _shown_by(fact.first)
    alike = finding.urgency in (fact.urgency, _LEAST)
    return alike and _shown_by(finding) == _shown_by(fact.first)


def _shown_by(finding: SafetyFinding) -> frozenset[str]:
    return frozenset(item.reference for item in finding.evidence)


def _uncapitalised(text: str) -> str:
    """Return a label as it stands within a sentence; an eponym keeps its capital."""
    eponym = text.partition(" ")[0].endswith(("'s", "\u2019s"))
    return text[:1].lower() + text[1:] if text[1:2].islower() and not eponym else text


def _own_label(finding: Finding) -> str:
    if finding.reference.split("/")[0] not in WORDS["facts-named-by"]:
        return ""
    side = finding.side
    named = not side or side in finding.text.lower()
    return finding.text if named else f"{finding.text}, {side}"
