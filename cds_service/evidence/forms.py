"""Forms filled in: the newest completed answer to a questionnaire, and the safety screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status, cannot_tell, not_shown, shown
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf
from cds_service.evidence.dates import Days
from cds_service.record.model import Resource

COMPLETED = frozenset({"completed", "amended"})
SCREEN = "massage-safety-screen"
YES = frozenset({"yes", "y", "true"})
NO = frozenset({"no", "n", "false"})
NO_ANSWER = frozenset({"unknown", "asked-unknown", "unk", "asku", "nask"})
ANSWER_SETS = {"answer-yes": "yes", "answer-no": "no", "answer-unknown": "unknown"}


@dataclass(frozen=True, eq=False)
class Form:
    """A completed QuestionnaireResponse, its answers read when somebody asks for them.

    `questionnaires` are the names it goes by: the canonical without version, and its last part.
    """

    reference: str
    questionnaires: frozenset[str]
    version: str | None
    days: Days | None
    date: str | None
    stamp: str
    resource: Resource = field(repr=False)
    facts: Facts = field(repr=False)

    @cached_property
    def items(self) -> tuple[Resource, ...]:
        """Its items in reading order, nested ones too."""
        return tuple(fields.walk(self.resource))

    @property
    def answers(self) -> Mapping[str, tuple[str, ...]]:
        """Answers by linkId, in one word where they are coded."""
        return self._read[0]

    @property
    def unanswered(self) -> frozenset[str]:
        """The linkIds of items that ask something and have no answer."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[Mapping[str, tuple[str, ...]], frozenset[str]]:
        answers: dict[str, tuple[str, ...]] = {}
        unanswered: set[str] = set()
        for item in self.items:
            _read(self.facts, item, answers, unanswered)
        return answers, frozenset(unanswered)


class Forms:
    """Completed forms that are not dated after the order, newest first."""

    def __init__(self, facts: Facts) -> None:
        responses = facts.record.of_type("QuestionnaireResponse")
        found = [_form(facts, one) for one in responses if fields.text(one, "status") in COMPLETED]
        self.forms = sorted(
            (form for form in found if form.days is None or form.days.first <= facts.day),
            key=_newness,
            reverse=True,
        )
        self.notes = tuple(
            f"{form.reference} is dated after the order ({form.date}): not used"
            for form in found
            if form.days and form.days.first > facts.day
        )

    def newest(self, questionnaire: str) -> Form | None:
        """Return the newest completed form of a questionnaire, by id or canonical."""
        wanted = questionnaire.partition("|")[0]
        return next((form for form in self.forms if wanted in form.questionnaires), None)


def _newness(form: Form) -> tuple[str, str]:
    return (form.days.first.isoformat() if form.days else "", form.stamp)


def _form(facts: Facts, response: Resource) -> Form:
    canonical = fields.text(response, "questionnaire") or ""
    name, _, version = canonical.partition("|")
    name = name.split("#")[0].rstrip("/")
    days, written = fields.first_date(facts, fields.text(response, "authored"))
    return Form(
        fields.identity(response),
        frozenset({name, name.rsplit("/", 1)[-1]}),
        version or None,
        days,
        written,
        _stamp(response),
        response,
        facts,
    )


def _stamp(response: Resource) -> str:
    updated = fields.text(fields.item(response, "meta"), "lastUpdated")
    return f"{fields.text(response, 'authored') or ''} {updated or ''}"


def _read(
    facts: Facts, item: Resource, answers: dict[str, tuple[str, ...]], unanswered: set[str]
) -> None:
    link = fields.text(item, "linkId")
    if not link:
        return
    words = (_word(facts, one) for one in fields.items(item, "answer"))
    given = tuple(word for word in words if word is not None)
    if given:
        answers[link] = (*answers.get(link, ()), *given)
    elif not fields.items(item, "item"):
        unanswered.add(link)


def _word(facts: Facts, given: Mapping[str, Any]) -> str | None:
    """Return an answer in one word: yes, no, a code, or the value as written."""
    word = _coded(facts, given) if "valueCoding" in given else _plain(given)
    lowered = (word or "").lower()
    if not lowered or lowered in NO_ANSWER:
        return None
    return "yes" if lowered in YES else "no" if lowered in NO else word


def _coded(facts: Facts, given: Mapping[str, Any]) -> str | None:
    coding = fields.item(given, "valueCoding")
    code = fields.text(coding, "code") or fields.text(coding, "display")
    if code is None or code.lower() in YES | NO | NO_ANSWER:
        return code
    sets = fields.value_sets(facts, [{"coding": [coding]}])
    return next((word for name, word in ANSWER_SETS.items() if name in sets), code)


def _plain(given: Mapping[str, Any]) -> str | None:
    value = next((v for k, v in given.items() if k.startswith("value")), None)
    if isinstance(value, dict):
        value = value.get("value")
    return None if value is None else str(value).strip()


@leaf("form", keys=("responses",))
def form(spec: Spec) -> Leaf:
    """Ask for an answer in the newest completed form of a questionnaire.

    `answer: yes` asks for one of the items answered yes, `no` for each of them answered no, `any`
    for one of them answered at all.
    """
    questionnaire, limit = str(spec["questionnaire"]), spec.get("within")
    test = _test(spec)

    def ask(context: Context) -> Answer:
        return _ask(context, questionnaire, limit, test)

    return ask


@leaf("screen", keys=("responses",))
def screen(spec: Spec) -> Leaf:
    """Ask for an answer in a safety screen that is at most `screen-days` old (G-23)."""
    test = _test(spec)

    def ask(context: Context) -> Answer:
        return _ask(context, SCREEN, context.numbers["screen-days"], test)

    return ask


def denied_on(context: Context, items: Iterable[str]) -> date | None:
    """Return the day of a valid safety screen that answers every one of the items with no."""
    links = tuple(items)
    form = context.facts.of(Forms).newest(SCREEN) if links else None
    if form is None or form.days is None:
        return None
    age = fields.recent(context.facts, form.days, context.numbers["screen-days"])
    denied = all("no" in form.answers.get(link, ()) for link in links)
    return form.days.last if denied and age is Status.MET else None


Test = Callable[[Form], tuple[bool, tuple[str, ...]]]


def _test(spec: Spec) -> Test:
    """Return what tells whether a form answers as asked, and by which items."""
    links, wanted = fields.names(spec.get("item")), spec.get("answer")
    everything = bool(spec.get("all-answered"))

    def test(form: Form) -> tuple[bool, tuple[str, ...]]:
        asked = links or tuple(form.answers)
        answered = tuple(link for link in asked if link in form.answers)
        if everything and (len(answered) < len(asked) or (not links and form.unanswered)):
            return False, ()
        if wanted in ("yes", "no"):
            said = tuple(link for link in answered if wanted in form.answers[link])
            return (bool(said) if wanted == "yes" else said == asked != ()), said
        if wanted == "any":
            return bool(answered), answered
        return True, answered if links else ()

    return test


def _ask(context: Context, questionnaire: str, limit: object, test: Test) -> Answer:
    holes = fields.holes_of(context, "responses")
    form = context.facts.of(Forms).newest(questionnaire)
    if form is None:
        return not_shown((), holes)
    fits, links = test(form)
    age = fields.recent(context.facts, form.days, limit)
    if not fits or age is Status.NOT_MET:
        return not_shown((), holes)
    findings = tuple(_findings(form, questionnaire, links))
    return shown(findings) if age is Status.MET else cannot_tell(findings, holes)


def _findings(form: Form, questionnaire: str, links: Iterable[str]) -> Iterable[Finding]:
    day = form.days.first if form.days and form.days.exact else None
    title = questionnaire.rsplit("/", 1)[-1]
    named = list(links)
    for link in named:
        value = f"{link}: {', '.join(form.answers[link])}"
        yield Finding(form.reference, form.date, value, f"Form {title}", day)
    if not named:
        yield Finding(form.reference, form.date, None, f"Form {title}", day)
