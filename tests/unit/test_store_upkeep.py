"""The store looks after itself: its retention, and who has looked at it."""

import logging
from datetime import timedelta

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.guidance import setup_of as setup_of_settings
from cds_service.settings import load_settings
from cds_service.store.insight import Span
from cds_service.store.model import DownError
from cds_service.store.tables import ACCESS, GUIDANCE
from tests.unit.store_help import LATER, NOON, RECEIVED, count, guidance, opened, rows

DAYS = 400


@pytest.fixture
def two(tmp_path):
    """Two workers on one database."""
    with opened(tmp_path, retention=DAYS) as one, opened(tmp_path, retention=DAYS) as other:
        yield one, other


def old_and_young(store):
    store.record(guidance(1, given=RECEIVED - timedelta(days=DAYS, seconds=1)))
    store.record(guidance(2, given=RECEIVED - timedelta(days=DAYS - 1)))
    store.flush()


class TestRetention:
    def test_is_kept_without_the_command(self, two):
        one, _ = two
        old_and_young(one)
        assert one._pruner.prune()
        assert [row.id for row in rows(one, GUIDANCE)] == [guidance(2).id]
        (note,) = rows(one, ACCESS)
        assert note.action == "prune"
        assert note.actor.startswith("worker ")
        assert "'guidance': 1" in note.detail

    def test_is_one_workers_work_a_day(self, two):
        one, other = two
        old_and_young(one)
        assert [one._pruner.prune(), other._pruner.prune(), one._pruner.prune()] == [
            True,
            False,
            False,
        ]
        one._pruner._now = other._pruner._now = lambda: RECEIVED + timedelta(days=1)
        assert [other._pruner.prune(), one._pruner.prune()] == [True, False]

    def test_waits_while_the_database_is_down(self, two):
        one, _ = two
        one._database.up = False
        assert not one._pruner.prune()
        assert rows(one, ACCESS) == []

    def test_begins_by_itself(self, tmp_path, monkeypatch):
        monkeypatch.setattr("cds_service.store.pruning.FIRST", 0.01)
        with opened(tmp_path, retention=DAYS) as store:
            store._pruner._thread.join(timeout=0.01)
            for _ in range(500):
                if rows(store, ACCESS):
                    break
                store._pruner._thread.join(timeout=0.01)
            assert [row.action for row in rows(store, ACCESS)] == ["prune"]
        assert not store._pruner._thread.is_alive()

    def test_survives_a_database_that_fails(self, two, monkeypatch, caplog):
        one, _ = two
        monkeypatch.setattr("cds_service.store.pruning.removed_before", _failing)
        pauses = iter([False, True])
        monkeypatch.setattr(one._pruner._end, "wait", lambda _: next(pauses))
        one._pruner._run()
        assert "the store could not be pruned: DownError" in caplog.text

    def test_is_the_settings(self):
        settings = load_settings({"MASSAGE_CDS_RETENTION": "30"})
        assert setup_of_settings(settings).retention == 30


def test_tokens_that_memory_alone_tells_are_counted(tmp_path):
    with opened(tmp_path) as store:
        assert store.remember("iss", "kept", LATER)
        assert store.counts()["jti_fallbacks"] == 0
        store._database.up = False
        assert store.remember("iss", "unkept", LATER)
        assert not store.remember("iss", "unkept", LATER)
        assert store.counts()["jti_fallbacks"] == 1


def _failing(*_):
    raise DownError("the database cannot be used now")


class TestAccess:
    def test_is_noted_and_logged_with_who_and_what(self, tmp_path, caplog):
        caplog.set_level(logging.INFO, logger="cds_service")
        with opened(tmp_path) as store:
            store.insight(Span(NOON, LATER))
            (note,) = rows(store, ACCESS)
        assert (note.actor, note.action) == ("page of the service", "insight")
        assert note.detail == f"{NOON} to {LATER}"
        (line,) = [one for one in caplog.records if getattr(one, "event", "") == "access"]
        assert line.fields == {
            "actor": note.actor,
            "action": note.action,
            "detail": note.detail,
        }

    def test_is_listed_by_the_command_which_notes_itself(self, tmp_path):
        with opened(tmp_path) as store:
            store.record(guidance())
            store.flush()
            listed = [_run(tmp_path, *words) for words in (["status"], ["access"], ["access"])]
            assert listed[1].splitlines()[0].split()[-1] == "status"
            assert [line.split()[-1] for line in listed[2].splitlines()] == ["access", "status"]
            assert count(store, ACCESS) == 3


def _run(folder, *words):
    done = CliRunner().invoke(main, ["store", *words], env={"MASSAGE_CDS_STATE": str(folder)})
    assert done.exit_code == 0, done.output
    return done.output
