"""An Evaluation as plain text: the whole reasoning, for a person at a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cds_service.evaluation import (
    CriterionResult,
    Evaluation,
    MissingItem,
    SafetyFinding,
    number,
)
from cds_service.evidence.answer import Finding, Status
from cds_service.record.model import Hole
from cds_service.terminology import Parameter

MARKS = {Status.MET: "+", Status.NOT_MET: "-", Status.UNKNOWN: "?", Status.NA: "."}
INDENT = "  "

Lines = Iterator[str]
Children = Mapping[str | None, Sequence[CriterionResult]]


def outline(evaluations: Iterable[Evaluation]) -> str:
    """Return the reasoning of all evaluations, one tree each, apart by an empty line."""
    return "\n\n".join("\n".join(_evaluation(item)) for item in evaluations)


def _evaluation(item: Evaluation) -> Lines:
    policy = f"{item.policy.id} ({item.policy.version})" if item.policy else "no policy"
    orders = ", ".join(item.orders) or "no order"
    yield f"{orders} under {item.coverage or 'no coverage'}, {policy}, on {item.day}"
    yield f"Determination: {item.determination}{_authorization(item)}"
    yield from _section("Criteria", _criteria(item.criteria))
    yield from _section("Missing", (line for each in item.missing for line in _missing(each)))
    yield from _section("Safety", (line for each in item.safety for line in _safety(each)))
    yield from _section("Unread", map(_hole, item.unread))
    yield from _section("Notes", item.notes)


def _authorization(item: Evaluation) -> str:
    parts = [f"prior authorization {item.prior_auth}"] if item.prior_auth else []
    if item.approvable_now:
        amount = item.approvable_now
        unit = amount.unit.removesuffix("s") if amount.value == 1 else amount.unit
        parts.append(f"approvable now {number(amount.value)} {unit}")
    return f" ({'; '.join(parts)})" if parts else ""


def _section(title: str, lines: Iterable[str]) -> Lines:
    body = [f"{INDENT}{line}" for line in lines]
    if body:
        yield f"{title}:"
        yield from body


def _criteria(items: Sequence[CriterionResult]) -> Lines:
    known = {item.id for item in items}
    children: defaultdict[str | None, list[CriterionResult]] = defaultdict(list)
    for item in items:
        children[item.parent if item.parent in known else None].append(item)
    for root in children[None]:
        yield from _branch(root, children, frozenset())


def _branch(item: CriterionResult, children: Children, above: frozenset[str]) -> Lines:
    yield from _criterion(item)
    below = above | {item.id}
    for child in children.get(item.id, ()):
        if child.id not in below:
            yield from (f"{INDENT}{line}" for line in _branch(child, children, below))


def _criterion(item: CriterionResult) -> Lines:
    operator = f" [{item.operator}]" if item.operator else ""
    place = _place(item.source, item.sections)
    yield f"{MARKS[item.status]} {item.id} {item.status}{operator}: {item.text} ({place})"
    details = [
        *([f"because {item.because}"] if item.because else []),
        *map(_parameter, item.parameters),
        *map(_finding, () if item.operator else item.evidence),
        *(f"would change: {words}" for words in item.would_change),
        *map(_hole, item.holes),
    ]
    yield from (f"{INDENT}{INDENT}{line}" for line in details)


def _place(source: str, sections: Sequence[str]) -> str:
    """Return the citation with the sections it lies in; of many, the first and the last."""
    named = sections if len(sections) < 3 else (sections[0], "...", sections[-1])
    return f"{source}: {', '.join(named)}" if named else source


def _parameter(used: Parameter) -> str:
    origin = "configured" if used.configured else used.source or "no source"
    return f"number {used.id} = {number(used.value)} {used.unit} ({origin})"


def _finding(item: Finding) -> str:
    parts = [item.reference, item.date or "undated", item.value, item.text]
    via = f" (via {item.via})" if item.via else ""
    return f"evidence {', '.join(part for part in parts if part)}{via}"


def _missing(item: MissingItem) -> Lines:
    yield f"{item.id} {'blocking' if item.blocking else 'advisory'}: {item.text}"


def _safety(item: SafetyFinding) -> Lines:
    marks = [item.urgency, f"effect {item.effect}"]
    marks += ["suspected"] if item.suspected else []
    marks += ["addressed"] if item.addressed else []
    place = _place(item.source, item.sections)
    yield f"{item.id} {', '.join(marks)}: {item.text} ({place})"
    yield from (f"{INDENT}{_finding(finding)}" for finding in item.evidence)


def _hole(hole: Hole) -> str:
    return f"not read: {hole.query} ({hole.reason})"
