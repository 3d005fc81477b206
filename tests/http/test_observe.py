"""Logs, measurements and probes of the real server, with several workers."""

import json
import os
import re
import signal
import socket
from contextlib import closing, suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cds_service.app import create_app
from cds_service.settings import load_settings
from fhir_fixtures.generate import scenarios
from tests.callers import PUBLIC, Ehr, clients_file
from tests.http.test_server import SECONDS, http, said, started, wait_for
from tests.http.test_store_kill import children
from tests.live import FhirServer, serve

REVIEW = "/cds-services/massage-order-review"


@pytest.fixture(scope="module")
def story():
    return next(built for _, built in scenarios() if built.name == "cca-missing-promis")


@pytest.fixture(scope="module")
def fhir(story):
    server = FhirServer([story.record])
    with serve(server.app) as url:
        yield f"{url}/fhir"


def measured(url):
    """Return every sample of /metrics: name, labels -> value."""
    answer = http().get(f"{url}/metrics", timeout=5)
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name.removeprefix("massage_cds_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(url, name, **labels):
    return measured(url).get((name, frozenset(labels.items())))


def post(url, body):
    return http().post(f"{url}{REVIEW}", json=body, timeout=10).status_code


def stopped(process):
    """Stop the server; return the JSON lines that it wrote."""
    process.terminate()
    process.wait(timeout=SECONDS)
    output = said(process)
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")], output


def test_workers_add_up_and_one_that_dies_takes_nothing_along(story, fhir):
    called = {"kind": "call", "service": "massage-order-review", "status": "200"}
    with started("serve", "--open", "--workers", "2") as (process, url):
        body = story.request | {"fhirServer": fhir}
        assert [post(url, body) for _ in range(8)] == [200] * 8
        assert {value(url, "calls_total", **called) for _ in range(4)} == {8}
        # A worker tells of its store now and then: what it has not told yet dies with it.
        wait_for(lambda: value(url, "store_events_total", event="recorded") == 8)
        os.kill(children(process)[0], signal.SIGKILL)
        with suppress(OSError):
            post(url, body)
        wait_for(lambda: len(children(process)) == 2)
        wait_for(lambda: value(url, "store_state", state="ok") == 2)
        before = value(url, "calls_total", **called)
        assert before >= 8
        assert [post(url, body) for _ in range(4)] == [200] * 4
        assert value(url, "calls_total", **called) == before + 4
        assert value(url, "call_duration_seconds_count", service=called["service"]) == before + 4
        counted = {"policy": "cca-mng-084", "determination": "conditional"}
        assert value(url, "determinations_total", **counted) == before + 4
        wait_for(lambda: value(url, "store_events_total", event="recorded") >= 12)
        assert value(url, "build_info", version="0.1.0", python=python(url)) == 1


def python(url):
    return next(dict(labels)["python"] for name, labels in measured(url) if name == "build_info")


def test_each_call_leaves_one_line(story, fhir):
    with started("serve", "--open") as (process, url):
        assert post(url, story.request | {"fhirServer": fhir}) == 200
        assert post(url, story.request | {"context": {}}) == 400
        assert post(url, {"hookInstance": "no uuid"}) == 400
        assert http().get(f"{url}/cds-services", timeout=5).status_code == 200
        lines, _ = stopped(process)
    good, refused, nameless, discovery = [one for one in lines if one["event"] != "log"]
    assert good["call"] == refused["call"] == story.request["hookInstance"]
    assert re.fullmatch(r"[0-9a-f-]{36}", nameless["call"])
    assert good["service"] == "massage-order-review"
    assert (good["hook"], good["client"], good["status"]) == ("order-sign", "open", 200)
    assert good["level"] == "info"
    assert set(good["steps"]) == {
        "wait",
        "caller",
        "parse",
        "prefetch",
        "fetch",
        "review",
        "cards",
        "store",
    }
    assert 0 < sum(good["steps"].values()) <= good["ms"]
    assert good["orders"] == 1
    assert good["determinations"] == {"cca-mng-084": ["conditional"]}
    assert good["fetches"] > 5
    assert "holes" not in good
    assert (refused["status"], nameless["status"]) == (400, 400)
    assert (discovery["event"], discovery["status"]) == ("discovery", 200)


def test_holes_and_fetch_errors_are_told(story):
    with started("serve", "--open", DEADLINE="0.5") as (process, url):
        body = story.request | {"fhirServer": "http://127.0.0.1:1/fhir"}
        assert post(url, body) == 412
        assert value(url, "holes_total", query="patient", reason="connection") == 1
        assert value(url, "fetch_errors_total", kind="connection") > 5
        assert value(url, "fetch_duration_seconds_count", query="patient") == 1
        lines, _ = stopped(process)
    line = next(one for one in lines if one["event"] == "call")
    assert {"query": "patient", "reason": "connection", "count": 1} in line["holes"]
    assert line["fetchErrors"]["connection"] == line["fetches"]


def test_nothing_but_lines_of_ours_leaves_the_server(story):
    with started("serve", "--open", LOG_LEVEL="debug") as (process, url):
        host, port = url.removeprefix("http://").split(":")
        for line in ("GET /Zebedee Quill HTTP/1.1\r\n\r\n", "\x16\x03Zebedee\r\n\r\n", "Zebedee"):
            with closing(socket.create_connection((host, int(port)), timeout=5)) as wire:
                wire.sendall(line.encode())
        http().get(f"{url}/cds-services?name=Zebedee", timeout=5)
        http().get(f"{url}/Zebedee", timeout=5)
        lines, output = stopped(process)
    assert any(one["event"] == "discovery" for one in lines)
    assert "Zebedee" not in output
    assert all(line.startswith(("{", "massage-cds: ")) for line in output.splitlines())


def test_the_demo_speaks_plainly():
    with started("demo") as (process, url):
        http().get(f"{url}/cds-services", timeout=5)
        lines, output = stopped(process)
    assert lines == []
    assert re.search(r"^\d\d:\d\d:\d\d info +event=discovery call=\S+ .*status=200", output, re.M)


def app_client(tmp_path, **variables):
    return create_app(load_settings(variables), open_access=True, demo=False).test_client()


def test_probes_tell_what_ails_the_service(tmp_path, monkeypatch):
    client = app_client(tmp_path)
    assert (client.get("/livez").text, client.get("/readyz").text) == ("ok\n", "ok\n")
    assert client.get("/readyz?verbose").text.splitlines() == [
        "ok",
        "store: ok",
        "policies: ok: 5 loaded",
        "services: ok",
    ]


@pytest.mark.parametrize("state", ["degraded", "losing"])
def test_a_store_that_is_down_is_told_and_calls_go_on(state, monkeypatch):
    monkeypatch.setattr("cds_service.store.NullStore.health", lambda _: state)
    answer = app_client(None).get("/readyz")
    first, second = answer.text.splitlines()
    assert (answer.status_code, first) == (200, state)
    assert second.startswith(f"store: {state}: the database cannot be used")


def test_without_a_service_it_is_not_ready(monkeypatch):
    monkeypatch.setattr("cds_service.app.build_services", lambda *_: [])
    answer = app_client(None).get("/readyz")
    assert answer.status_code == 503
    assert answer.text == "not ready\nservices: not ready: none is offered\n"


def test_probes_and_measurements_need_no_token(tmp_path):
    given = {"CLIENTS": clients_file(tmp_path, Ehr()), "PUBLIC_URL": PUBLIC}
    settings = load_settings({f"MASSAGE_CDS_{name}": str(v) for name, v in given.items()})
    client = create_app(settings, open_access=False, demo=False).test_client()
    for path in ("/livez", "/readyz", "/metrics"):
        assert client.get(path).status_code == 200
    assert client.post(REVIEW, json={}).status_code == 401
    assert 'auth_refusals_total{reason="missing"} 1.0' in client.get("/metrics").text
