"""One bounded thread pool for all fetches of the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import Context, copy_context
from queue import SimpleQueue
from threading import Lock, Semaphore, Thread
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple["Future[Any]", Context, Callable[[], Any]]


class FetchPool:
    """`workers` threads, and at most `waiting` jobs more in line, for at most `callers` at a time.

    Threads start with the first job, so that a server that forks its workers after loading the
    application gives each its own. `ThreadPoolExecutor` has no bound on its queue.
    """

    def __init__(self, workers: int = 16, waiting: int = 64, callers: int = 64) -> None:
        self.workers = workers
        self._turns = Semaphore(callers)
        self._places = Semaphore(workers + waiting)
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._starting = Lock()

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Tell whether the caller may wait for jobs now; False at once when too many do.

        A caller waits in a thread that answers calls: were all of them to wait for a server that
        hangs, those that need nothing of it would wait too.
        """
        mine = self._turns.acquire(blocking=False)
        try:
            yield mine
        finally:
            if mine:
                self._turns.release()

    def submit(self, job: Callable[[], T]) -> Future[T] | None:
        """Queue a job; None at once when there is no place left.

        It runs in a copy of the caller's context, so that its log records name the caller's call.
        """
        if not self._places.acquire(blocking=False):
            return None
        if not self._threads:
            self._start()
        future: Future[T] = Future()
        self._jobs.put((future, copy_context(), job))
        return future

    def close(self) -> None:
        """Let the threads end when the queued jobs are done."""
        for _ in self._threads:
            self._jobs.put(None)

    def _start(self) -> None:
        with self._starting:
            if self._threads:
                return
            threads = [Thread(target=self._work, daemon=True) for _ in range(self.workers)]
            for thread in threads:
                thread.start()
            self._threads = threads

    def _work(self) -> None:
        while queued := self._jobs.get():
            try:
                _run(*queued)
            finally:
                # It holds what was read of a patient, and the next may be long in coming.
                queued = None
                self._places.release()


def _run(future: Future[Any], context: Context, job: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(context.run(job))
    except BaseException as error:
        future.set_exception(error)
