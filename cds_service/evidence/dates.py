"""Calendar days: partial dates as intervals, dateTimes on the day of their own offset (G-09)."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from functools import lru_cache

from cds_service.evidence.answer import Status

ZERO = "0"
_PATTERN = re.compile(r"^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T.*)?)?)?$")


@dataclass(frozen=True, slots=True)
class Days:
    """A possibly partial date as the closed interval of days it can mean.

    `exact` tells whether it names one day.
    """

    first: date
    last: date
    exact: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "exact", self.first == self.last)

    def before(self, day: date) -> Status:
        """Whether the date lies before `day`."""
        return _agree(self.first < day, self.last < day)

    def after(self, day: date) -> Status:
        """Whether the date lies after `day`."""
        return _agree(self.first > day, self.last > day)

    def age(self, day: date) -> tuple[int, int]:
        """Return the smallest and largest number of days from this date to `day`."""
        return (day - self.last).days, (day - self.first).days

    def within(self, day: date, days: int) -> Status:
        """Whether the date lies on `day` or at most `days` days before it."""
        low, high = self.age(day)
        if high < 0 or low > days:
            return Status.NOT_MET
        return Status.MET if low >= 0 and high <= days else Status.UNKNOWN


def _agree(one: bool, other: bool) -> Status:
    if one != other:
        return Status.UNKNOWN
    return Status.MET if one else Status.NOT_MET


@lru_cache(maxsize=4096)
def parse_days(text: str | None, zone: tzinfo) -> Days | None:
    """Return the days a FHIR date, dateTime or instant can mean; None when it is none.

    A dateTime counts on the day written in its own offset; `Z` is converted to `zone`. A date that
    was never set is none.
    """
    match = _PATTERN.match(text) if isinstance(text, str) else None
    if not match or unset(text):
        return None
    try:
        if text and text.endswith("Z") and "T" in text:
            day = _local_day(datetime.fromisoformat(text.replace("Z", "+00:00")), zone)
            return Days(day, day)
        year, month, day_of_month = (int(part) if part else None for part in match.groups())
        return _interval(year or 0, month, day_of_month)
    except ValueError:
        return None


def unset(text: str | None) -> bool:
    """Whether a date is the zero that programs write for one that was never set (0001-01-01).

    No year before 1000 is meant.
    """
    return isinstance(text, str) and text.startswith(ZERO)


def _local_day(moment: datetime, zone: tzinfo) -> date:
    """Return the day of a moment in a zone; at the end of all years the day as written."""
    try:
        return moment.astimezone(zone).date()
    except OverflowError:
        return moment.date()


def _interval(year: int, month: int | None, day: int | None) -> Days:
    if month is None:
        return Days(date(year, 1, 1), date(year, 12, 31))
    if day is None:
        return Days(date(year, month, 1), date(year, month, monthrange(year, month)[1]))
    return Days(date(year, month, day), date(year, month, day))
