"""What the store can tell of many answers together: counts, never a patient.

Each question is one aggregate in SQL that SQLite and PostgreSQL both answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from cds_service.store.tables import CARD, FEEDBACK, GUIDANCE, NOTED, RESULT

PREVIEW = "order-select"
EARLIEST, LATEST = date(1900, 1, 1), date(9000, 1, 1)
MISSING, SAFETY = "missing", "safety"
OVERRIDDEN = "overridden"

Counts = Mapping[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked about: answers given from `start` up to and without `end` (aware; None: open),
    of one service or of all. Previews while an order is composed are never counted."""

    start: datetime | None = None
    end: datetime | None = None
    service: str | None = None


def span_of(first: date | None, last: date | None, *, service: str | None, zone: tzinfo) -> Span:
    """Return the moments of days at the site, both included."""
    begin = _midnight(first, zone) if first else None
    before = _midnight(_sane(last) + timedelta(days=1), zone) if last else None
    return Span(begin, before, service)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(_sane(day), time(), zone)


def _sane(day: date) -> date:
    """Return a day with room before and after it: no answer lies beyond."""
    return min(max(day, EARLIEST), LATEST)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long answers took, in milliseconds, from the whole call to the answer ready to go."""

    answers: int
    median: float
    p95: float
    longest: float


@dataclass(frozen=True, slots=True)
class Insight:
    """Counts by key: `answers` (service), `determinations` (policy, determination), `missing`
    (item), `flags` (finding, urgency, effect), `feedback` (outcome), `overrides` (kind of card,
    code system, code). A policy is empty where none applied."""

    orders: int
    answers: Counts
    determinations: Counts
    missing: Counts
    flags: Counts
    feedback: Counts
    overrides: Counts
    latency: Latency | None


NOTHING = Insight(0, {}, {}, {}, {}, {}, {}, None)


def insight(connection: Connection, span: Span) -> Insight:
    """Return the counts of a span."""
    return Insight(
        orders=connection.execute(_given(func.sum(GUIDANCE.c.ordered), span=span)).scalar() or 0,
        answers=_answers(connection, span),
        determinations=_results(connection, span),
        missing=_noted(connection, span, MISSING, NOTED.c.name),
        flags=_noted(connection, span, SAFETY, NOTED.c.name, NOTED.c.urgency, NOTED.c.effect),
        feedback=_feedback(connection, span),
        overrides=_overrides(connection, span),
        latency=_latency(connection, span),
    )


def _counts(connection: Connection, query: Select[Any]) -> Counts:
    """Return the last column of each row by the others, largest first."""
    found = {tuple(str(v) for v in row[:-1]): int(row[-1]) for row in connection.execute(query)}
    return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))


def _within(moment: ColumnElement[Any], span: Span) -> list[ColumnElement[bool]]:
    after = [moment >= span.start] if span.start else []
    return after + ([moment < span.end] if span.end else [])


def _asked(span: Span) -> ColumnElement[bool]:
    of = [GUIDANCE.c.service == span.service] if span.service else []
    reviews = (GUIDANCE.c.hook != PREVIEW, GUIDANCE.c.ordered > 0)
    return and_(*reviews, *of, *_within(GUIDANCE.c.given, span))


def _given(*columns: ColumnElement[Any], span: Span) -> Select[Any]:
    return select(*columns).select_from(GUIDANCE).where(_asked(span))


def _answers(connection: Connection, span: Span) -> Counts:
    query = _given(GUIDANCE.c.service, func.count(), span=span)
    return _counts(connection, query.group_by(GUIDANCE.c.service))


def _results(connection: Connection, span: Span) -> Counts:
    by = (RESULT.c.policy, RESULT.c.determination)
    query = (
        select(*by, func.count())
        .join(GUIDANCE, GUIDANCE.c.id == RESULT.c.guidance)
        .where(_asked(span))
        .group_by(*by)
    )
    return _counts(connection, query)


def _noted(connection: Connection, span: Span, kind: str, *by: ColumnElement[Any]) -> Counts:
    """Count each once an answer, however many coverages brought it up."""
    query = (
        select(*by, func.count(NOTED.c.guidance.distinct()))
        .join(GUIDANCE, GUIDANCE.c.id == NOTED.c.guidance)
        .where(NOTED.c.kind == kind, _asked(span))
        .group_by(*by)
    )
    return _counts(connection, query)


def _feedback(connection: Connection, span: Span) -> Counts:
    query = _reported(select(FEEDBACK.c.outcome, func.count()), span)
    return _counts(connection, query.group_by(FEEDBACK.c.outcome))


def _reported(query: Select[Any], span: Span) -> Select[Any]:
    of = [FEEDBACK.c.service == span.service] if span.service else []
    return query.where(*of, *_within(FEEDBACK.c.received, span))


def _overrides(connection: Connection, span: Span) -> Counts:
    """Count overrides by the kind of card; of a card under two patients the kind is one."""
    kinds = select(CARD.c.client, CARD.c.uuid, func.max(CARD.c.kind).label("kind"))
    card = kinds.group_by(CARD.c.client, CARD.c.uuid).subquery()
    kind = func.coalesce(card.c.kind, "")
    by = (kind, FEEDBACK.c.system, FEEDBACK.c.code)
    same = and_(card.c.client == FEEDBACK.c.client, card.c.uuid == FEEDBACK.c.card)
    joined = FEEDBACK.outerjoin(card, same)
    query = select(*by, func.count()).select_from(joined).where(FEEDBACK.c.outcome == OVERRIDDEN)
    return _counts(connection, _reported(query, span).group_by(*by))


def _latency(connection: Connection, span: Span) -> Latency | None:
    """Neither database need know percentiles: the row at that place of the sorted ones will do."""
    timed = _given(GUIDANCE.c.took, span=span).where(GUIDANCE.c.took.is_not(None))
    count = connection.execute(select(func.count()).select_from(timed.subquery())).scalar_one()
    if not count:
        return None
    ranked = timed.order_by(GUIDANCE.c.took).limit(1)

    def at(share: float) -> float:
        place = round((count - 1) * share)
        return float(connection.execute(ranked.offset(place)).scalar_one())

    return Latency(count, at(0.5), at(0.95), at(1))
