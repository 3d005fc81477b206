"""The page on which an owner sees what many answers came to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from flask import Blueprint, Response, render_template, request

from cds_service.web.headers import protect

DEFAULT_DAYS = 30
SPANS = (7, 30, 90)
BAD_DATE = "Write a date as year-month-day, for example 2026-03-16."
TURNED = "The first day lies after the last."


class Table(Protocol):
    """A table to show: rows of labels with what was counted last."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def columns(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def rows(self) -> Sequence[Sequence[str]]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Days:
    """What is asked about: days at the site, both included, None open; one service or all."""

    first: date | None = None
    last: date | None = None
    service: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to show; `services` can be asked about, `least` is the smallest count told."""

    orders: str
    answers: int
    services: Sequence[str]
    tables: Sequence[Table]
    least: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where the numbers are from: what tells them, as a page and as CSV, and the site's today."""

    told: Callable[[Days], Told | None]
    csv: Callable[[Days], str | None]
    today: Callable[[], date]


def insight_blueprint(source: Source) -> Blueprint:
    """Return the page and its download."""
    pages = Blueprint("insight", __name__, url_prefix="/insight", template_folder="templates")
    pages.after_request(protect)

    @pages.get("")
    def page() -> tuple[str, int]:
        days = asked(source.today())
        told = None if days.problem else source.told(days)
        status = 400 if days.problem else 200 if told else 503
        spans = [(count, _first(source.today(), count)) for count in SPANS]
        return render_template("insight.html", days=days, told=told, spans=spans), status

    @pages.get("/insight.csv")
    def download() -> Response:
        days = asked(source.today())
        text = None if days.problem else source.csv(days)
        if text is None:
            words = days.problem or "The store cannot be read now."
            return Response(f"{words}\n", 400 if days.problem else 503, mimetype="text/plain")
        name = f"attachment; filename=insight-{source.today()}.csv"
        return Response(text, mimetype="text/csv", headers={"Content-Disposition": name})

    return pages


def asked(today: date) -> Days:
    """Return what the query names; the last days where it names no day at all."""
    named = request.args
    if not {"from", "to", "service"} & named.keys():
        return Days(_first(today, DEFAULT_DAYS), today)
    try:
        first, last = (_day(named.get(name, "")) for name in ("from", "to"))
    except ValueError:
        return Days(problem=BAD_DATE)
    turned = first and last and first > last
    return Days(first, last, named.get("service") or None, TURNED if turned else None)


def _first(today: date, count: int) -> date:
    return today - timedelta(days=count - 1)


def _day(text: str) -> date | None:
    return date.fromisoformat(text.strip()) if text.strip() else None
