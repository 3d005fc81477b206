"""Fetches side by side: what one brings may call for others, which wait for nothing else."""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from queue import Empty, SimpleQueue
from time import perf_counter_ns

from cds_service.record.client import Reading
from cds_service.record.pool import FetchPool
from cds_service.record.watch import Watch

log = logging.getLogger(__name__)

DEEPEST = 3
"""How many fetches may follow upon one another: a server could answer so that none is the last."""


@dataclass(frozen=True)
class Job:
    """A fetch for the pool, and what to do with what it brought, back in the calling thread.

    `key` is the query key that it answers, "references" for single resources. What jobs of a `kind`
    bring is taken in the order in which they were started, whichever answer comes first, so that a
    record has the same order each time it is read.
    """

    key: str
    kind: str
    work: Callable[[], Reading]
    done: Callable[[Reading], None]


@dataclass(eq=False)
class _Flight:
    """A job under way: how many it followed upon, and what it brought."""

    job: Job
    depth: int
    future: Future[None] | None = None
    reading: Reading | None = None
    began: int = field(default_factory=perf_counter_ns)
    spent: int = 0

    def fly(self) -> None:
        """Do the job, in a thread of the pool."""
        self.began = perf_counter_ns()
        try:
            self.end(self.job.work())
        except Exception as error:
            log.error("a fetch failed unexpectedly: %s", type(error).__name__)
            self.end(Reading(reason="connection"))

    def end(self, reading: Reading) -> None:
        """Note what it brought, unless it was given up."""
        if self.reading is None:
            self.spent = perf_counter_ns() - self.began
            self.reading = reading


@dataclass
class Fetching:
    """The fetches of one call. `left` gives the seconds until its deadline."""

    pool: FetchPool
    watch: Watch
    left: Callable[[], float]
    may_wait: bool
    _landed: SimpleQueue[_Flight] = field(default_factory=SimpleQueue)
    _flying: dict[str, deque[_Flight]] = field(default_factory=lambda: defaultdict(deque))

    def run(self, jobs: Iterable[Job], following: Callable[[], Iterable[Job]]) -> None:
        """Do jobs, and those that `following` finds they call for, until the deadline.

        Every job is done, at the latest with a reading that says why there is none.
        """
        self._start(jobs, 1)
        while any(self._flying.values()):
            depths = [depth for kind in self._await() for depth in self._taken(kind)]
            if depths and min(depths) < DEEPEST:
                self._start(following(), min(depths) + 1)

    def _start(self, jobs: Iterable[Job], depth: int) -> None:
        for job in jobs:
            flight = _Flight(job, depth)
            self._flying[job.kind].append(flight)
            if self.left() <= 0:
                self._turn_away(flight, "timeout")
            elif self.may_wait and (future := self.pool.submit(flight.fly)):
                flight.future = future
                future.add_done_callback(partial(self._land, flight))
            else:
                self._turn_away(flight, "busy")

    def _land(self, flight: _Flight, _: Future[None]) -> None:
        self._landed.put(flight)

    def _turn_away(self, flight: _Flight, reason: str) -> None:
        flight.end(Reading(reason=reason))
        self._landed.put(flight)

    def _await(self) -> Sequence[str]:
        """Wait until a fetch has ended, and return its kind.

        At the deadline, give up those that have not, and return all kinds.
        """
        try:
            return [self._landed.get(timeout=max(0.0, self.left())).job.kind]
        except Empty:
            for flight in chain.from_iterable(self._flying.values()):
                flight.end(Reading(reason="timeout"))
                if flight.future:
                    flight.future.cancel()
            return list(self._flying)

    def _taken(self, kind: str) -> Iterator[int]:
        """Take what has come of a kind, as it was asked for in turn; yield the depths."""
        flights = self._flying[kind]
        while flights and (reading := flights[0].reading) is not None:
            flight = flights.popleft()
            flight.future = None  # which holds us in turn: a circle that only collection would free
            self.watch.fetched(flight.job.key, reading.reason, flight.spent)
            flight.job.done(reading)
            yield flight.depth
