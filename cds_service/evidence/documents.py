"""Documents: typed, dated and signed; what they hold is known by their content codes (G-18)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

from msgspec import Struct
from msgspec.structs import replace

from cds_service.evidence import fields
from cds_service.evidence.anchor import anchor
from cds_service.evidence.answer import Answer, Finding, Status, cannot_tell, not_shown, shown
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf
from cds_service.evidence.dates import Days
from cds_service.evidence.measures import KEYS as MEASURE_KEYS
from cds_service.evidence.visits import KEYS as VISIT_KEYS
from cds_service.evidence.visits import Visit, episode
from cds_service.record.model import Hole, Resource
from cds_service.terminology.systems import LOINC

CONTENT = "https://massage-cds.example.org/fhir/CodeSystem/document-content"
SIGNED = frozenset({"final", "amended"})
UNSIGNED = frozenset({"preliminary"})


class Document(Struct, frozen=True):
    """A current document; `signed` is unknown when no docStatus is given.

    `about` are the value sets of what it concerns, where that is coded or referenced.
    """

    kinds: frozenset[str]
    content: frozenset[str]
    about: frozenset[str]
    signed: Status
    days: Days | None
    finding: Finding


class Documents:
    """Current documents that are not dated after the order."""

    def __init__(self, facts: Facts) -> None:
        current = [
            _document(facts, one)
            for one in facts.record.of_type("DocumentReference")
            if fields.text(one, "status") == "current"
        ]
        self.documents = [one for one in current if one.days is None or one.days.first <= facts.day]


def _document(facts: Facts, resource: Resource) -> Document:
    """Return a document with its kinds: LOINC codes and value sets of its type."""
    period = fields.period_start(fields.item(resource, "context"), "period")
    days, written = fields.first_date(facts, period, fields.text(resource, "date"))
    kind = resource.get("type")
    categories = fields.items(resource, "category")
    coded = fields.coded(facts, [kind, *categories])
    loinc = {code for system, code in fields.coded(facts, [kind]) if system == LOINC}
    content = frozenset(code for system, code in coded if system == CONTENT)
    title = fields.label(kind, "Document")
    day = days.first if days and days.exact else None
    return Document(
        fields.value_sets(facts, [kind]) | loinc,
        content,
        _about(facts, resource),
        _signed(fields.text(resource, "docStatus")),
        days,
        Finding(
            fields.identity(resource),
            written,
            _holding(content),
            title,
            day,
            via=fields.via(facts, [kind, *categories]),
        ),
    )


def _holding(content: frozenset[str]) -> str | None:
    words = ", ".join(code.replace("-", " ") for code in sorted(content))
    return f"with {words}" if words else None


def _about(facts: Facts, resource: Resource) -> frozenset[str]:
    context = fields.item(resource, "context")
    named = map(fields.reference, fields.items(context, "related"))
    related = (facts.record.resolve(one, resource) for one in named)
    conditions = [one.get("code") for one in related if isinstance(one, dict)]
    coded = [*fields.items(context, "event"), *fields.items(resource, "category")]
    return fields.value_sets(facts, [*coded, *conditions])


def _signed(status: object) -> Status:
    if status in UNSIGNED:
        return Status.NOT_MET
    return Status.MET if status in SIGNED else Status.UNKNOWN


def _on_day_of_care(span: Spec, anchor: date | None, days: Days | None) -> Status:
    """Whether a document is dated on a day of care from the first to the last of the span."""
    if anchor is None or days is None:
        return Status.NOT_MET if anchor is None else Status.UNKNOWN
    first = anchor + timedelta(days=fields.whole(span["from"]))
    last = anchor + timedelta(days=fields.whole(span["to"]))
    after = days.after(first - timedelta(days=1))
    return fields.weakest([after, days.before(last + timedelta(days=1))])


Judge = Callable[[Context, Document], Status]


def _keys(spec: Spec) -> tuple[str, ...]:
    since = spec.get("since")
    measures = MEASURE_KEYS if since == "baseline" else ()
    visits = VISIT_KEYS if since or spec.get("each-visit") else ()
    return ("documents", *visits, *measures)


@leaf("document", keys=_keys)
def document(spec: Spec) -> Leaf:
    """Ask for a document of a type with all of the content named, signed, and in time.

    `each-visit` asks for one on the day of every visit of the episode; several documents of a
    day are read together.
    """
    judge, keys = _judge(spec), _keys(spec)
    contents = frozenset(fields.names(spec.get("content")))
    each = bool(spec.get("each-visit"))

    def ask(context: Context) -> Answer:
        holes = fields.holes_of(context, *keys)
        judged = [(judge(context, one), one) for one in context.facts.of(Documents).documents]
        kept = [(status, one) for status, one in judged if status is not Status.NOT_MET]
        if each:
            return _each_visit(episode(context).visits, kept, contents, holes)
        found = [
            (fields.weakest([status, _holds(one.content, contents)]), one.finding)
            for status, one in kept
        ]
        return fields.answer(found, holes, [finding for _, finding in found])

    return ask


def _judge(spec: Spec) -> Judge:
    """Return what tells whether a document is of the type, signed and in time."""
    kinds = frozenset(fields.names(spec.get("type")))
    about = frozenset(fields.names(spec.get("about")))
    signed, limit, since = bool(spec.get("signed")), spec.get("within"), spec.get("since")
    days, coded = spec.get("days"), bool(spec.get("coded"))

    def judge(context: Context, one: Document) -> Status:
        if (kinds and not kinds & one.kinds) or (coded and not one.content):
            return Status.NOT_MET
        tests = [one.signed] if signed else []
        if about:
            tests.append(_concerns(one.about, about))
        tests.append(fields.recent(context.facts, one.days, limit))
        if since:
            tests.append(fields.since(anchor(context, since), one.days))
        if days:
            tests.append(_on_day_of_care(days, episode(context).anchor, one.days))
        return fields.weakest(tests)

    return judge


def _concerns(known: frozenset[str], wanted: frozenset[str]) -> Status:
    """Whether a document concerns what is wanted; one that names nothing may."""
    if known & wanted:
        return Status.MET
    return Status.NOT_MET if known else Status.UNKNOWN


def _holds(content: frozenset[str], wanted: frozenset[str]) -> Status:
    """Whether a document holds what is wanted; without any content code nobody can tell."""
    if wanted <= content:
        return Status.MET
    return Status.NOT_MET if content else Status.UNKNOWN


def _each_visit(
    visits: Iterable[Visit],
    kept: Sequence[tuple[Status, Document]],
    contents: frozenset[str],
    holes: tuple[Hole, ...],
) -> Answer:
    by_day: dict[Days | None, list[tuple[Status, Document]]] = defaultdict(list)
    for status, one in kept:
        by_day[one.days].append((status, one))
    here = ((visit, by_day.get(Days(visit.days.first, visit.days.first), [])) for visit in visits)
    days = [(visit, *_of_day(documents, contents)) for visit, documents in here]
    lacking = [
        replace(visit.finding, value=None, text="Visit without a matching document")
        for visit, status, _ in days
        if status is not Status.MET
    ]
    statuses = [status for _, status, _ in days]
    if not days or Status.NOT_MET in statuses:
        return not_shown(lacking, holes)
    if holes or Status.UNKNOWN in statuses:
        return cannot_tell(lacking, holes)
    return shown(one.finding for _, _, documents in days for one in documents)


def _of_day(
    here: Sequence[tuple[Status, Document]], contents: frozenset[str]
) -> tuple[Status, list[Document]]:
    if not here:
        return Status.NOT_MET, []
    sure = frozenset(code for s, one in here if s is Status.MET for code in one.content)
    if contents <= sure and any(s is Status.MET for s, _ in here):
        return Status.MET, [one for _, one in here]
    coded = all(one.content for _, one in here) and all(s is Status.MET for s, _ in here)
    return (Status.NOT_MET if coded else Status.UNKNOWN), [one for _, one in here]
