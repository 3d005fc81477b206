"""Criteria as a reader meets them: what says something of its own, its evidence without echo."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from cards.words import WORDS
from cds_service.evaluation import CriterionResult, Evaluation
from cds_service.evidence.answer import Finding, Status
from cds_service.record.model import Hole

_ORDER = {Status.NOT_MET: 0, Status.UNKNOWN: 1, Status.MET: 2, Status.NA: 3}
_SHOW = WORDS["show"]
_CHANGED = WORDS["change-mark"]
_UNITS: Mapping[str, str] = WORDS["units"]
_RANKING = WORDS["evidence-rank"]
_EXCLUSIONS = tuple(WORDS["exclusion-marks"])
_SLUG = re.compile(r"[a-z]+(-[a-z]+)*")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Row(Struct, frozen=True):
    """A criterion as a line of the card.

    `place` is the section of the source it stands in, `verdict` a key of `verdicts` in the words,
    `found` the evidence as the evaluation has it, `own` the orders under review.
    """

    id: str
    place: str
    text: str
    verdict: str
    because: str
    found: tuple[Finding, ...]
    holes: tuple[Hole, ...]
    own: frozenset[str]

    @property
    def evidence(self) -> tuple[Finding, ...]:
        """What shows it, as a reader wants it: each fact once, no date that says nothing."""
        told = [worded(_undated(item, self.own)) for item in _once(self.found)]
        return _counted(told)

    @property
    def references(self) -> frozenset[str]:
        """What it rests on."""
        return frozenset([finding.reference for finding in self.found])

    @property
    def background(self) -> bool:
        """Whether only the coverage or the order itself shows it."""
        return not _shows(self.found, self.own)


def rows_of(deciding: Sequence[CriterionResult], evaluation: Evaluation) -> list[Row]:
    """Return the lines that say something, what is not met first."""
    own = frozenset(evaluation.orders)
    telling = [item for item in deciding if _tells(item, deciding, evaluation)]
    ordered = sorted(telling, key=lambda item: _ORDER[item.status])
    return _merged(row_of(item, own) for item in ordered)


def _merged(rows: Iterable[Row]) -> list[Row]:
    """Say once what several criteria that are open or not met say with the same words."""
    kept: list[Row] = []
    for row in rows:
        said = None if row.verdict == "met" else _said(row, kept)
        if said is None:
            kept.append(row)
        elif row.because:
            kept[kept.index(said)] = replace(
                said, text=f"{said.text}; {row.text}", id=f"{said.id}, {row.id}"
            )
    return kept


def _said(row: Row, kept: Iterable[Row]) -> Row | None:
    return next((one for one in kept if _echoes(row, one)), None)


def _echoes(row: Row, said: Row) -> bool:
    if row.verdict != said.verdict or row.because != said.because:
        return False
    if row.because:
        return row.references == said.references
    return bool(row.references) and row.references <= said.references


def row_of(criterion: CriterionResult, own: frozenset[str]) -> Row:
    """Return a criterion as a line; `own` are the orders under review."""
    return Row(
        id=criterion.id,
        place=place_of(criterion),
        text=criterion.text,
        verdict=_verdict(criterion, own),
        because=criterion.because or "",
        found=criterion.evidence,
        holes=holes_of(criterion.holes),
        own=own,
    )


def place_of(criterion: CriterionResult) -> str:
    """Return the section of the policy that a criterion rests on; without names, the citation."""
    return ", ".join(criterion.sections[:1]) or criterion.source


def strongest(met: Sequence[Row], shown: Iterable[Row], room: int) -> list[Row]:
    """Return the met rows with the strongest evidence that has not been said already.

    What only the plan or the order shows is told where there is nothing else.
    """
    said = {reference for row in shown for reference in row.references}
    chosen: set[str] = set()
    for row in sorted(_newest_first([r for r in met if not r.background] or met), key=_rank):
        if len(chosen) == room:
            break
        if row.references - said:
            chosen.add(row.id)
            said |= row.references
    return [row for row in met if row.id in chosen]


def _newest_first(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=_newest, reverse=True)


def _newest(row: Row) -> str:
    found = [item.date for item in row.found if item.date and item.reference not in row.own]
    return max(found, default="")


def _rank(row: Row) -> int:
    """Return how strongly its evidence speaks: a change first, then diagnoses, then measures."""
    if row.text.startswith(_EXCLUSIONS):
        return len(_RANKING) + 1
    if any(map(_is_change, row.found)):
        return -1
    kinds = {item.reference.partition("/")[0] for item in row.found}
    return next((at for at, kind in enumerate(_RANKING) if kind in kinds), len(_RANKING))


def holes_of(holes: Iterable[Hole]) -> tuple[Hole, ...]:
    """Return the holes as resource type, plain words and reason, each once."""
    return tuple(dict.fromkeys(map(_told, dict.fromkeys(holes))))


def _told(hole: Hole) -> Hole:
    resource = hole.query.split("?")[0].split("/")[0]
    words = WORDS["records"].get(hole.key) or WORDS["records"].get(resource) or resource
    return Hole(resource, str(words), hole.reason)


def _tells(
    item: CriterionResult, deciding: Sequence[CriterionResult], evaluation: Evaluation
) -> bool:
    """Whether a criterion says something of its own.

    A met one tells by its evidence; a document that is asked for stands among the items; what only
    repeats other criteria is said by these.
    """
    if item.status is Status.MET:
        return bool(item.evidence) and not item.derived
    others = [one for one in deciding if one is not item and one.status is item.status]
    if item.derived and any(not one.derived for one in others):
        return False
    if item.status is Status.NOT_MET or item.holes:
        return True
    asked = {missing.id for missing in evaluation.missing if missing.blocking}
    shows = _shows(item.evidence, frozenset(evaluation.orders))
    silent = not item.because and (item.id in asked or (asked and not shows))
    return not silent and not (item.derived and asked)


def _shows(found: Iterable[Finding], own: frozenset[str]) -> bool:
    """Whether evidence is more than the plan or the order itself."""
    return any(_kind(finding, own) not in WORDS["background"] for finding in found)


def _verdict(criterion: CriterionResult, own: frozenset[str]) -> str:
    if criterion.status is not Status.UNKNOWN:
        return criterion.status.value
    if criterion.holes:
        return "unread"
    return "unknown" if _shows(criterion.evidence, own) else "not-found"


def _kind(finding: Finding, own: frozenset[str]) -> str:
    return "order" if finding.reference in own else finding.reference.split("/")[0]


def _undated(finding: Finding, own: frozenset[str]) -> Finding:
    """Leave out a date that says nothing: of this order, of a plan, or said already."""
    said = _DATE.findall(f"{finding.text} {finding.value or ''}")
    kind = _kind(finding, own)
    silent = kind in WORDS["undated"] or (said and kind in WORDS["dated-by-value"])
    if silent or (finding.date or "")[:10] in said:
        return replace(finding, date=None)
    return finding


def worded(finding: Finding) -> Finding:
    """Say a code as a word, and leave out the usual status and a code that is the text itself."""
    text = finding.text
    if _SLUG.fullmatch(text):
        text = text.replace("-", " ").capitalize()
    needless = finding.value in WORDS["usual-values"] or finding.value == finding.text
    value = None if needless else _in_units(finding.value)
    same = text == finding.text and value == finding.value
    return finding if same else replace(finding, text=text, value=value)


def _in_units(value: str | None) -> str | None:
    """Say units of UCUM as people write them."""
    parts = value.split(" ") if value else []
    if _UNITS.keys().isdisjoint(parts):
        return value or None
    return " ".join([_UNITS.get(part, part) for part in parts])


def _once(findings: Iterable[Finding]) -> Iterable[Finding]:
    """Tell each fact once: as a change, where it is one."""
    kept: dict[tuple[str, str], Finding] = {}
    listed = list(findings)
    telling = [item for item in listed if item.text not in WORDS["empty-words"]] or listed
    for finding in telling:
        key = (finding.reference, finding.text)
        if key not in kept or _is_change(finding):
            kept[key] = finding
    return kept.values()


def _is_change(finding: Finding) -> bool:
    return finding.value is not None and _CHANGED in finding.value


def _counted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Tell many of a kind (visits) as a number with its first and last day."""
    kinds: dict[tuple[str, str | None], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.text, finding.value), []).append(finding)
    return tuple(one for alike in kinds.values() for one in _together(alike))


def _together(alike: Sequence[Finding]) -> Sequence[Finding]:
    if len(alike) <= _SHOW["findings"]:
        return alike
    days = sorted(finding.date[:10] for finding in alike if finding.date)
    if len(days) < len(alike):
        return alike
    first = alike[0]
    value = ", ".join(filter(None, [first.value, f"{days[0]} to {days[-1]}"]))
    return [replace(first, text=f"{len(alike)} x {first.text}", value=value, date=None)]
