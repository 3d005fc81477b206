"""Fetches side by side: what calls for what, in which order it is taken, when it ends."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from cds_service.record.client import Reading
from cds_service.record.fetching import DEEPEST, Fetching, Job
from cds_service.record.pool import FetchPool
from cds_service.record.watch import Unwatched

PATIENCE = 5.0


class Trip:
    """Jobs that note the order in which what they brought was taken."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str | None]] = []

    def job(self, name: str, kind: str = "", work: Callable[[], object] = bool) -> Job:
        def done(reading: Reading) -> None:
            self.taken.append((name, reading.reason))

        return Job(name, kind or name, lambda: (work(), Reading())[1], done)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.taken]


@pytest.fixture
def pool() -> Iterator[FetchPool]:
    made = FetchPool(workers=4, waiting=4)
    yield made
    made.close()


def fetching(pool: FetchPool, left: Callable[[], float] = lambda: PATIENCE) -> Fetching:
    return Fetching(pool, Unwatched(), left, may_wait=True)


def nothing() -> Iterable[Job]:
    return ()


def test_what_is_called_for_does_not_wait_for_what_is_slow(pool: FetchPool):
    trip, called_for = Trip(), threading.Event()
    slow = trip.job("slow", work=lambda: called_for.wait(PATIENCE))
    second = [trip.job("second", work=called_for.set)]

    def following() -> Iterable[Job]:
        return [second.pop()] if second and "first" in trip.names else []

    fetching(pool).run([slow, trip.job("first")], following)
    assert trip.names[0] == "first"
    assert dict(trip.taken) == {"first": None, "second": None, "slow": None}
    assert called_for.is_set()


def test_one_kind_is_taken_in_the_order_asked_for(pool: FetchPool):
    trip, later = Trip(), threading.Event()
    early = trip.job("early", "Observation", lambda: later.wait(PATIENCE))
    late = trip.job("late", "Observation", later.set)
    fetching(pool).run([early, late, trip.job("other", "Goal")], nothing)
    assert [name for name in trip.names if name != "other"] == ["early", "late"]


def test_an_endless_chain_has_an_end(pool: FetchPool):
    trip = Trip()
    fetching(pool).run([trip.job("1")], lambda: [trip.job(str(len(trip.taken) + 1))])
    assert trip.names == [str(place) for place in range(1, DEEPEST + 1)]


def test_at_the_deadline_all_are_given_up(pool: FetchPool):
    trip, gate = Trip(), threading.Event()
    ends = iter([1.0, 0.05, 0.0])
    follow = [trip.job("asked too late")]

    def following() -> Iterable[Job]:
        return [follow.pop()] if follow else []

    hanging = trip.job("hanging", work=lambda: gate.wait(PATIENCE))
    fetching(pool, lambda: next(ends, 0.0)).run([hanging], following)
    gate.set()
    assert trip.taken == [("hanging", "timeout"), ("asked too late", "timeout")]


def test_without_a_place_a_job_is_turned_away(pool: FetchPool):
    trip, gate = Trip(), threading.Event()
    for _ in range(8):
        assert pool.submit(lambda: gate.wait(PATIENCE))
    fetching(pool).run([trip.job("one"), trip.job("two")], nothing)
    gate.set()
    assert trip.taken == [("one", "busy"), ("two", "busy")]


def test_who_may_not_wait_is_turned_away(pool: FetchPool):
    trip = Trip()
    Fetching(pool, Unwatched(), lambda: PATIENCE, may_wait=False).run([trip.job("one")], nothing)
    assert trip.taken == [("one", "busy")]


def test_a_fetch_that_fails_unforeseen_is_told_without_its_words(
    pool: FetchPool, caplog: pytest.LogCaptureFixture
):
    def fail() -> None:
        raise LookupError("patient-77")

    trip = Trip()
    fetching(pool).run([trip.job("one", work=fail)], nothing)
    assert trip.taken == [("one", "connection")]
    assert "LookupError" in caplog.text
    assert "patient-77" not in caplog.text


class Held(list[Any]):
    """Entries that can be watched."""


def held(brought: Iterable[weakref.ref[object]]) -> bool:
    return any(one() is not None for one in brought)


def test_nothing_is_left_to_the_garbage_collector(pool: FetchPool):
    brought: list[weakref.ref[object]] = []
    started = threading.Event()

    def work() -> Reading:
        started.wait(PATIENCE)
        return Reading(Held())

    def further() -> Reading:
        started.set()
        return Reading(Held())

    def done(reading: Reading) -> None:
        brought.append(weakref.ref(reading.entries))

    gc.disable()
    try:
        jobs = [Job("one", name, work, done) for name in "abc"]
        fetching(pool).run([*jobs, Job("one", "d", further, done)], nothing)
        ends = time.monotonic() + PATIENCE
        while held(brought) and time.monotonic() < ends:
            time.sleep(0.001)  # a thread of the pool lets go of its last job a moment later
        assert len(brought) == 4
        assert not held(brought)
    finally:
        gc.enable()
