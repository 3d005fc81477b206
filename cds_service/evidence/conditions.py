"""Which diagnoses answer a question: by status, date, place and cause (G-07, G-08)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from cds_service.evidence import fields
from cds_service.evidence.answer import NOTHING, Answer, Status, cannot_tell
from cds_service.evidence.context import Context, Leaf, Spec, leaf, once
from cds_service.evidence.dates import Days
from cds_service.evidence.diagnoses import ConditionFact, Conditions
from cds_service.evidence.orders import Site
from cds_service.evidence.reasons import Asked, Reason, asked, unread_reasons, vague
from cds_service.evidence.sites import at_site
from cds_service.evidence.visits import KEYS as VISIT_KEYS
from cds_service.evidence.visits import episode
from cds_service.evidence.windows import Span, span
from cds_service.terminology.systems import ICD10CM, normal_code, normal_system

__all__ = ["Asked", "ConditionFact", "Conditions", "Reason", "asked", "condition", "latest"]

NOT_KNOWN = "not-known"
WHOLE_BODY = "whole-body"
ACTIVE = frozenset({"active", "recurrence", "relapse"})
SUBCATEGORY = 4

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


def _by(recorded: Days | None) -> Days | None:
    """Return when a diagnosis may have begun that was recorded then: that day or any before it."""
    return Days(date.min, recorded.last) if recorded else None


DATED_BY: dict[str, Callable[[ConditionFact], Days | None]] = {
    "onset-or-recorded": lambda fact: fact.onset or fact.recorded,
    "onset-by-recorded": lambda fact: fact.onset or _by(fact.recorded),
    "onset": lambda fact: fact.onset,
    "recorded": lambda fact: fact.recorded,
    "ended": lambda fact: fact.abated or fact.onset or fact.recorded,
}
"""Which date of a diagnosis counts; one that has not ended counts from its beginning."""


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
    since_care: bool = False
    dated: bool = False
    different: int = 1
    unwanted: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    one_sided: bool = False
    beside: frozenset[str] = frozenset()
    apart: int = 0
    told: Span | None = None

    def judge(self, fact: ConditionFact, context: Context, unread: bool) -> Status:
        """Whether one diagnosis answers the question.

        As long as diagnoses are `unread`, one that is only stated may be contradicted on file.
        """
        statuses = [self.use(fact)]
        if unread and fact.stated:
            statuses.append(Status.UNKNOWN)
        if self.span:
            statuses.append(self.span.holds(self.dated_by(fact), context.facts.day))
        if self.told and fact.told:
            statuses.append(self.told.holds(fact.told, context.facts.day))
        if self.since_care:
            statuses.append(fields.since(episode(context).anchor, self.dated_by(fact)))
        if self.at_site:
            statuses.append(at_site(fact.regions, fact.side, _treated(context)))
        if self.regions:
            statuses.append(_lies_in(fact.regions, self.regions))
        if self.beside:
            statuses.append(self._near(fact, asked(context).conditions))
        return fields.weakest(statuses)

    def _near(self, fact: ConditionFact, others: Sequence[ConditionFact]) -> Status:
        """Whether a diagnosis of `beside` began at most `apart` days before or after this one."""
        found = [
            _days_between(self.dated_by(fact), self.dated_by(other), self.apart)
            for other in others
            if other.value_sets & self.beside and other is not fact
        ]
        ranked = (Status.MET, Status.UNKNOWN)
        return next((status for status in ranked if status in found), Status.NOT_MET)

    def concerns(self, fact: ConditionFact) -> bool:
        """Whether a diagnosis is of the kind asked for."""
        return (
            (not self.wanted or bool(fact.value_sets & self.wanted))
            and not fact.value_sets & self.unwanted
            and (fact.reason or not self.reason_only)
            and (not self.caused_by or bool(fact.due_to & self.caused_by))
            and (not self.dated or self.dated_by(fact) is not None)
            and (not self.one_sided or fact.side is not None)
        )

    def together(self, facts: Sequence[ConditionFact]) -> bool:
        """Whether diagnoses are as many kinds as asked for."""
        return len({_kind(fact) for fact in facts}) >= self.different

    def open(self, seen: Asked) -> list[ConditionFact]:
        """Return the diagnoses of the kind that none of the same day or later has ended."""
        if self.wanted and self.wanted.isdisjoint(seen.value_sets):
            return []
        concerned = [fact for fact in seen.conditions if self.concerns(fact)]
        if not self.ended_by:
            return concerned
        last = latest(seen.conditions, self.ended_by)
        return [fact for fact in concerned if not _dated_by(fact, last)]


def latest(facts: Iterable[ConditionFact], sets: frozenset[str]) -> date:
    """Return the first day of the newest diagnosis in the value sets; the first of all without."""
    found = (_days(fact) for fact in facts if fact.value_sets & sets)
    return max((days.first for days in found if days), default=date.min)


@once
def _treated(context: Context) -> tuple[Site, ...]:
    """Return the ordered sites; where the orders name none, the places of their reasons.

    A reason without a place, or of the whole body, leaves open what is treated.
    """
    if context.group.sites:
        sites: tuple[Site, ...] = context.group.sites
        return sites
    seen = asked(context)
    told = [
        Site(frozenset() if WHOLE_BODY in fact.regions else fact.regions, fact.side, fact.text)
        for fact in seen.conditions
        if fact.reason
    ]
    in_words = [Site(frozenset(), None, one.text) for one in seen.reasons if not one.understood]
    return tuple(dict.fromkeys([*told, *in_words]))


def _kind(fact: ConditionFact) -> str:
    """Return what sort of diagnosis it is: its ICD category with one more character, or its code.

    The characters that follow tell side and stage of the same thing.
    """
    normal = sorted((normal_system(s) or "", c) for s, c in fact.codings)
    icd = [normal_code(ICD10CM, code) for system, code in normal if system == ICD10CM]
    return icd[0][:SUBCATEGORY] if icd else next((code for _, code in normal), fact.text)


def _lies_in(found: frozenset[str], wanted: frozenset[str]) -> Status:
    """Whether a place lies in some regions; one that nobody knows does where that is asked for."""
    if not found:
        return Status.MET if NOT_KNOWN in wanted else Status.NOT_MET
    if found <= wanted:
        return Status.MET
    return Status.UNKNOWN if found & wanted else Status.NOT_MET


def _days_between(one: Days | None, other: Days | None, most: int) -> Status:
    """Whether two dates lie at most so many days apart; a date that is missing may be any."""
    if one is None or other is None:
        return Status.UNKNOWN
    farthest = max((one.last - other.first).days, (other.last - one.first).days)
    nearest = max((one.first - other.last).days, (other.first - one.last).days, 0)
    if farthest <= most:
        return Status.MET
    return Status.NOT_MET if nearest > most else Status.UNKNOWN


def _keys(spec: Spec) -> tuple[str, ...]:
    return ("conditions", *VISIT_KEYS) if "since" in spec else ("conditions",)


@leaf("condition", keys=_keys)
def condition(spec: Spec) -> Leaf:
    """A diagnosis in value sets, by status, date, place and cause."""
    beside = spec.get("beside") or {}
    question = _Question(
        wanted=frozenset(fields.names(spec.get("in"))),
        use=USES[spec.get("use", "eligibility")],
        reason_only=spec.get("role") == "reason",
        span=span(spec.get("onset")),
        dated_by=DATED_BY[spec.get("dated-by", "onset-or-recorded")],
        at_site=spec.get("at") == "ordered-site",
        caused_by=frozenset(fields.names(spec.get("caused-by"))),
        ended_by=frozenset(fields.names(spec.get("ended-by"))),
        since_care=spec.get("since") == "anchor",
        dated=bool(spec.get("dated")),
        different=fields.whole(spec.get("different", 1)),
        unwanted=frozenset(fields.names(spec.get("not-in"))),
        regions=frozenset(fields.names(spec.get("region"))),
        one_sided=bool(spec.get("one-sided")),
        beside=frozenset(fields.names(beside.get("in"))),
        apart=fields.whole(beside.get("days", 0)),
        told=span({"within": spec["told-within"]} if "told-within" in spec else None),
    )
    return lambda context: _condition(question, context)


def _condition(question: _Question, context: Context) -> Answer:
    """Judge the diagnoses; a reason in words may be one of them, and is no finding for safety."""
    seen = asked(context)
    on = context.facts.day
    concerned = question.open(seen)
    holes = fields.holes_of(context, "conditions")
    if not (concerned or holes or question.reason_only):
        return NOTHING
    verdicts = [(question.judge(one, context, bool(holes)), one) for one in concerned]
    judged = [(status, one.finding(on)) for status, one in _counted(question, verdicts)]
    told = fields.answer(judged, holes, (finding for _, finding in judged))
    if told.status is not Status.NOT_MET or not question.reason_only:
        return told
    if not (unclear := vague(seen.reasons)):
        return told
    return cannot_tell(() if question.use is _for_safety else unclear, unread_reasons(context))


def _counted(
    question: _Question, verdicts: Sequence[tuple[Status, ConditionFact]]
) -> Sequence[tuple[Status, ConditionFact]]:
    """Return the verdicts, lowered where the diagnoses that fit are not as many as asked for."""
    if question.different <= 1:
        return verdicts
    sure = [one for status, one in verdicts if status is Status.MET]
    perhaps = [one for status, one in verdicts if status is not Status.NOT_MET]
    if question.together(sure):
        return verdicts
    most = Status.UNKNOWN if question.together(perhaps) else Status.NOT_MET
    return [(fields.weakest([status, most]), one) for status, one in verdicts]


def _days(fact: ConditionFact) -> Days | None:
    return fact.onset or fact.recorded


def _dated_by(fact: ConditionFact, day: date) -> bool:
    """Whether a diagnosis is dated by a day for certain."""
    days = _days(fact)
    return days is not None and days.last <= day
