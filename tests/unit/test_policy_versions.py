"""Two versions of a policy stand side by side; the order's date chooses."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from cds_service.policies.routing import load_table
from cds_service.record.reader import record_of_bundle
from cds_service.review import Case, Rules, review
from cds_service.terminology import Terminology
from fhir_fixtures.stories import build
from tests.unit.engine_parts import library, small

OLD = small(
    **{
        "policy": "kpwa-massage",
        "version": "2024",
        "effective": {"start": "2024-01-01", "end": "2025-12-31"},
        "parameters/twelve/value": 6,
    }
)
NEW = small(
    **{
        "policy": "kpwa-massage",
        "version": "2026",
        "effective": {"start": "2026-01-01", "end": None},
    }
)
UNROUTED = small(**{"policy": "unrouted", "safety": None, "overlay/covered-by": None})
for name in ("X", "X-1", "X-2"):
    UNROUTED["criteria"][f"U{name}"] = UNROUTED["criteria"].pop(name)
UNROUTED |= {"root": "UX"}
UNROUTED["criteria"]["UX"]["all"] = ["UX-1", "UX-2"]

STORY = {
    "patient": {"age": 50, "sex": "female"},
    "coverage": ["KFHPWA-CORE"],
    "orders": [{"code": 97124, "visits": 8, "reason": "G89.29"}],
    "conditions": [{"code": "G89.29 Chronic pain", "since": -400}],
}


@pytest.fixture(scope="module")
def policies():
    return library(OLD, NEW, UNROUTED)


def evaluated(policies, day):
    """Review the same order, signed on another day."""
    zone = ZoneInfo("America/New_York")
    rules = Rules(policies, load_table(), Terminology.load(), zone)
    context = (built := build("story", STORY, day)).request["context"]
    orders = [entry["resource"] for entry in context["draftOrders"]["entry"]]
    record = record_of_bundle(context["patientId"], built.record)
    (found,) = review(Case(orders, record, day), rules)
    return found


@pytest.mark.parametrize(
    ("day", "version"),
    [
        (date(2024, 1, 1), "2024"),
        (date(2025, 12, 31), "2024"),
        (date(2026, 1, 1), "2026"),
        (date(2031, 5, 5), "2026"),
    ],
)
def test_the_day_of_the_order_chooses(policies, day, version):
    assert policies.policy("kpwa-massage", day).head.version == version


@pytest.mark.parametrize(
    ("day", "version", "determination", "approvable"),
    [
        (date(2025, 12, 31), "2024", "conditional", 6),
        (date(2026, 1, 1), "2026", "covered", None),
    ],
)
def test_the_version_of_the_day_decides(policies, day, version, determination, approvable):
    found = evaluated(policies, day)
    assert found.policy.version == version
    assert found.determination == determination
    assert (found.approvable_now.value if found.approvable_now else None) == approvable


def test_nothing_is_decided_by_no_policy_at_all(policies):
    assert policies.policy("nobody", date(2026, 1, 1)) is None


def test_the_digest_tells_versions_apart(policies):
    days = (date(2025, 12, 31), date(2026, 1, 1))
    old, new = (evaluated(policies, day) for day in days)
    assert old.digest != new.digest
