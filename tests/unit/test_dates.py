"""Days: partial dates are intervals, dateTimes count on the day of their own offset (G-09)."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from cds_service.evidence.answer import Status
from cds_service.evidence.dates import Days, parse_days, unset

ZONE = ZoneInfo("America/New_York")
ORDER = date(2026, 3, 16)


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2026-03-16", date(2026, 3, 16), date(2026, 3, 16)),
        ("2026-03", date(2026, 3, 1), date(2026, 3, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
        ("2026-03-16T23:30:00-08:00", date(2026, 3, 16), date(2026, 3, 16)),
        ("2026-03-16T03:30:00Z", date(2026, 3, 15), date(2026, 3, 15)),
        ("2026-03-16T05:30:00Z", date(2026, 3, 16), date(2026, 3, 16)),
    ],
)
def test_a_date_is_the_days_it_can_mean(written, first, last):
    assert parse_days(written, ZONE) == Days(first, last)


@pytest.mark.parametrize(
    "zero",
    ["0001-01-01", "0001", "0207-03", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"],
)
def test_a_date_that_was_never_set_reads_as_none(zero):
    assert unset(zero)
    assert parse_days(zero, ZONE) is None


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Guam"])
def test_the_last_moment_of_all_is_a_day(zone):
    found = parse_days("9999-12-31T23:59:59Z", ZoneInfo(zone))
    assert found == Days(date(9999, 12, 31), date(9999, 12, 31))
    assert not unset("9999-12-31T23:59:59Z")


@pytest.mark.parametrize("odd", [None, "", "soon", "2026-13", "2026-02-30", "16.03.2026", 20260316])
def test_what_is_no_date_reads_as_none(odd):
    assert parse_days(odd, ZONE) is None


@pytest.mark.parametrize(
    ("written", "days", "expected"),
    [
        ("2026-02-14", 30, Status.MET),
        ("2026-02-13", 30, Status.NOT_MET),
        ("2026-03-17", 30, Status.NOT_MET),
        ("2026-03-16", 0, Status.MET),
        ("2026-02", 30, Status.UNKNOWN),
        ("2026", 30, Status.UNKNOWN),
        ("2025", 30, Status.NOT_MET),
        ("2026-02", 60, Status.MET),
    ],
)
def test_within(written, days, expected):
    found = parse_days(written, ZONE)
    assert found
    assert found.within(ORDER, days) is expected
