"""Stores on databases of their own, SQLite always and PostgreSQL where it is installed."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import func, select

from cds_service.hooks.feedback import FeedbackEntry
from cds_service.store import CardGiven, Guidance, Setup
from cds_service.store.opening import open_store
from cds_service.store.tables import GUIDANCE

OURS = "https://massage-cds.example.org/fhir/CodeSystem/override-reasons"
HL7 = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
NOON = datetime(2026, 3, 16, 16, 0, tzinfo=UTC)
RECEIVED = NOON + timedelta(days=30)
LATER = NOON + timedelta(days=800)
SECONDS = 0.2


def setup_of(folder, url=None, **changes):
    given = {"folder": folder, "zone": ZoneInfo("America/New_York"), "url": url}
    return Setup(**(given | {"seconds": SECONDS} | changes))


@contextmanager
def opened(folder, url=None, *, started=True, **changes):
    """A store whose thread does not run: a test moves the spool itself, with flush."""
    store = open_store(setup_of(folder, url, **changes), lambda: RECEIVED)
    store._drainer.start = lambda: None
    try:
        if started:
            store.start()
        yield store
    finally:
        store.close()


def guidance(number=1, *, patient="p1", client="open", findings=("CCA-S3a",), **changes):
    values = {
        "service": "massage-order-review",
        "hook": "order-sign",
        "hook_instance": f"00000000-0000-4000-8000-{number:012d}",
        "client": client,
        "patient": patient,
        "orders": ("ServiceRequest/sr-1",),
        "digest": "0" * 64,
        "evaluations": orjson.dumps([{"determination": "covered", "number": number}]),
        "response": b'{"cards": []}',
        "policies": ("cca-mng-084 2022-05-30",),
        "determinations": ("covered",),
        "cards": (
            CardGiven(f"safety-{number}", "safety", "A guideline", findings),
            CardGiven(f"coverage-{number}", "coverage", "A guideline"),
        ),
        "given": NOON,
        "id": f"{number:032x}",
    }
    return Guidance(**(values | changes))


def override(number=1, *, code="evaluated-not-present", system=OURS, at=NOON, comment=None):
    return FeedbackEntry(f"safety-{number}", "overridden", at, (), system, code, comment)


def rows(store, table):
    return store._database.run(lambda connection: connection.execute(select(table)).all())


def count(store, table=GUIDANCE):
    query = select(func.count()).select_from(table)
    return store._database.run(lambda connection: connection.execute(query).scalar_one())
