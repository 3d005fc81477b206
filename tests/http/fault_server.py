"""A FHIR server on loopback that misbehaves as told: one answer for each resource type.

In front of another server it is a proxy: `{"*": passes(url), "Goal": fails(500)}`. The key "" is
that of pages that are asked for at the base URL itself, as HAPI's are.
"""

from __future__ import annotations

import itertools
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: FaultServer

    def do_GET(self) -> None:
        self.server.note(self)
        name = self.path.removeprefix("/fhir").strip("/").split("?")[0]
        answers = self.server.answers
        answer = answers.get(name) or answers.get(name.split("/")[0]) or answers.get("*", empty)
        try:
            answer(self)
            self.wfile.flush()
        except OSError:
            self.close_connection = True

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", headers.pop("content_type", "application/fhir+json"))
        self.send_header("Content-Length", headers.pop("length", str(len(body))))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


class FaultServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.asked: list[str] = []
        self.tokens: list[str | None] = []
        self.ports: set[int] = set()
        self._lock = threading.Lock()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/fhir"

    def note(self, handler: Handler) -> None:
        with self._lock:
            self.asked.append(handler.path.removeprefix("/fhir/"))
            self.tokens.append(handler.headers.get("Authorization"))
            self.ports.add(handler.client_address[1])

    def handle_error(self, *_: Any) -> None: ...


@contextmanager
def serving(answers: Mapping[str, Answer]) -> Iterator[FaultServer]:
    server = FaultServer(answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def bundle(*resources: Any, **rest: Any) -> dict[str, Any]:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries, **rest}


def link(url: str) -> list[dict[str, str]]:
    return [{"relation": "next", "url": url}]


def gives(resource: Any) -> Answer:
    return lambda handler: handler.send(json.dumps(resource).encode())


def fails(status: int, **headers: str) -> Answer:
    return lambda handler: handler.send(b"{}", status, **headers)


def raw(body: bytes, content_type: str = "application/fhir+json") -> Answer:
    return lambda handler: handler.send(body, content_type=content_type)


def slow(seconds: float, answer: Answer | None = None) -> Answer:
    def answered(handler: Handler) -> None:
        time.sleep(seconds)
        (answer or empty)(handler)

    return answered


def trickles(seconds: float) -> Answer:
    """Sends one byte at a time, each well within any read time-out."""

    def answered(handler: Handler) -> None:
        handler.send(b"{", length="100000")
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.01)
        handler.close_connection = True

    return answered


def cut_off(body: bytes) -> Answer:
    """Promises more bytes than it sends, then closes."""

    def answered(handler: Handler) -> None:
        handler.send(body, length=str(len(body) + 500))
        handler.close_connection = True

    return answered


def resets(handler: Handler) -> None:
    """Breaks the connection in the middle of an answer."""
    handler.send(b"{", length="100000")
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def endless(resource: Any) -> Answer:
    """Gives the same resource on every page, and always a next page."""
    pages = itertools.count(2)

    def answered(handler: Handler) -> None:
        way = handler.path.removeprefix("/fhir/").split("?")[0]
        gives(bundle(resource, link=link(f"{way}?page={next(pages)}")))(handler)

    return answered


def first(times: int, answer: Answer, then: Answer) -> Answer:
    """Answers a number of requests in one way, and all later ones in another."""
    turns = itertools.count()

    def answered(handler: Handler) -> None:
        turn = next(turns)
        (answer if turn < times else then)(handler)

    return answered


def passes(target: str, change: Callable[[bytes], Answer] | None = None) -> Answer:
    """Gives what the server at `target` answers, or what `change` makes of its body.

    Links in its answers lead back here.
    """
    session = requests.Session()
    session.trust_env = False

    def answered(handler: Handler) -> None:
        url = target + handler.path.removeprefix("/fhir")
        headers = {"Host": handler.headers["Host"], "Accept": handler.headers["Accept"]}
        for name in ("Cache-Control", "Authorization"):
            if name in handler.headers:
                headers[name] = handler.headers[name]
        reply = session.get(url, headers=headers, timeout=60)
        if change is None:
            kind = reply.headers.get("Content-Type", "")
            handler.send(reply.content, reply.status_code, content_type=kind)
        else:
            change(reply.content)(handler)

    return answered


empty: Answer = gives(bundle())
