"""The store: nothing answered is lost, nothing is kept twice; on SQLite and on PostgreSQL."""

import shutil
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from sqlalchemy import text

from cds_service.hooks.feedback import FeedbackEntry
from cds_service.store import NullStore, StoreError, tokens
from cds_service.store.database import Database
from cds_service.store.model import DownError
from cds_service.store.reasons import UNKNOWN, reason
from cds_service.store.tables import ACCESS, CARD, FEEDBACK, GUIDANCE, JTI
from cds_service.store.upkeep import prune, status
from tests.unit.store_help import (
    HL7,
    LATER,
    NOON,
    OURS,
    RECEIVED,
    count,
    guidance,
    opened,
    override,
    rows,
    setup_of,
)

SERVICE = "massage-order-review"


class TestGuidance:
    def test_is_kept_whole(self, store):
        store.record(guidance(request=b'{"hook": "order-sign"}'))
        assert store.flush()
        (row,) = rows(store, GUIDANCE)
        assert (row.client, row.service, row.given) == ("open", SERVICE, NOON)
        assert orjson.loads(row.orders) == ["ServiceRequest/sr-1"]
        assert orjson.loads(row.policies) == ["cca-mng-084 2022-05-30"]
        assert orjson.loads(row.evaluations) == [{"determination": "covered", "number": 1}]
        assert (row.response, row.request) == (b'{"cards": []}', b'{"hook": "order-sign"}')
        assert {card.uuid: orjson.loads(card.findings) for card in rows(store, CARD)} == {
            "safety-1": ["CCA-S3a"],
            "coverage-1": [],
        }

    def test_names_no_patient(self, store, tmp_path):
        store.record(guidance(patient="somebody"))
        assert all(b"somebody" not in path.read_bytes() for path in tmp_path.rglob("*.spool"))
        store.flush()
        (row,) = rows(store, GUIDANCE)
        assert "somebody" not in repr(row)
        assert len(row.patient) == 64

    def test_moved_twice_is_kept_once(self, store, tmp_path):
        store.record(guidance(1))
        store.record(guidance(2))
        (path,) = tmp_path.glob("spool/*.spool")
        shutil.copy(path, tmp_path / "copy")
        store.flush()
        shutil.copy(tmp_path / "copy", path)
        with opened(tmp_path, str(store._database.url.render_as_string(False))) as heir:
            heir.flush()
            assert heir.counts()["moved"] == 2, "a crash after the commit, before the file went"
        assert count(store) == 2
        assert count(store, CARD) == 4

    def test_of_a_dead_worker_is_taken_over(self, tmp_path, database_url):
        with opened(tmp_path, database_url) as dead:
            dead.record(guidance(1))
            dead._spool.release()
            with opened(tmp_path, database_url) as heir:
                heir.flush()
                assert count(heir) == 1
                assert heir.counts()["adopted"] == 1
        assert list(tmp_path.glob("spool/*")) == []

    def test_of_two_workers_meets_in_one_database(self, tmp_path, database_url):
        with opened(tmp_path, database_url) as one, opened(tmp_path, database_url) as other:
            one.record(guidance(1))
            other.record(guidance(2))
            assert one.flush()
            assert other.flush()
            assert count(one) == 2

    def test_that_the_database_refuses_blocks_no_other(self, store, tmp_path, caplog):
        store.record(guidance(1, hook_instance=None))
        store.record(guidance(2))
        assert store.flush()
        assert [row.id for row in rows(store, GUIDANCE)] == [guidance(2).id]
        assert store.counts()["refused"] == 1
        assert len(list(tmp_path.glob("spool/*.refused"))) == 1
        assert guidance(1).id in caplog.text

    def test_beyond_the_limit_is_told_aloud(self, tmp_path, caplog):
        with opened(tmp_path, spool_limit=10) as store:
            store.record(guidance())
            assert store.counts()["lost"] == 1
            assert store.health() == "losing"
            assert "NOT BEING KEPT" in caplog.text

    def test_survives_closing(self, tmp_path, database_url):
        with opened(tmp_path, database_url) as store:
            store.record(guidance())
        with opened(tmp_path, database_url) as again:
            assert count(again) == 1


def accepted(card="coverage-1", *suggestions):
    return FeedbackEntry(card, "accepted", NOON, suggestions or ("s1",))


class TestFeedback:
    def test_is_kept_once(self, store):
        store.record(guidance())
        store.feedback(SERVICE, "open", [override(), accepted(), override()])
        store.feedback(SERVICE, "open", [accepted()])
        assert count(store, FEEDBACK) == 2

    def test_of_other_content_is_another_row(self, store):
        entries = [
            override(),
            override(2),
            override(at=NOON + timedelta(seconds=1)),
            override(code="clinical-judgement"),
            override(system=HL7),
            accepted(),
            accepted("coverage-1", "s1", "s2"),
        ]
        store.feedback(SERVICE, "open", entries)
        store.feedback(SERVICE, "other", entries[:1])
        assert count(store, FEEDBACK) == 8

    def test_on_an_unknown_card_is_kept_as_unknown(self, store):
        store.record(guidance())
        store.feedback(SERVICE, "open", [override(99), override(1)])
        assert count(store, FEEDBACK) == 2
        assert status(store._database)["feedback on unknown cards"] == 1

    def test_is_kept_with_reason_and_comment(self, store):
        entry = override(code="cds-not-applicable", system=HL7, comment="seen yesterday")
        store.feedback(SERVICE, "open", [entry])
        (row,) = rows(store, FEEDBACK)
        assert (row.system, row.code, row.meaning) == (HL7, entry.code, "clinical-judgement")
        assert (row.comment, row.at, row.outcome) == ("seen yesterday", NOON, "overridden")


@pytest.mark.parametrize(
    ("system", "code", "meaning"),
    [
        (OURS, "will-submit-letter", "will-submit-letter"),
        (HL7, "action-completed", "documented-elsewhere"),
        (HL7, "patient-refuses", None),
        ("https://elsewhere.example.org", "evaluated-not-present", None),
    ],
)
def test_reasons_are_understood(system, code, meaning):
    assert reason(system, code).meaning == meaning
    assert not reason(system, code).acknowledges


def test_one_code_acknowledges():
    assert reason(OURS, "evaluated-not-present").acknowledges
    assert reason(OURS, "anything") is UNKNOWN


class TestAcknowledgement:
    def test_names_the_findings_of_the_card_and_the_day_at_the_site(self, store):
        store.record(guidance(findings=("CCA-S3a", "OV-2")))
        night = datetime(2026, 3, 17, 2, 0, tzinfo=UTC)
        store.feedback(SERVICE, "open", [override(at=night)])
        day = date(2026, 3, 16)
        assert store.acknowledgements("open", "p1") == {"CCA-S3a": day, "OV-2": day}

    def test_is_of_that_patient_and_client_alone(self, store):
        for number, (client, patient) in enumerate([("open", "p1"), ("open", "p2"), ("b", "p1")]):
            store.record(guidance(number, client=client, patient=patient))
        store.feedback(SERVICE, "open", [override(0)])
        assert store.acknowledgements("open", "p1")
        assert not store.acknowledgements("open", "p2")
        assert not store.acknowledgements("b", "p1")

    def test_is_not_made_by_another_client(self, store):
        store.record(guidance())
        store.feedback(SERVICE, "other", [override()])
        assert not store.acknowledgements("open", "p1")

    @pytest.mark.parametrize(
        "entry",
        [
            override(code="clinical-judgement"),
            override(system=HL7, code="cds-not-applicable"),
            override(system=""),
            FeedbackEntry("safety-1", "accepted", NOON, ("s1",), OURS, "evaluated-not-present"),
            FeedbackEntry("coverage-1", "overridden", NOON, (), OURS, "evaluated-not-present"),
        ],
    )
    def test_takes_this_reason_on_a_safety_card(self, store, entry):
        store.record(guidance())
        store.feedback(SERVICE, "open", [entry])
        assert not store.acknowledgements("open", "p1")

    def test_is_withdrawn_by_a_later_override(self, store):
        store.record(guidance())
        hour = timedelta(hours=1)
        later = override(code="clinical-judgement", at=NOON + hour)
        store.feedback(SERVICE, "open", [later, override()])
        assert not store.acknowledgements("open", "p1")
        store.feedback(SERVICE, "open", [override(at=NOON + 2 * hour)])
        assert store.acknowledgements("open", "p1")

    def test_counts_by_its_newest_day(self, store):
        store.record(guidance(1))
        store.record(guidance(2))
        store.feedback(SERVICE, "open", [override(2, at=NOON + timedelta(days=3)), override(1)])
        assert store.acknowledgements("open", "p1") == {"CCA-S3a": date(2026, 3, 19)}

    def test_never_counts_for_days_to_come(self, store):
        store.record(guidance())
        store.feedback(SERVICE, "open", [override(at=datetime(2999, 1, 1, tzinfo=UTC))])
        assert store.acknowledgements("open", "p1") == {"CCA-S3a": RECEIVED.date()}

    def test_may_come_before_its_card(self, store):
        store.feedback(SERVICE, "open", [override()])
        store.record(guidance())
        store.flush()
        assert store.acknowledgements("open", "p1")

    def test_of_a_card_that_two_patients_got_tells_nothing(self, store):
        store.record(guidance(1, id="a" * 32))
        store.record(guidance(1, patient="p2", id="b" * 32))
        store.feedback(SERVICE, "open", [override(1)])
        assert not store.acknowledgements("open", "p1")
        assert not store.acknowledgements("open", "p2")


class TestTokens:
    def test_a_replay_fails_on_every_worker(self, tmp_path, database_url):
        with opened(tmp_path, database_url) as one, opened(tmp_path, database_url) as other:
            assert one.remember("iss", "a", LATER)
            assert not one.remember("iss", "a", LATER)
            assert not other.remember("iss", "a", LATER)
            assert other.remember("another", "a", LATER)

    def test_what_a_worker_saw_alone_reaches_the_others(self, tmp_path, database_url):
        with opened(tmp_path, database_url) as one, opened(tmp_path, database_url) as other:
            one._database.up = False
            assert one.remember("iss", "a", LATER)
            assert not one.remember("iss", "a", LATER)
            one.flush()
            assert not other.remember("iss", "a", LATER)

    def test_expired_ones_go(self, store, monkeypatch):
        store.remember("iss", "old", NOON - timedelta(days=9999))
        store.remember("iss", "new", datetime.now(UTC) + timedelta(hours=1))
        monkeypatch.setattr(tokens, "DROP_SECONDS", -1)
        store.flush()
        assert [row.jti for row in rows(store, JTI)] == ["new"]


class TestDatabaseDown:
    """Guidance goes on; what was answered meanwhile arrives later."""

    def test_from_the_start(self, tmp_path):
        file = tmp_path / "massage-cds.sqlite"
        file.mkdir()
        with opened(tmp_path) as store:
            self._works_without(store)
            file.rmdir()
            self._catches_up(store)

    def test_locked_in_between(self, tmp_path):
        with opened(tmp_path) as store, opened(tmp_path) as other:
            holder = other._database.engine.connect()
            holder.exec_driver_sql("BEGIN EXCLUSIVE")
            store.remember("iss", "first", LATER)
            self._works_without(store)
            holder.rollback()
            holder.close()
            self._catches_up(store)

    def test_stopped_in_between(self, tmp_path, postgresql):
        with opened(tmp_path, postgresql.new_database()) as store:
            postgresql.stop()
            try:
                store.acknowledgements("open", "p1")
                self._works_without(store)
            finally:
                postgresql.start()
            self._catches_up(store)

    def test_file_deleted_in_between(self, tmp_path):
        with opened(tmp_path) as store:
            store.record(guidance(1))
            store.flush()
            for path in tmp_path.glob("massage-cds.sqlite*"):
                path.unlink()
            store.record(guidance(2))
            store.flush()
            assert count(store) == 1, "a new file, not the deleted one"

    def _works_without(self, store):
        store.record(guidance())
        assert store.health() == "degraded"
        assert not store.flush()
        store.feedback(SERVICE, "open", [override()])
        assert store.remember("iss", "down", LATER)
        assert not store.remember("iss", "down", LATER)
        assert store.acknowledgements("open", "p1") == {}
        assert store.counts()["failures"]
        assert store.counts()["waiting_bytes"]

    def _catches_up(self, store):
        assert store.flush()
        assert store.health() == "ok"
        assert (count(store), count(store, FEEDBACK)) == (1, 1)
        assert store.acknowledgements("open", "p1")
        assert "down" in [row.jti for row in rows(store, JTI)]
        assert store.counts()["waiting_bytes"] == 0


class TestPrune:
    BEFORE = NOON + timedelta(days=400)

    def test_takes_what_is_old(self, store):
        store.record(guidance(1))
        store.record(guidance(2, given=LATER))
        store.feedback(SERVICE, "open", [accepted()])
        store.remember("iss", "old", NOON)
        removed = prune(store._database, LATER, now=NOON + timedelta(seconds=1))
        assert removed == {"guidance": 1, "feedback": 1, "jti": 1}
        assert [row.id for row in rows(store, GUIDANCE)] == [guidance(2).id]
        assert {row.uuid for row in rows(store, CARD)} == {"safety-2", "coverage-2"}
        (note,) = rows(store, ACCESS)
        assert note.action == "prune"

    def test_leaves_acknowledgements_acting(self, store):
        store.record(guidance())
        store.feedback(SERVICE, "open", [override(comment="nothing there"), override(99)])
        prune(store._database, LATER)
        assert count(store) == 0
        assert [row.uuid for row in rows(store, CARD)] == ["safety-1"]
        assert [(row.card, row.comment) for row in rows(store, FEEDBACK)] == [("safety-1", None)]
        assert store.acknowledgements("open", "p1") == {"CCA-S3a": NOON.date()}

    def test_takes_nothing_young(self, store):
        store.record(guidance())
        store.feedback(SERVICE, "open", [accepted(), override()])
        assert prune(store._database, NOON)["guidance"] == 0
        assert (count(store), count(store, FEEDBACK), count(store, CARD)) == (1, 2, 2)


class TestSecret:
    def test_is_made_once_and_for_the_owner_alone(self, tmp_path):
        with opened(tmp_path) as store, opened(tmp_path) as other:
            assert store._secret == other._secret
            assert len(store._secret) == 64
        mode = (tmp_path / "secret").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600

    def test_lies_beside_a_database_for_the_owner_alone(self, tmp_path):
        folder = tmp_path / "state"
        with opened(folder) as store:
            store.record(guidance())
            store.flush()
            modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()}
        files = {name: mode for name, mode in modes.items() if name != "spool"}
        assert "massage-cds.sqlite" in files
        assert set(files.values()) == {0o600}
        assert {stat.S_IMODE(folder.stat().st_mode), modes["spool"]} == {0o700}

    def test_leaves_a_database_that_is_there_as_it_is(self, tmp_path):
        with opened(tmp_path):
            pass
        (tmp_path / "massage-cds.sqlite").chmod(0o640)
        with opened(tmp_path):
            pass
        assert stat.S_IMODE((tmp_path / "massage-cds.sqlite").stat().st_mode) == 0o640

    def test_that_is_given_is_used(self, tmp_path):
        with opened(tmp_path, secret="given by the site") as store:
            assert store._secret == b"given by the site"
        assert not (tmp_path / "secret").exists()

    def test_tells_patients_apart_by_client(self, tmp_path):
        with opened(tmp_path) as store:
            for number, client in enumerate(["a", "b"]):
                store.record(guidance(number, client=client))
            store.flush()
            assert len({row.patient for row in rows(store, GUIDANCE)}) == 2

    def test_that_cannot_be_made_stops_the_start(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match="MASSAGE_CDS_SECRET"), opened(tmp_path / "file"):
            pass


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/name", "sqlite://", "postgresql://host"])
def test_a_url_that_names_no_database_we_know_is_refused(url):
    with pytest.raises(StoreError, match="sqlite:///path"):
        Database(url)


class TestTurns:
    def test_writers_of_a_process_never_meet_in_sqlite(self, tmp_path):
        database, inside, met = Database(f"sqlite:///{tmp_path / 'file'}"), [], []

        def work(connection):
            inside.append(connection)
            met.append(len(inside))
            time.sleep(0.01)
            inside.remove(connection)

        with ThreadPoolExecutor(8) as threads:
            for done in [threads.submit(database.write, work) for _ in range(16)]:
                done.result()
        database.close()
        assert met == [1] * 16

    def test_one_that_does_not_come_is_not_waited_for(self, tmp_path):
        database = Database(f"sqlite:///{tmp_path / 'file'}", seconds=0.05)
        with pytest.raises(DownError, match=r"no turn in 0\.05 s"):
            database.write(lambda _: database.write(lambda _: None))
        assert database.write(lambda connection: connection.execute(text("SELECT 1")).scalar()) == 1
        database.close()


def test_a_password_shows_nowhere(tmp_path):
    url = "postgresql://cds:verysecret@127.0.0.1:1/cds"
    assert "verysecret" not in repr(setup_of(tmp_path, url))
    with opened(tmp_path, url) as store:
        assert store.health() == "degraded"
        assert "verysecret" not in repr(store._database.url)


def test_the_null_store_keeps_nothing_but_tokens():
    store = NullStore()
    store.record(guidance())
    store.feedback(SERVICE, "open", [override()])
    assert store.acknowledgements("open", "p1") == {}
    assert store.remember("iss", "a", LATER)
    assert not store.remember("iss", "a", LATER)
    assert store.health() == "ok"


def test_a_name_with_nul_cannot_stop_the_database(store):
    store.record(guidance(orders=("ServiceRequest/\0",)))
    assert store.flush()
    assert store._database.run(lambda connection: connection.execute(text("SELECT 1")).scalar())
    assert count(store) == 1
