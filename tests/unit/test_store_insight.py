"""Counts over what is kept, alike on SQLite and on PostgreSQL."""

import zlib
from datetime import timedelta

import orjson
from alembic import command
from sqlalchemy import text

from cds_service.store import ResultGiven
from cds_service.store.database import Database
from cds_service.store.insight import Latency, Span, insight
from cds_service.store.schema import _config, migrate
from cds_service.store.spool import Record
from cds_service.store.tables import NOTED, RESULT
from cds_service.store.upkeep import prune
from cds_service.store.writing import guidance_documents, guidance_fields, write
from tests.unit.store_help import HL7, LATER, NOON, OURS, guidance, override, rows

SERVICE = "massage-order-review"
CCA, EV = "cca-mng-084", "evicore-massage-2017"
CLOT = ("CCA-S3a", "ED-now", "stop")


def came_to(policy=CCA, determination="covered", missing=(), safety=()):
    return ResultGiven(policy, determination, tuple(missing), tuple(safety))


def test_nothing_kept_is_nothing_counted(store):
    found = store.insight(Span())
    assert (found.orders, found.answers, found.latency) == (0, {}, None)
    assert (found.determinations, found.missing, found.flags, found.overrides) == ({}, {}, {}, {})


def test_answers_are_counted_by_what_they_came_to(store):
    needed = came_to(determination="conditional", missing=("CCA-D2", "CCA-D1b"))
    store.record(guidance(1, orders=("a", "b"), results=(needed, came_to(EV))))
    store.record(guidance(2, results=(came_to(determination="conditional", missing=("CCA-D2",)),)))
    store.record(guidance(3, results=(came_to(determination="not-covered", safety=(CLOT,)),)))
    found = store.insight(Span())
    assert (found.orders, found.answers) == (4, {(SERVICE,): 3})
    assert found.determinations == {
        (CCA, "conditional"): 2,
        (CCA, "not-covered"): 1,
        (EV, "covered"): 1,
    }
    assert list(found.missing.items()) == [(("CCA-D2",), 2), (("CCA-D1b",), 1)]
    assert found.flags == {CLOT: 1}


def test_two_coverages_of_one_answer_name_an_item_once(store):
    needed = came_to(determination="conditional", missing=("CCA-D2",))
    store.record(guidance(results=(needed, needed)))
    assert store.insight(Span()).missing == {("CCA-D2",): 1}


def test_previews_and_refused_calls_are_no_reviews(store):
    store.record(guidance(1, hook="order-select", results=(came_to(),)))
    store.record(guidance(2, orders=(), results=()))
    found = store.insight(Span())
    assert (found.orders, found.answers, found.determinations) == (0, {}, {})


def test_span_and_service_narrow_what_is_counted(store):
    for number in range(3):
        given = NOON + timedelta(days=number)
        store.record(guidance(number, given=given, results=(came_to(),)))
    store.record(guidance(9, service="order-sign-crd", results=(came_to(),)))
    day = Span(NOON + timedelta(days=1), NOON + timedelta(days=2))
    assert store.insight(day).answers == {(SERVICE,): 1}
    assert store.insight(Span(service="order-sign-crd")).orders == 1
    assert store.insight(Span(end=NOON)).answers == {}


def test_latency_is_that_of_the_answers_at_their_places(store):
    for number in range(20):
        store.record(guidance(number, took=float(number + 1), results=(came_to(),)))
    store.record(guidance(99, results=(came_to(),)))
    assert store.insight(Span()).latency == Latency(20, 11.0, 19.0, 20.0)


def test_feedback_is_counted_by_outcome_and_overrides_by_reason(store):
    store.record(guidance(1, results=(came_to(),)))
    store.record(guidance(2, patient="p2", results=(came_to(),)))
    store.record(guidance(1, patient="p3", id="f" * 32, results=(came_to(),)))
    entries = [
        override(1, comment="Ann says no"),
        override(2),
        override(3, system=HL7, code="patient-refuses"),
    ]
    store.feedback(SERVICE, "open", entries)
    found = store.insight(Span())
    assert found.feedback == {("overridden",): 3}
    assert found.overrides == {
        ("safety", OURS, "evaluated-not-present"): 2,
        ("", HL7, "patient-refuses"): 1,
    }
    assert "Ann" not in repr(found)
    assert store.insight(Span(end=NOON)).feedback == {}


def test_pruned_answers_are_counted_no_more(store):
    store.record(guidance(results=(came_to(missing=("CCA-D2",)),)))
    store.flush()
    prune(store._database, LATER)
    assert (rows(store, RESULT), rows(store, NOTED)) == ([], [])


def test_record_of_an_older_spool_is_kept_without_results(store):
    store.record(guidance(results=(came_to(),)))
    store.flush()
    store._database.run(lambda connection: write(connection, [older_record()]))
    assert len(rows(store, RESULT)) == 1


def older_record():
    old = guidance(7)
    fields = guidance_fields(old, "key", "worker")
    for name in ("ordered", "took", "results"):
        del fields[name]
    documents = guidance_documents(old)
    return Record(orjson.loads(orjson.dumps(fields)), documents, 0)


def test_answers_kept_before_are_counted_after_the_migration(database_url):
    database = Database(database_url)
    with database.engine.begin() as connection:
        command.upgrade(_config(connection), "0001")
        connection.execute(text(OLD), old_row())
    migrate(database.engine)
    found = database.run(lambda connection: insight(connection, Span()))
    assert (found.orders, found.determinations) == (
        2,
        {(CCA, "conditional"): 1, ("", "covered"): 1},
    )
    assert (found.missing, found.flags) == ({("CCA-D2",): 1}, {CLOT: 1})
    database.close()


OLD = (
    "INSERT INTO guidance (id, given, client, service, hook, hook_instance, patient, orders, "
    "policies, determinations, digest, evaluations, response, worker) VALUES ('1', :given, 'open', "
    "'massage-order-review', 'order-sign', 'i', 'p', '[\"a\", \"b\"]', '[]', '[]', 'd', "
    ":evaluations, :response, 'w')"
)


def old_row():
    flag = {"id": CLOT[0], "urgency": CLOT[1], "effect": CLOT[2]}
    items = [{"id": "CCA-D2", "blocking": True}, {"id": "CCA-D9", "blocking": False}]
    first = {"policy": CCA, "determination": "conditional", "missing": items, "safety": [flag]}
    second = {"policy": None, "determination": "covered", "missing": [], "safety": []}
    packed = zlib.compress(orjson.dumps([first, second]))
    return {"given": NOON.isoformat(" "), "evaluations": packed, "response": zlib.compress(b"{}")}
