"""Safety rules as compiled: what was found, how urgent it is, what it does to the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from cds_service.evaluation import SafetyFinding
from cds_service.evidence.answer import NOTHING, YES, Answer, Finding, Status
from cds_service.evidence.context import Context, Leaf
from cds_service.evidence.forms import denied_on
from cds_service.evidence.standing import KEYS as STANDING_KEYS
from cds_service.evidence.standing import Standing, standing
from cds_service.policies.kleene import distinct, unique
from cds_service.record.model import Hole

URGENCIES = ("ED-now", "PCP-prompt", "specialist", "caution")
EFFECTS = ("stop", "hold", "none")
SCREEN_KEYS = ("responses",)
EVALUATED_URGENCIES = ("ED-now", "PCP-prompt")


class Sighting(Struct, frozen=True):
    """One finding of a rule with the grade of its evidence and how it stands (G-21).

    `holes` are unread data that could take it back: the rest of its evidence, or a "no" of the
    safety screen.
    """

    finding: Finding
    grade: str
    standing: Standing
    holes: tuple[Hole, ...] = ()


Fits = Callable[[Sighting, Context], bool]


class JudgeRow(Struct, frozen=True):
    """A row of `judge`: for a sighting that fits, the urgency and the effect."""

    fits: Fits
    urgency: str
    effect: str
    asks: tuple[str, ...] = ()
    advises: tuple[str, ...] = ()
    when: Leaf | None = None


class Evidence(Struct, frozen=True):
    """One way to find something, with its grade; `when` is what must hold besides.

    What could not be read of `minor` evidence changes no result: it can only be a caution.
    """

    grade: str
    found: Leaf
    when: Leaf | None = None
    minor: bool = False

    def ask(self, context: Context) -> tuple[Answer, str]:
        """Return what is found and the grade it has; a doubt leaves partial evidence."""
        beside = self.when(context) if self.when else YES
        if beside.status in (Status.NOT_MET, Status.NA):
            return NOTHING, self.grade
        answer = self.found(context)
        if beside.status is Status.MET or answer.status is Status.NOT_MET:
            return answer, _sure(self.grade, answer.status)
        holes = unique([*beside.holes, *answer.holes])
        return Answer(Status.UNKNOWN, answer.findings, holes), "P"


class SafetyRule(Struct, frozen=True):
    """A red flag, contraindication or caution as compiled.

    `applies` tells whether the rule speaks of these orders; where nobody can tell, it does.
    `policy` is whose text is the clinical source. `subject` are the value sets that name the flag:
    an encounter whose reason lies in them has looked at it. `questions` are the items of the safety
    screen that ask about it. `origins` are the titles of the documents it cites, `sections` the
    sections.
    """

    id: str
    policy: str
    text: str
    source: str
    evidence: tuple[Evidence, ...]
    judge: tuple[JudgeRow, ...]
    criterion: str | None
    suggests: tuple[str, ...]
    subject: frozenset[str]
    questions: tuple[str, ...] = ()
    applies: Leaf | None = None
    origins: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()

    @property
    def matters(self) -> bool:
        """Whether a finding of this rule could change a result."""
        return any(row.effect != "none" or row.urgency == "ED-now" for row in self.judge)


class Judged(Struct, frozen=True):
    """One sighting with its verdict."""

    sighting: Sighting
    urgency: str
    effect: str
    addressed: bool
    asks: tuple[str, ...]
    advises: tuple[str, ...]
    holes: tuple[Hole, ...] = ()
    supposed: tuple[str, ...] = ()


class Raised(Struct, frozen=True):
    """What one rule came to: its judged sightings (none: nothing found) and its holes."""

    rule: SafetyRule
    judged: tuple[Judged, ...]
    holes: tuple[Hole, ...]

    @property
    def effect(self) -> str:
        """The strongest effect."""
        return strongest((item.effect for item in self.judged), EFFECTS)

    @property
    def urgency(self) -> str:
        """The highest urgency."""
        return strongest((item.urgency for item in self.judged), URGENCIES)

    def asks(self) -> tuple[str, ...]:
        """Return the blocking items asked for."""
        return tuple(dict.fromkeys(item for one in self.judged for item in one.asks))

    def finding(self) -> SafetyFinding:
        """Return the finding as it leaves the service."""
        urgency, effect = self.urgency, self.effect
        leading = [j for j in self.judged if j.urgency == urgency or j.effect == effect]
        return SafetyFinding(
            id=self.rule.id,
            urgency=urgency,
            effect=effect,
            text=self.rule.text,
            source=self.rule.source,
            policy=self.rule.policy,
            grade="S" if any(j.sighting.grade == "S" for j in leading) else "P",
            suspected=all(j.sighting.finding.suspected for j in leading),
            addressed=all(j.addressed for j in leading),
            suggests=self.rule.suggests,
            evidence=distinct(_evidence(leading)),
            asks=self.asks(),
            origins=self.rule.origins,
            sections=self.rule.sections,
            supposed=any(j.supposed for j in leading),
        )


def strongest(found: Iterable[str], ranking: Sequence[str]) -> str:
    """Return the first of the ranking that was found; the last when nothing was."""
    present = set(found)
    return next((item for item in ranking if item in present), ranking[-1])


def _evidence(judged: Iterable[Judged]) -> list[Finding]:
    found: list[Finding] = []
    for item in judged:
        found.append(item.sighting.finding)
        found.extend(item.sighting.standing.findings())
    return found


def raise_rule(rule: SafetyRule, context: Context, hidden: frozenset[str] = frozenset()) -> Raised:
    """Ask a rule's evidence and judge what it finds; `hidden` references are left out."""
    applies = rule.applies(context) if rule.applies else YES
    if applies.status in (Status.NOT_MET, Status.NA):
        return Raised(rule, (), ())
    sightings, holes = _sightings(rule, context)
    if not sightings:
        return Raised(rule, (), unique(holes))
    shown = [_doubted(s, applies) for s in sightings if s.finding.reference not in hidden]
    judged = [item for s in shown if (item := _judge(rule, s, context))]
    doubts = [hole for item in judged for hole in item.holes]
    return Raised(rule, tuple(judged), unique([*holes, *doubts]))


def _doubted(sighting: Sighting, applies: Answer) -> Sighting:
    """Add what was not read and could tell that the rule does not speak of these orders."""
    open_ = applies.holes if applies.status is Status.UNKNOWN else ()
    return replace(sighting, holes=unique((*sighting.holes, *open_))) if open_ else sighting


def _sightings(rule: SafetyRule, context: Context) -> tuple[list[Sighting], list[Hole]]:
    """Return each finding once, with its best grade; an uncertain answer is partial evidence.

    A "no" of the safety screen settles partial evidence that is not newer than the screen.
    """
    asked = [(one, *one.ask(context)) for one in rule.evidence]
    holes = [hole for one, answer, _ in asked if not one.minor for hole in answer.holes]
    told = [(answer, sure) for _, answer, sure in asked if answer.status is not Status.NOT_MET]
    found: dict[str, Sighting] = {}
    denied = denied_on(context, rule.questions) if told else None
    unread = context.facts.record.holes_of(SCREEN_KEYS) if rule.questions and told else ()
    for answer, sure in told:
        open_ = answer.holes if answer.status is Status.UNKNOWN else ()
        doubts = unique((*open_, *unread)) if sure == "P" else open_
        for finding in answer.findings:
            if sure == "P" and denied and (finding.day or date.min) <= denied:
                continue
            known = found.get(finding.reference)
            if known is None or _firmer(sure, doubts, known):
                stand = standing(finding, rule.subject, context)
                found[finding.reference] = Sighting(finding, sure, stand, doubts)
    return list(found.values()), holes


def _firmer(grade: str, holes: tuple[Hole, ...], known: Sighting) -> bool:
    """Whether evidence is surer than what is known: a better grade, or as good without a hole."""
    if grade != known.grade:
        return grade == "S"
    return bool(known.holes) and not holes


def _sure(grade: str, status: Status) -> str:
    """Return the grade of what was found: a question answered yes is sufficient (0.4)."""
    if status is not Status.MET:
        return "P"
    return "S" if grade == "Q" else grade


def _judge(rule: SafetyRule, sighting: Sighting, context: Context) -> Judged | None:
    """Judge by the first row that fits; a row that a hole keeps open asks for nothing."""
    row, doubts = _row(rule, sighting, context)
    if row is None:
        return None
    acknowledged = _acknowledged(rule, sighting.finding, context)
    if _addressed(row, sighting.standing, acknowledged):
        return Judged(sighting, row.urgency, "none", True, (), row.advises)
    if row.urgency in EVALUATED_URGENCIES:
        doubts = (*doubts, *context.facts.record.holes_of(STANDING_KEYS))
    doubts = unique((*sighting.holes, *doubts))
    effect = _lowered(row, sighting, acknowledged, bool(doubts))
    asks = () if doubts else row.asks
    return Judged(sighting, row.urgency, effect, False, asks, row.advises, doubts)


def _row(
    rule: SafetyRule, sighting: Sighting, context: Context
) -> tuple[JudgeRow | None, tuple[Hole, ...]]:
    doubts: list[Hole] = []
    for row in rule.judge:
        if not row.fits(sighting, context):
            continue
        answer = row.when(context) if row.when else None
        if answer is None or answer.status is Status.MET:
            return row, unique(doubts)
        doubts.extend(answer.holes)
    return None, ()


def _acknowledged(rule: SafetyRule, finding: Finding, context: Context) -> bool:
    """Whether the clinician has answered it (G-21): evidence newer than the answer reopens it."""
    answered = context.acknowledged.get(rule.id)
    return answered is not None and (finding.day or date.min) <= answered


def _addressed(row: JudgeRow, stand: Standing, acknowledged: bool) -> bool:
    """Whether the finding has been dealt with (G-21); what rules massage out must be cleared."""
    if row.urgency == "ED-now" or (row.urgency == "PCP-prompt" and row.effect == "stop"):
        return stand.cleared is not None
    if row.urgency == "PCP-prompt":
        return acknowledged or stand.cleared is not None or stand.reviewed is not None
    return False


def _lowered(row: JudgeRow, sighting: Sighting, acknowledged: bool, doubtful: bool) -> str:
    """Return the effect.

    Partial evidence never stops, nor does an unconfirmed cause that was looked into, nor a finding
    of which nobody can tell whether it was cleared.
    """
    if row.effect != "stop":
        return row.effect
    looked_into = sighting.standing.evaluated is not None or acknowledged
    unconfirmed = row.urgency == "ED-now" and sighting.finding.suspected
    if sighting.grade != "S" or doubtful or (unconfirmed and looked_into):
        return "hold"
    return "stop"


class Overlay(Struct, frozen=True):
    """The shared list as one policy reads it (G-20)."""

    rules: tuple[SafetyRule, ...]
    covered_by: Mapping[str, tuple[str, ...]]
    effect: str
    asks: tuple[str, ...]

    def raise_all(self, context: Context, own: Mapping[str, Raised]) -> list[Raised]:
        """Judge the shared rules on facts that the policy's own rules have not raised."""
        return [self._raise(rule, context, own) for rule in self.rules]

    def _raise(self, rule: SafetyRule, context: Context, own: Mapping[str, Raised]) -> Raised:
        covering = [own[name] for name in self.covered_by.get(rule.id, ()) if name in own]
        hidden = frozenset(j.sighting.finding.reference for r in covering for j in r.judged)
        raised = raise_rule(rule, context, hidden)
        if not raised.judged:
            return raised
        return replace(raised, judged=tuple(self._weigh(item) for item in raised.judged))

    def _weigh(self, item: Judged) -> Judged:
        """Give an open emergency with sufficient evidence the effect this policy states."""
        if item.urgency != "ED-now" or item.addressed or item.sighting.grade != "S":
            return replace(item, effect="none", asks=())
        return replace(item, effect=self.effect, asks=() if item.holes else self.asks)
