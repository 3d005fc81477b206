"""The bounded pool, and what token scopes let us read."""

from __future__ import annotations

import threading

import pytest

from cds_service.record.pool import FetchPool
from cds_service.record.scopes import may_read, reads_in_part


def test_jobs_run_and_their_errors_come_back():
    pool = FetchPool(workers=2, waiting=2)
    good, bad = pool.submit(lambda: 7), pool.submit(lambda: 1 / 0)
    assert good is not None
    assert bad is not None
    assert good.result(2) == 7
    assert isinstance(bad.exception(2), ZeroDivisionError)
    pool.close()


def test_a_full_pool_says_so_at_once_and_recovers():
    gate = threading.Event()
    pool = FetchPool(workers=1, waiting=1)
    running, queued = pool.submit(gate.wait), pool.submit(lambda: 1)
    assert running is not None
    assert queued is not None
    assert pool.submit(lambda: 2) is None
    queued.cancel()
    assert pool.submit(lambda: 3) is None  # a cancelled job keeps its place until its turn
    gate.set()
    running.result(2)
    pool.close()
    for thread in pool._threads:
        thread.join(2)
    assert pool.submit(lambda: 4) is not None


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (None, True),
        ("launch openid fhirUser", True),
        ("patient/*.read", True),
        ("launch user/Condition.rs patient/Goal.read", True),
        ("patient/Condition.cruds?category=x", True),
        ("patient/*.*", True),
        ("patient/Goal.read", False),
        ("patient/Condition.write", False),
        ("patient/Condition.cu", False),
    ],
)
def test_scopes(scope: str | None, allowed: bool):
    assert may_read(scope, "Condition") is allowed


BY_CATEGORY = (
    "patient/Condition.rs?category=http://terminology.hl7.org/CodeSystem/condition-category"
)
SPREAD = ("problem-list-item", "encounter-diagnosis")


@pytest.mark.parametrize(
    ("scope", "part"),
    [
        (None, False),
        ("launch openid", False),
        ("patient/*.read", False),
        ("patient/Condition.rs", False),
        (f"{BY_CATEGORY}|problem-list-item", True),
        (f"{BY_CATEGORY}|problem-list-item patient/Condition.rs", False),
        (f"{BY_CATEGORY}|problem-list-item user/*.read", False),
        (f"{BY_CATEGORY}|problem-list-item patient/Goal.rs", True),
        (f"{BY_CATEGORY}|problem-list-item patient/Condition.cu", True),
        (f"{BY_CATEGORY}|problem-list-item {BY_CATEGORY}|encounter-diagnosis", False),
        (f"{BY_CATEGORY}|problem-list-item,encounter-diagnosis", False),
        ("user/Condition.rs?category=problem-list-item,encounter-diagnosis", False),
        (f"{BY_CATEGORY}|problem-list-item&clinical-status=active", True),
        ("patient/Condition.rs?clinical-status=active", True),
        ("patient/*.rs?_security=N", True),
        ("patient/Condition.rs?", False),
    ],
)
def test_scopes_limited_to_a_part(scope: str | None, part: bool):
    assert reads_in_part(scope, "Condition", SPREAD) is part


def test_a_limit_on_what_is_not_spread_over_categories_leaves_a_part():
    assert reads_in_part("patient/Goal.rs?category=dietary", "Goal")
    assert not reads_in_part("patient/Goal.rs?category=dietary", "Condition")


def test_no_more_callers_wait_than_there_are_turns():
    pool = FetchPool(callers=2)
    with pool.turn() as first, pool.turn() as second, pool.turn() as third:
        assert (first, second, third) == (True, True, False)
    with pool.turn() as again:
        assert again
