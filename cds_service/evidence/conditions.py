"""Which diagnoses answer a question: by status, date, place and cause (G-07, G-08)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Status, cannot_tell, not_shown
from cds_service.evidence.context import Context, Leaf, Spec, leaf
from cds_service.evidence.dates import Days
from cds_service.evidence.diagnoses import ConditionFact, Conditions
from cds_service.evidence.reasons import Asked, Reason, asked, vague
from cds_service.evidence.sites import at_ordered_site
from cds_service.evidence.windows import Span, span

__all__ = ["Asked", "ConditionFact", "Conditions", "Reason", "asked", "condition"]

ACTIVE = frozenset({"active", "recurrence", "relapse"})

Use = Callable[[ConditionFact], Status]


def _eligible(fact: ConditionFact) -> Status:
    """G-07; a clinical status that is absent, or over only after the order's date, is a doubt."""
    if fact.over:
        return Status.NOT_MET
    ended = fact.abated is not None and not fact.still
    if fact.clinical not in ACTIVE or fact.suspected or ended:
        return Status.UNKNOWN
    return Status.MET


def _for_safety(fact: ConditionFact) -> Status:
    """G-08: everything that is not over counts, confirmed or not."""
    return Status.NOT_MET if fact.over else Status.MET


def _inactive(fact: ConditionFact) -> Status:
    return Status.MET if fact.over else Status.NOT_MET


USES: dict[str, Use] = {
    "eligibility": _eligible,
    "safety": _for_safety,
    "history": lambda _fact: Status.MET,
    "inactive": _inactive,
}
"""How the status of a diagnosis bears on a question."""

DATED_BY: dict[str, Callable[[ConditionFact], Days | None]] = {
    "onset-or-recorded": lambda fact: fact.onset or fact.recorded,
    "onset": lambda fact: fact.onset,
    "recorded": lambda fact: fact.recorded,
}


@dataclass(frozen=True, slots=True)
class _Question:
    """The arguments of `condition`, read once."""

    wanted: frozenset[str]
    use: Use
    reason_only: bool
    span: Span | None
    dated_by: Callable[[ConditionFact], Days | None]
    at_site: bool
    caused_by: frozenset[str]
    ended_by: frozenset[str]

    def judge(self, fact: ConditionFact, context: Context, unread: bool) -> Status:
        """Whether one diagnosis answers the question.

        As long as diagnoses are `unread`, one that is only stated may be contradicted on file.
        """
        statuses = [self.use(fact)]
        if unread and fact.stated and self.use is _eligible:
            statuses.append(Status.UNKNOWN)
        if self.span:
            statuses.append(self.span.holds(self.dated_by(fact), context.facts.day))
        if self.at_site:
            statuses.append(at_ordered_site(fact.regions, fact.side, context.group))
        return fields.weakest(statuses)

    def concerns(self, fact: ConditionFact) -> bool:
        """Whether a diagnosis is of the kind asked for."""
        return (
            (not self.wanted or bool(fact.value_sets & self.wanted))
            and (fact.reason or not self.reason_only)
            and (not self.caused_by or bool(fact.due_to & self.caused_by))
        )

    def open(self, facts: Sequence[ConditionFact]) -> list[ConditionFact]:
        """Return the diagnoses of the kind that no later one has brought to an end."""
        concerned = [fact for fact in facts if self.concerns(fact)]
        ends = [fact for fact in facts if fact.value_sets & self.ended_by]
        return [fact for fact in concerned if not any(_later(end, fact) for end in ends)]


@leaf("condition", keys=("conditions",))
def condition(spec: Spec) -> Leaf:
    """A diagnosis in value sets, by status, date, place and cause."""
    question = _Question(
        wanted=frozenset(fields.names(spec.get("in"))),
        use=USES[spec.get("use", "eligibility")],
        reason_only=spec.get("role") == "reason",
        span=span(spec.get("onset")),
        dated_by=DATED_BY[spec.get("dated-by", "onset-or-recorded")],
        at_site=spec.get("at") == "ordered-site",
        caused_by=frozenset(fields.names(spec.get("caused-by"))),
        ended_by=frozenset(fields.names(spec.get("ended-by"))),
    )
    return lambda context: _condition(question, context)


def _condition(question: _Question, context: Context) -> Answer:
    seen = asked(context)
    on = context.facts.day
    concerned = question.open(seen.conditions)
    holes = fields.holes_of(context, "conditions")
    judged = [(question.judge(one, context, bool(holes)), one.finding(on)) for one in concerned]
    told = fields.answer(judged, holes)
    if told.status is not Status.NOT_MET:
        return told
    if question.reason_only and (unclear := vague(seen.reasons)):
        return cannot_tell(unclear)
    return not_shown(finding for _, finding in judged)


def _later(one: ConditionFact, other: ConditionFact) -> bool:
    """Whether a diagnosis is dated after another for certain."""
    day, before = one.onset or one.recorded, other.onset or other.recorded
    return bool(day and before and day.first > before.last)
