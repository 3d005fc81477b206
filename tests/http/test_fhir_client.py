"""The FHIR client against servers that fail in every way they do."""

from __future__ import annotations

import gzip
import json
import time
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cds_service.record.client import FhirClient, Limits, Reading, fhir_session
from tests.http.fault_server import (
    FaultServer,
    Handler,
    bundle,
    cut_off,
    fails,
    gives,
    link,
    raw,
    serving,
    slow,
    trickles,
)

CONDITION = {"resourceType": "Condition", "id": "c1"}


def client_of(base: str, seconds: float = 2.0, **limits: int) -> FhirClient:
    return FhirClient(base, "secret", fhir_session(), time.monotonic() + seconds, Limits(**limits))


@contextmanager
def asked(
    answer: Callable[[Handler], None], seconds: float = 2.0, **limits: int
) -> Iterator[tuple[Reading, FaultServer]]:
    with serving({"Condition": answer}) as server:
        yield client_of(server.base, seconds, **limits).fetch(["Condition?patient=p1"]), server


def ids(reading: Reading) -> list[Any]:
    return [entry["resource"]["id"] for entry in reading.entries]


def test_a_whole_search_has_no_reason():
    with asked(gives(bundle(CONDITION, total=1))) as (reading, server):
        assert reading.reason is None
        assert ids(reading) == ["c1"]
        assert server.tokens == ["Bearer secret"]


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 500, 503])
def test_an_error_status_is_the_reason_and_is_not_asked_again(status: int):
    with asked(fails(status, **{"Retry-After": "60"})) as (reading, server):
        assert (ids(reading), reading.reason) == ([], f"http-{status}")
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html><body>Sign in</body></html>", "not-json"),
        (b"", "not-json"),
        (b'{"resourceType": "Bundle", "entry": [{"resou', "truncated"),
        (b'{"hello": 1}', "not-fhir"),
        (b"[1, 2]", "not-fhir"),
        (b"null", "not-fhir"),
        (b'{"resourceType": "Patient", "id": "p1"}', "not-fhir"),
        (b'{"resourceType": "Bundle", "entry": {"a": 1}}', "not-fhir"),
        (
            b'{"resourceType": "OperationOutcome", "issue": [{"code": "timeout"}]}',
            "outcome-timeout",
        ),
    ],
)
def test_a_body_that_is_no_search_result(body: bytes, reason: str):
    with asked(raw(body)) as (reading, _):
        assert (ids(reading), reading.reason) == ([], reason)


def test_a_body_shorter_than_announced_is_truncated():
    with asked(cut_off(json.dumps(bundle(CONDITION)).encode())) as (reading, _):
        assert reading.reason == "truncated"


def test_a_compressed_body_is_read():
    body = gzip.compress(json.dumps(bundle(CONDITION)).encode())

    def answer(handler: Handler) -> None:
        handler.send(body, **{"Content-Encoding": "gzip"})

    with asked(answer) as (reading, _):
        assert ids(reading) == ["c1"]


def test_a_byte_order_mark_is_no_harm():
    with asked(raw(BOM_UTF8 + json.dumps(bundle(CONDITION)).encode())) as (reading, _):
        assert ids(reading) == ["c1"]


def test_a_compressed_bomb_is_too_large():
    body = gzip.compress(b" " * 3_000_000)

    def answer(handler: Handler) -> None:
        handler.send(body, **{"Content-Encoding": "gzip"})

    with asked(answer, max_bytes=100_000) as (reading, _):
        assert reading.reason == "too-large"


def test_a_huge_body_is_given_up():
    with asked(raw(b" " * 500_000), max_bytes=100_000) as (reading, _):
        assert reading.reason == "too-large"


def test_nobody_listens():
    with serving({}) as server:
        base = server.base
    assert client_of(base).fetch(["Condition?patient=p1"]).reason == "connection"


@pytest.mark.parametrize("answer", [slow(1.0), trickles(1.0)], ids=["slow", "trickling"])
def test_the_deadline_holds_for_the_whole_answer(answer: Callable[[Handler], None]):
    with serving({"Condition": answer}) as server:
        began = time.monotonic()
        reading = client_of(server.base, seconds=0.15).fetch(["Condition?patient=p1"])
        assert reading.reason == "timeout"
        assert time.monotonic() - began < 0.6


def test_after_the_deadline_nothing_is_sent():
    with serving({}) as server:
        reading = client_of(server.base, seconds=-1).fetch(["Condition?patient=p1"])
        assert reading.reason == "timeout"
        assert server.asked == []


def test_the_other_form_is_asked_on_400_and_422_only():
    def picky(handler: Handler) -> None:
        (fails(422) if "_include" in handler.path else gives(bundle(CONDITION)))(handler)

    with serving({"Coverage": picky}) as server:
        forms = ["Coverage?patient=p1&_include=Coverage:payor", "Coverage?patient=p1"]
        assert ids(client_of(server.base).fetch(forms)) == ["c1"]
    with serving({"Coverage": fails(403)}) as server:
        assert client_of(server.base).fetch(forms).reason == "http-403"
        assert len(server.asked) == 1


def paged(handler: Handler) -> None:
    """90 Conditions, 20 a page."""
    start = int(parse_qs(urlsplit(handler.path).query).get("at", ["0"])[0])
    page = [{"resourceType": "Condition", "id": f"c{n}"} for n in range(start, min(start + 20, 90))]
    more = {"link": link(f"Condition?at={start + 20}")} if start + 20 < 90 else {}
    gives(bundle(*page, total=90, **more))(handler)


def test_all_pages_are_read():
    with asked(paged) as (reading, server):
        assert reading.reason is None
        assert len(set(ids(reading))) == 90
        assert len(server.asked) == 5


def test_pages_beyond_the_cap_are_a_hole_beside_the_data():
    with asked(paged, max_pages=2) as (reading, _):
        assert reading.reason == "too-many-pages"
        assert len(reading.entries) == 40


def test_a_next_link_that_leads_back_ends():
    with asked(gives(bundle(CONDITION, link=link("Condition?patient=p1")))) as (reading, server):
        assert reading.reason == "too-many-pages"
        assert len(server.asked) == 1


def test_endless_new_pages_end_at_the_cap():
    def endless(handler: Handler) -> None:
        url = f"Condition?n={time.monotonic_ns()}"
        gives(bundle(CONDITION, link=link(url)))(handler)

    with asked(endless, max_pages=5) as (reading, server):
        assert reading.reason == "too-many-pages"
        assert len(server.asked) == 5


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/fhir/Condition?page=2",
        "http://user@127.0.0.1/fhir/Condition?page=2",
        "/other/Condition?page=2",
        "/fhirx/Condition?page=2",
        "../admin?page=2",
        "/fhir/%2e%2e/admin",
        "/fhir/%252e%252e/admin",
        "/fhir/..;/admin",
        "/fhir%2Fadmin",
        "/fhir/a%2Fb",
        "file:///etc/hosts",
        "http://[broken/fhir",
    ],
)
def test_a_next_link_out_of_the_server_is_not_followed(url: str):
    with asked(gives(bundle(CONDITION, link=link(url)))) as (reading, server):
        assert reading.reason == "not-allowed"
        assert ids(reading) == ["c1"]
        assert len(server.asked) == 1


def test_a_next_link_at_the_base_itself_is_followed():
    with serving({"*": gives(bundle({"resourceType": "Condition", "id": "c2"}))}) as server:
        url = f"{server.base}?_getpages=abc"
        server.answers = {**server.answers, "Condition": gives(bundle(CONDITION, link=link(url)))}
        reading = client_of(server.base).fetch(["Condition?patient=p1"])
        assert ids(reading) == ["c1", "c2"]


def test_a_page_that_cannot_be_read_leaves_what_came_before():
    def second_fails(handler: Handler) -> None:
        answer = fails(500) if "at=" in handler.path else None
        (answer or gives(bundle(CONDITION, link=link("Condition?at=20"))))(handler)

    with asked(second_fails) as (reading, _):
        assert (ids(reading), reading.reason) == (["c1"], "truncated")


def test_a_total_above_what_came_is_truncated():
    with asked(gives(bundle(CONDITION, total=3))) as (reading, _):
        assert (ids(reading), reading.reason) == (["c1"], "truncated")


@pytest.mark.parametrize(
    ("severity", "code", "reason"),
    [
        ("error", "forbidden", "outcome-forbidden"),
        ("warning", "suppressed", "outcome-suppressed"),
        ("warning", "not-found", None),
        ("information", "informational", None),
    ],
)
def test_an_outcome_among_the_entries(severity: str, code: str, reason: str | None):
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": code}],
    }
    with asked(gives(bundle(CONDITION, outcome))) as (reading, _):
        assert (ids(reading), reading.reason) == (["c1"], reason)


def test_a_redirect_elsewhere_is_not_followed_and_the_token_stays_here():
    with serving({}) as other:
        target = f"{other.base}/Condition?patient=p1"
        with asked(fails(302, Location=target)) as (reading, _):
            assert reading.reason == "not-allowed"
        assert other.asked == []


def test_a_redirect_within_the_server_is_followed():
    with serving({"Condition": fails(307, Location="/fhir/Moved?patient=p1")}) as server:
        server.answers = {**server.answers, "Moved": gives(bundle(CONDITION))}
        assert ids(client_of(server.base).fetch(["Condition?patient=p1"])) == ["c1"]


def test_a_redirect_loop_ends():
    with asked(fails(302, Location="/fhir/Condition?patient=p1")) as (reading, server):
        assert reading.reason == "not-allowed"
        assert len(server.asked) == 2


def test_a_connection_the_server_closed_is_opened_again():
    def closing(handler: Handler) -> None:
        gives(bundle(CONDITION))(handler)
        handler.wfile.flush()
        handler.close_connection = True  # without saying so

    with serving({"Condition": closing}) as server:
        client = client_of(server.base)
        readings = [client.fetch([f"Condition?patient={n}"]) for n in range(4)]
    assert [reading.reason for reading in readings] == [None] * 4


def test_cookies_of_one_server_are_not_kept():
    brought = []

    def baking(handler):
        brought.append(handler.headers.get("Cookie"))
        handler.send(b"{}", 401, **{"Set-Cookie": "session=1; Path=/"})

    with serving({"Condition": baking}) as server:
        client = client_of(server.base)
        client.fetch(["Condition?patient=p1"])
        client.fetch(["Condition?patient=p1"])
    assert brought == [None, None]


def test_the_token_is_not_shown():
    assert "secret" not in repr(client_of("http://127.0.0.1:1/fhir"))
