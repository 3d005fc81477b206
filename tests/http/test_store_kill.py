"""Real workers killed under load, and a database that goes away: nothing answered is lost."""

import os
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import requests
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from fhir_fixtures.stories import build
from tests.http.test_server import started, wait_for
from tests.live import FhirServer, Service, http, prefetch_of, serve

CALLERS = 3
STORY = {
    "title": "An order like many",
    "patient": {"age": 54, "sex": "female"},
    "coverage": ["CCA-ONE-CARE"],
    "conditions": [{"code": "G89.29 Chronic pain", "since": -400}],
    "orders": [{"code": 97124, "visits": 1, "weekly": 1, "site": "lumbar", "reason": "G89.29"}],
}


def request_for(url):
    """Return a request that holds all it needs."""
    built = build("load", STORY)
    with serve(FhirServer([built.record]).app) as fhir:
        context = built.request["context"]
        held, _ = prefetch_of(Service(url).templates(), context, f"{fhir}/fhir")
    return built.request | {"prefetch": held, "fhirServer": None, "fhirAuthorization": None}


class Load:
    """Calls without end; `answered` holds the hookInstances that got their cards."""

    def __init__(self, url):
        self.address = f"{url}/cds-services/massage-order-review"
        self.body = request_for(url)
        self.answered = []
        self._end = threading.Event()
        self._callers = [threading.Thread(target=self._call) for _ in range(CALLERS)]

    def _call(self):
        while not self._end.is_set():
            try:
                self.once()
            except requests.RequestException:
                time.sleep(0.05)

    def once(self):
        instance = str(uuid4())
        answer = http().post(self.address, json=self.body | {"hookInstance": instance}, timeout=10)
        if answer.status_code == 200:
            assert answer.json()["cards"]
            self.answered.append(instance)

    def more(self, count):
        """Wait for that many answers more."""
        target = len(self.answered) + count
        wait_for(lambda: len(self.answered) >= target)

    def __enter__(self):
        for caller in self._callers:
            caller.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for caller in self._callers:
            caller.join()


def children(process):
    """Return the ids of a process's children."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = path.read_text(encoding="utf-8")
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == process.pid:
            found.append(int(path.parent.name))
    return found


def kept(url):
    """Return the hookInstances in a database, each as often as it is there."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return sorted(connection.execute(text("SELECT hook_instance FROM guidance")).scalars())
    except SQLAlchemyError:
        return []
    finally:
        engine.dispose()


@contextmanager
def waiting_for(url, load):
    yield
    wait_for(lambda: set(load.answered) <= set(kept(url)))
    assert len(kept(url)) == len(set(kept(url))), "none twice"


def test_a_worker_killed_under_load_loses_nothing(tmp_path):
    url = f"sqlite:///{tmp_path / 'massage-cds.sqlite'}"
    with started("serve", "--open", "--workers", "2", STATE=tmp_path) as (process, address):
        with waiting_for(url, load := Load(address)), load:
            load.more(10)
            first, second = children(process)
            os.kill(first, signal.SIGKILL)
            load.more(10)
            assert process.poll() is None, "the other worker goes on"
        wait_for(lambda: len(children(process)) == 2)
        assert second in children(process)
        assert first not in children(process)


def test_all_killed_at_once_the_next_start_finds_everything(tmp_path):
    url = f"sqlite:///{tmp_path / 'massage-cds.sqlite'}"
    with started("serve", "--open", "--workers", "2", STATE=tmp_path) as (process, address):
        with Load(address) as load:
            load.more(10)
            for worker in children(process):
                os.kill(worker, signal.SIGKILL)
            process.kill()
        process.wait()
    with waiting_for(url, load), started("serve", "--open", STATE=tmp_path):
        pass
    assert list((tmp_path / "spool").glob("*.spool")) == []


def test_a_stop_leaves_nothing_waiting(tmp_path):
    url = f"sqlite:///{tmp_path / 'massage-cds.sqlite'}"
    with started("serve", "--open", STATE=tmp_path) as (process, address):
        load = Load(address)
        load.once()
        process.terminate()
        process.wait()
    assert kept(url) == load.answered
    assert list((tmp_path / "spool").glob("*.spool")) == []


def readiness(address):
    return http().get(f"{address}/readyz", timeout=5).text.splitlines()[0]


def test_guidance_goes_on_while_the_database_is_down(tmp_path, postgresql):
    url = postgresql.new_database()
    with started("serve", "--open", STATE=tmp_path, DATABASE_URL=url) as (_, address):
        load = Load(address)
        load.once()
        assert readiness(address) == "ok"
        postgresql.stop()
        try:
            wait_for(lambda: load.once() or readiness(address) == "degraded")
            load.once()
        finally:
            postgresql.start()
        wait_for(lambda: readiness(address) == "ok")
        with waiting_for(url, load):
            load.once()
    assert len(load.answered) >= 4
