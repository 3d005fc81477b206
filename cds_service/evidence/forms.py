"""Forms filled in: the newest completed answer to a questionnaire, and the safety screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from itertools import takewhile
from typing import Any

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status, cannot_tell, not_shown, shown
from cds_service.evidence.context import Context, Facts, Leaf, Spec, lazy, leaf
from cds_service.evidence.dates import Days
from cds_service.record.model import Resource
from cds_service.terminology import Dialect, MappedForm

COMPLETED = frozenset({"completed", "amended"})
SCREEN = "massage-safety-screen"
FORMS = "https://massage-cds.example.org/fhir/Questionnaire"
YES = frozenset({"yes", "y", "true"})
NO = frozenset({"no", "n", "false"})
NO_ANSWER = frozenset({"unknown", "asked-unknown", "unk", "asku", "nask"})
ANSWER_SETS = {"answer-yes": "yes", "answer-no": "no", "answer-unknown": "unknown"}


@dataclass(eq=False)
class Form:
    """A completed QuestionnaireResponse, its answers read when somebody asks for them.

    `questionnaires` are the names it goes by: the canonical without version, and its last part.
    `mapped` reads it as the form of ours that a questionnaire of the site stands for; `parts` are
    several such, newest first, that answer together what is asked.
    """

    reference: str
    questionnaires: frozenset[str]
    version: str | None
    days: Days | None
    date: str | None
    stamp: str
    resource: Resource = field(repr=False)
    facts: Facts = field(repr=False)
    mapped: MappedForm | None = field(default=None, repr=False)
    parts: tuple[Form, ...] = ()

    @property
    def partial(self) -> bool:
        """Whether it holds but some questions of our form."""
        return self.mapped is not None and not self.mapped.complete

    def source(self, link: str) -> Form:
        """Return the part in which an item stands."""
        return next((part for part in self.parts if part.lists(link)), self)

    def lists(self, link: str) -> bool:
        """Whether an item stands in it, answered or not."""
        return link in self.answers or link in self.unanswered

    def via(self, link: str) -> str | None:
        """Say which mapping of the site an answer goes through; None when through none."""
        items = self.mapped.items.values() if self.mapped else ()
        return next((one.via for one in items if one.item == link), None)

    @lazy
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

    @lazy
    def _read(self) -> tuple[Mapping[str, tuple[str, ...]], frozenset[str]]:
        answers: dict[str, tuple[str, ...]] = {}
        unanswered: set[str] = set()
        for part in self.parts:
            fresh = {link for link in part.answers if link not in unanswered | answers.keys()}
            unanswered |= part.unanswered - answers.keys()
            answers.update({link: part.answers[link] for link in fresh})
        for item in () if self.parts else self.items:
            self._take(item, answers, unanswered)
        return answers, frozenset(unanswered)

    def _take(
        self, item: Resource, answers: dict[str, tuple[str, ...]], unanswered: set[str]
    ) -> None:
        link = fields.text(item, "linkId")
        known = self.mapped.items.get(link or "") if self.mapped else None
        if link is None or (self.mapped and known is None):
            return
        name, said = (known.item, known.answers) if known else (link, None)
        words = (_word(self.facts, one, said) for one in fields.items(item, "answer"))
        given = tuple(word for word in words if word is not None)
        if given:
            answers[name] = (*answers.get(name, ()), *given)
        elif not fields.items(item, "item"):
            unanswered.add(name)


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
        site = facts.terminology.site
        mapped = [one for form in self.forms for one in _mapped(form, site)] if site else []
        self._known = sorted([*self.forms, *mapped], key=_newness, reverse=True)
        self._facts = facts

    def newest(
        self, questionnaire: str, links: Sequence[str] = (), limit: object = None
    ) -> Form | None:
        """Return the newest completed form of a questionnaire, by id or canonical.

        Where the site asks some of its items in forms of its own, those that answer `links` in the
        last `limit` days answer together; its date is then that of the oldest one.
        """
        wanted = questionnaire.partition("|")[0]
        known = [form for form in self._known if wanted in form.questionnaires]
        if not known or not known[0].partial:
            return known[0] if known else None
        whole = next((form for form in known if not form.partial), None)
        parts = [*takewhile(lambda form: form.partial, known), *([whole] if whole else [])]
        recent = (fields.recent(self._facts, form.days, limit) for form in parts)
        aged = zip(parts, recent, strict=True)
        return _together([form for form, age in aged if age is not Status.NOT_MET], links)


def _mapped(form: Form, site: Dialect) -> Iterator[Form]:
    """Yield a response to a questionnaire of the site as the form of ours that it stands for."""
    canonical = fields.text(form.resource, "questionnaire") or ""
    for mapped in site.forms(canonical):
        names = frozenset({mapped.name, f"{FORMS}/{mapped.name}"})
        yield replace(form, questionnaires=names, version=None, mapped=mapped)


def _together(forms: Iterable[Form], links: Sequence[str]) -> Form | None:
    """Return the forms that list the items asked about, as one; of the whole form: a whole one."""
    if not links:
        return next((form for form in forms if not form.partial), None)
    parts: list[Form] = []
    for form in forms:
        open_ = [link for link in links if not any(part.lists(link) for part in parts)]
        if any(form.lists(link) for link in open_):
            parts.append(form)
    return replace(parts[-1], parts=tuple(parts)) if len(parts) > 1 else next(iter(parts), None)


def _newness(form: Form) -> tuple[int, str]:
    return form.days.first.toordinal() if form.days else 0, form.stamp


def _form(facts: Facts, response: Resource) -> Form:
    names, version = _named(fields.text(response, "questionnaire") or "")
    authored = fields.text(response, "authored")
    days, written = fields.first_date(facts, authored)
    return Form(
        fields.identity(response),
        names,
        version,
        days,
        written,
        fields.stamp(response, authored),
        response,
        facts,
    )


@lru_cache(maxsize=256)
def _named(canonical: str) -> tuple[frozenset[str], str | None]:
    """Return the names that a questionnaire goes by, and its version."""
    name, _, version = canonical.partition("|")
    name = name.split("#")[0].rstrip("/")
    return frozenset({name, name.rsplit("/", 1)[-1]}), version or None


def _word(
    facts: Facts, given: Mapping[str, Any], said: Mapping[str, str] | None = None
) -> str | None:
    """Return an answer in one word: yes, no, a code, or the value as written.

    Where the site says what its answers mean (`said`), no other is understood.
    """
    if said is not None:
        return next((word for word in meant(given, said) if word != "unknown"), None)
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
    return yes_or_no(fields.value_sets(facts, [{"coding": [coding]}])) or code


def meant(given: Mapping[str, Any], said: Mapping[str, str]) -> list[str]:
    """Return what the site says of an answer, by its codes or its words."""
    concept = fields.item(given, "valueCodeableConcept")
    listed = [fields.item(given, "valueCoding"), *fields.items(concept, "coding")]
    written = [fields.text(one, name) for one in listed for name in ("code", "display")]
    written += [fields.text(concept, "text"), _plain(given)]
    known = (said.get(" ".join(one.casefold().split())) for one in written if one)
    return [word for word in known if word]


def yes_or_no(sets: frozenset[str]) -> str | None:
    """Return the word that the value sets of a coded answer stand for."""
    return next((word for name, word in ANSWER_SETS.items() if name in sets), None)


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
    test, links = _test(spec), fields.names(spec.get("item"))

    def ask(context: Context) -> Answer:
        form = context.facts.of(Forms).newest(questionnaire, links, limit)
        return _ask(context, form, questionnaire, limit, test)

    return ask


@leaf("screen", keys=("responses",))
def screen(spec: Spec) -> Leaf:
    """Ask for an answer in a safety screen that is at most `screen-days` old (G-23)."""
    test, links = _test(spec), fields.names(spec.get("item"))

    def ask(context: Context) -> Answer:
        limit = context.numbers["screen-days"]
        form = context.facts.of(Forms).newest(SCREEN, links, limit)
        return _ask(context, form, SCREEN, limit, test)

    return ask


def denied_on(context: Context, items: Iterable[str]) -> date | None:
    """Return the day of a valid safety screen that answers every one of the items with no."""
    links = tuple(items)
    limit = context.numbers["screen-days"]
    form = context.facts.of(Forms).newest(SCREEN, links, limit) if links else None
    if form is None or form.days is None:
        return None
    age = fields.recent(context.facts, form.days, limit)
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


def _ask(
    context: Context, form: Form | None, questionnaire: str, limit: object, test: Test
) -> Answer:
    holes = fields.holes_of(context, "responses")
    if form is None:
        return not_shown((), holes)
    fits, links = test(form)
    age = fields.recent(context.facts, form.days, limit)
    if not fits or age is Status.NOT_MET:
        return not_shown((), holes)
    findings = tuple(_findings(form, questionnaire, links))
    return shown(findings) if age is Status.MET else cannot_tell(findings, holes)


def _day(form: Form) -> date | None:
    return form.days.first if form.days and form.days.exact else None


def _title(questionnaire: str) -> str:
    """Return "Functional status form" of a canonical that ends in massage-functional-status."""
    name = questionnaire.rsplit("/", 1)[-1].removeprefix("massage-").replace("-", " ")
    return f"{name.capitalize()} form"


def _findings(form: Form, questionnaire: str, links: Iterable[str]) -> Iterable[Finding]:
    title = _title(questionnaire)
    named = list(links)
    for link in named:
        asked = link.rpartition(".")[2].replace("-", " ") if "." in link else link
        value = f"says {asked}: {', '.join(form.answers[link])}"
        part = form.source(link)
        yield Finding(part.reference, part.date, value, title, _day(part), via=part.via(link))
    if not named:
        yield Finding(form.reference, form.date, None, title, _day(form))
