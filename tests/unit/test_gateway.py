"""The gateway: bodies that come late, broken or too many, and the environment of a call."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from flask import Flask, request

from cds_service.gateway import Gateway, environ_of
from cds_service.hooks import errors

MOST = 100


def run(work):
    """Run a coroutine in a thread of its own: a browser test may have left a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class Headers(dict):
    def items(self):
        return [(name, one) for name, value in super().items() for one in value.split("|")]


class Protocol:
    """A client that sends chunks, each after so many seconds; keeps the answer."""

    def __init__(self, *chunks, after=0.0):
        self.chunks, self.after, self.answer, self.sent = chunks, after, None, 0

    async def __aiter__(self):
        for chunk in self.chunks:
            await asyncio.sleep(self.after)
            self.sent += 1
            yield chunk

    def response_bytes(self, status, headers, body):
        self.answer = status, dict(headers), body

    def response_empty(self, status, headers):
        self.answer = status, dict(headers), b""


def scope(method="POST", path="/", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return SimpleNamespace(
        method=method,
        path=path,
        query_string="a=1",
        http_version="1.1",
        scheme="http",
        server="127.0.0.1:8080",
        client="[::1]:4711",
        authority=None,
        headers=Headers(named),
    )


@pytest.fixture
def gateway():
    app = Flask("test")
    errors.install(app)

    @app.route("/", methods=["GET", "POST"])
    def echo():
        return request.get_data() or "nothing"

    @app.get("/env")
    def env():
        return {name: value for name, value in request.environ.items() if isinstance(value, str)}

    return Gateway(app, threads=2, most=MOST, seconds=0.2)


def answer(gateway, protocol, told):
    run(gateway.__rsgi__(told, protocol))
    return protocol.answer


def test_a_body_is_whole_before_the_application_sees_it(gateway):
    status, headers, body = answer(gateway, Protocol(b"one", b" ", b"two"), scope())
    assert (status, body) == (200, b"one two")
    assert headers["Content-Length"] == "7"
    assert gateway.held == 0


def test_nobody_waits_for_the_body_of_a_get(gateway):
    silent = Protocol(b"x", after=5)
    assert answer(gateway, silent, scope("GET"))[2] == b"nothing"
    assert silent.sent == 0


def test_a_body_that_does_not_come_in_time_is_refused(gateway):
    status, _, body = answer(gateway, Protocol(b"x", after=5), scope())
    assert status == 408
    assert b"OperationOutcome" in body
    assert gateway.held == 0


def test_a_body_that_is_too_long_is_not_awaited(gateway):
    endless = Protocol(*[b"x" * 30] * 99)
    assert len(answer(gateway, endless, scope())[2]) == MOST + 1
    assert endless.sent == 4
    declared = Protocol(b"x", after=5)
    assert answer(gateway, declared, scope(content_length="1000"))[0] == 200
    assert declared.sent == 0


def test_a_body_that_breaks_off_is_no_body(gateway):
    status, _, body = answer(gateway, Protocol(b"half"), scope(content_length="8"))
    assert status == 400
    assert b"half" not in body


def test_bodies_on_their_way_together_are_bounded(gateway):
    async def crowd():
        slow = [Protocol(b"x" * 60, b"x", after=0.05) for _ in range(5)]
        await asyncio.gather(*(gateway.__rsgi__(scope(), one) for one in slow))
        return [one.answer[0] for one in slow]

    found = run(crowd())
    assert set(found) == {200, 503}
    assert gateway.held == 0


def test_a_call_is_told_when_it_came(gateway):
    seen = []
    gateway.app = lambda environ, start: (
        seen.append(environ["arrived"]) or start("200 OK", []) or []
    )
    before = time.monotonic()
    answer(gateway, Protocol(), scope("GET"))
    assert before <= seen[0] <= time.monotonic()


def test_what_even_flask_does_not_foresee_is_an_error_without_words(gateway):
    gateway.app = lambda environ, start: 1 / 0
    protocol = Protocol()
    with pytest.raises(ZeroDivisionError):
        run(gateway.__rsgi__(scope("GET"), protocol))
    assert protocol.answer == (500, {}, b"")


def test_the_environment_is_that_of_wsgi(gateway):
    told = scope("GET", "/é", content_type="text/plain", x_twice="a|b", host="example.org")
    environ = environ_of(told, None)
    assert environ["PATH_INFO"] == "/é".encode().decode("latin-1")
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert environ["HTTP_X_TWICE"] == "a,b"
    assert environ["HTTP_HOST"] == "example.org"
    assert environ["REMOTE_ADDR"] == "::1"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", "8080")
    assert answer(gateway, Protocol(), scope("GET", "/env"))[0] == 200
