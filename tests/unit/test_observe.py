"""What the service tells of itself, one part at a time."""

import json
import logging
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest

from cds_service.auth import guard, token
from cds_service.observe import bounded, logs
from cds_service.observe.call import CALL, Call, correlation, current, judged, step
from cds_service.observe.folder import VARIABLE, shared_folder
from cds_service.observe.line import fields_of
from cds_service.observe.metrics import Metrics
from cds_service.observe.watcher import Watcher
from cds_service.record.model import Hole
from cds_service.record.pool import FetchPool

INSTANCE = "619f38c5-b202-43d8-875b-48a0a41e519f"
NOTE = "arrived"


@pytest.fixture
def call():
    made = Call("call", "review")
    token = CALL.set(made)
    yield made
    CALL.reset(token)


def record(message, *args, name="cds_service.x", error=None, **extra):
    exc_info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord(name, logging.WARNING, "/x/lib.py", 7, message, args, exc_info)
    made.__dict__.update(extra)
    return made


def told(*args, **kwargs):
    return json.loads(logs.JsonLines().format(record(*args, **kwargs)))


class TestLine:
    def test_names_moment_level_and_words(self):
        line = told("kept %d", 3)
        assert line["time"].endswith("Z")
        assert (line["level"], line["event"]) == ("warning", "log")
        assert (line["logger"], line["message"]) == ("cds_service.x", "kept 3")
        assert "call" not in line

    def test_names_the_call_it_belongs_to(self, call):
        correlation(INSTANCE.upper())
        assert told("kept")["call"] == INSTANCE

    def test_leaves_out_what_a_library_says(self):
        line = told("GET /Condition?patient=%s", "p1", name="urllib3.connectionpool")
        assert line["message"] == "words of a library left out (lib.py:7)"

    def test_repeats_what_the_server_says_of_its_workers(self):
        assert told("Unexpected exit from worker-1", name="_granian")["message"].endswith(
            "worker-1"
        )
        assert "secret" not in told("raised\nValueError: secret", name="_granian")["message"]

    def test_shows_an_exception_without_its_message(self):
        try:
            {}["Zebedee"]
        except KeyError as error:
            line = told("failed: %s", error, error=error)
        assert line["message"] == "failed: KeyError"
        assert line["error"].startswith("KeyError at unit/test_observe.py:")
        assert "Zebedee" not in json.dumps(line)

    def test_shows_why_the_system_refused(self):
        assert told("%s", OSError(28, "No space left on device"))["message"] == (
            "OSError (No space left on device)"
        )

    def test_survives_words_that_do_not_fit(self):
        assert "do not fit" in told("%d kept", "three")["message"]

    def test_is_readable_when_plain(self, call):
        correlation(INSTANCE)
        line = logs.PlainLines().format(record("two\nlines"))
        assert line.split()[1] == "warning"
        assert line.endswith("message=two lines")

    def test_of_a_call_leaves_out_what_there_is_not(self, call):
        call.status = 400
        call.end()
        fields = fields_of(call)
        assert set(fields) == {"call", "service", "status", "ms"}


def test_a_process_that_dies_says_so_without_the_message():
    code = (
        "import threading\n"
        "from cds_service.observe import logs\n"
        "logs.install('json', 'info')\n"
        "def die(): raise ValueError('Zebedee')\n"
        "thread = threading.Thread(target=die)\n"
        "thread.start(); thread.join()\n"
        "import warnings; warnings.warn('Zebedee')\n"
        "die()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in lines] == ["critical", "warning", "critical"]
    assert "a thread ended by an exception: ValueError at" in lines[0]["message"]
    assert "a process ended by an exception: ValueError at" in lines[2]["message"]
    assert "Zebedee" not in done.stderr + done.stdout


class TestCorrelation:
    def test_is_the_hook_instance(self, call):
        assert correlation(INSTANCE) == call.id == INSTANCE

    @pytest.mark.parametrize("odd", [None, "", "Zebedee", "x" * 36, 5])
    def test_is_made_where_there_is_none(self, call, odd):
        made = correlation(odd)
        assert len(made) == 36
        assert made == correlation() == call.id

    def test_outside_of_a_call_is_nothing(self):
        assert correlation() == "-"

    def test_reaches_the_threads_that_fetch(self, call):
        pool = FetchPool(1)
        assert pool.submit(correlation).result(timeout=5) == call.id
        pool.close()

    def test_is_each_calls_own(self):
        def work(number):
            made = Call("call", "review")
            token = CALL.set(made)
            try:
                return correlation() == made.id and current() is made
            finally:
                CALL.reset(token)

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(200)))


def test_steps_add_up(call):
    for _ in range(2):
        with step("review"):
            pass
    with pytest.raises(ValueError, match="odd"), step("cards"):
        raise ValueError("odd")
    assert call.steps["review"] > 0
    assert call.steps["cards"] > 0


class TestBounded:
    def test_words_of_the_record_stay(self):
        for word in ("timeout", "http-503", "outcome-too-costly"):
            assert bounded.reason(word) == word

    @pytest.mark.parametrize("odd", ["Patient p1", "", "x" * 60, "a b", "é"])
    def test_others_do_not(self, odd):
        assert bounded.reason(odd) == "other"

    def test_there_are_never_more_than_so_many(self, monkeypatch):
        monkeypatch.setattr(bounded, "_seen", {})
        found = {bounded.reason(f"http-{number}") for number in range(1000)}
        assert len(found) == bounded.MOST + 1
        assert "other" in found


def sample(text, name):
    """Return the value of a sample by name and labels."""
    return next(
        float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name)
    )


class TestMetrics:
    def test_count_a_call(self, call):
        call.status = 200
        call.fetches = [("conditions", None, 10**6), ("vitals", "timeout", 10**9)]
        call.holes = {"vitals": (Hole("vitals", "Observation (vitals)", "timeout"),)}
        judged(1, [("cca-mng-084", "conditional"), (None, "not-applicable")])
        call.spend("review", 2 * 10**6)
        call.end()
        metrics = Metrics()
        metrics.count(call)
        text = metrics.text().decode()
        for name in (
            'calls_total{kind="call",service="review",status="200"}',
            'call_duration_seconds_count{service="review"}',
            'step_duration_seconds_count{service="review",step="review"}',
            'determinations_total{determination="conditional",policy="cca-mng-084"}',
            'determinations_total{determination="not-applicable",policy="none"}',
            'holes_total{query="vitals",reason="timeout"}',
            'fetch_duration_seconds_count{query="conditions"}',
            'fetch_errors_total{kind="timeout"}',
        ):
            assert sample(text, f"massage_cds_{name}") == 1.0

    def test_follow_the_store(self):
        metrics = Metrics()
        metrics.store("ok", {"recorded": 2, "waiting_bytes": 10, "jti_fallbacks": 0})
        metrics.store("degraded", {"recorded": 5, "waiting_bytes": 7, "jti_fallbacks": 1})
        text = metrics.text().decode()
        assert sample(text, 'massage_cds_store_events_total{event="recorded"}') == 5
        assert sample(text, "massage_cds_store_waiting_bytes ") == 7
        assert sample(text, "massage_cds_jti_fallbacks_total ") == 1
        assert sample(text, 'massage_cds_store_state{state="degraded"}') == 1
        assert sample(text, 'massage_cds_store_state{state="ok"}') == 0

    def test_do_not_cost_an_answer(self, caplog):
        def application(environ, start):
            start("200 OK", [])
            return [b"good"]

        def ended(call):
            raise KeyError("Zebedee")

        watcher = Watcher(application, ["review"], ended, NOTE)
        environ = {"PATH_INFO": "/cds-services/review", "REQUEST_METHOD": "POST"}
        assert watcher(environ, lambda *_: None) == [b"good"]
        assert "could not be counted: KeyError" in caplog.text
        assert "Zebedee" not in caplog.text
        assert current() is None


@pytest.mark.parametrize(
    ("path", "kind", "service"),
    [
        ("/cds-services", "discovery", "discovery"),
        ("/cds-services/review", "call", "review"),
        ("/cds-services/Zebedee", "call", "unknown"),
        ("/crd/cds-services/review", "call", "review"),
        ("/cds-services/review/feedback", "feedback", "review"),
        ("/cds-services/review/feedback/more", "other", "review"),
        ("/cds-services-not", None, None),
        ("/metrics", None, None),
    ],
)
def test_calls_are_told_apart_by_path(path, kind, service):
    found = []

    def application(environ, start):
        start("204 No Content", [])
        return []

    watcher = Watcher(application, ["review"], found.append, NOTE)
    watcher({"PATH_INFO": path, "REQUEST_METHOD": "POST"}, lambda *_: None)
    assert [(one.kind, one.service, one.status) for one in found] == (
        [(kind, service, 204)] if kind else []
    )


OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


class TestPage:
    """docs/operations.md names all that is told."""

    def test_names_every_measurement(self):
        rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", OPERATIONS.read_text("utf-8"), re.M))
        for family in Metrics()._registry.collect():
            counted = f"{family.name}_total" if family.type == "counter" else family.name
            assert counted.removeprefix("massage_cds_") in rows, counted

    def test_names_every_reason_for_a_refusal(self):
        sources = [Path(token.__file__).read_text("utf-8"), Path(guard.__file__).read_text("utf-8")]
        reasons = set(re.findall(r'TokenError\(\s*"([a-z]+)"', "".join(sources)))
        text = OPERATIONS.read_text("utf-8")
        assert len(reasons) > 10
        assert [reason for reason in reasons if f"`{reason}`" not in text] == []

    def test_names_every_member_of_a_line(self, call):
        call.hook = call.client = "x"
        call.orders, call.status = 1, 200
        call.fetches, call.determinations = [("x", "timeout", 1)], [("x", "covered")]
        call.holes = {"x": (Hole("x", "X", "timeout"),)}
        call.spend("review", 1)
        text = OPERATIONS.read_text("utf-8")
        assert [name for name in fields_of(call) if f"`{name}`" not in text] == []


def test_waiting_for_a_thread_is_time_of_the_call():
    found = []

    def application(environ, start):
        start("200 OK", [])
        return []

    watcher = Watcher(application, ["review"], found.append, NOTE)
    environ = {"PATH_INFO": "/cds-services/review", "REQUEST_METHOD": "POST"}
    watcher(environ | {NOTE: monotonic() - 3}, lambda *_: None)
    watcher(environ, lambda *_: None)
    late, soon = found
    assert 3e9 <= late.steps["wait"] <= late.ended - late.started < 4e9
    assert soon.steps == {}
    assert soon.ended - soon.started < 1e9


class TestFolder:
    def test_is_fresh_and_goes(self, tmp_path, monkeypatch):
        monkeypatch.setenv(VARIABLE, "before")
        for left in ("999999999", "odd"):
            (tmp_path / left).mkdir()
        (tmp_path / "1").mkdir()
        with shared_folder(tmp_path) as folder:
            assert folder.is_dir()
            assert sorted(path.name for path in tmp_path.iterdir()) == sorted({"1", folder.name})
        assert not folder.exists()

    def test_is_for_its_owner_alone_and_so_is_the_state_folder(self, tmp_path):
        state = tmp_path / "state"
        with shared_folder(state / "metrics") as folder:
            made = [state, state / "metrics", folder]
            assert {one.stat().st_mode & 0o777 for one in made} == {0o700}


def test_what_is_installed_is_one_handler():
    logs.install("json", "debug")
    logs.install("plain", "warning")
    assert [type(one.formatter) for one in logging.getLogger().handlers] == [logs.PlainLines]
    assert not logging.getLogger("cds_service.x").isEnabledFor(logging.INFO)
    assert not logging.getLogger("elsewhere").isEnabledFor(logging.INFO)
