"""Attacks on real worker processes: replay between them, slow and huge bodies, odd lines."""

import gzip
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.callers import Ehr, clients_file
from tests.conformance.ehr import prefetch
from tests.conformance.ehr import request as order
from tests.http.test_server import started
from tests.http.test_store_kill import children
from tests.live import checked, http

SERVICE = "/cds-services/massage-order-review"
MEGABYTE = 1024 * 1024
SECONDS = 20
SLOW_CLIENTS = 120
MOST_MEMORY = 400 * MEGABYTE
EHR = Ehr()


def whole():
    return order(prefetch=prefetch(), fhirServer=None)


def replayed(urls, audience):
    """Send one token many times at once, to all addresses; return the statuses."""
    headers = EHR.bearer(f"{audience}/cds-services")

    def once(at):
        address = f"{urls[at % len(urls)]}/cds-services"
        return http().get(address, headers=headers, timeout=SECONDS).status_code

    with ThreadPoolExecutor(8) as pool:
        return sorted(pool.map(once, range(24)))


def held_once(urls, audience):
    for _ in range(3):
        assert replayed(urls, audience) == [200] + [401] * 23


@pytest.mark.requirement(64)
def test_a_token_serves_once_on_all_workers_with_sqlite(tmp_path):
    path = clients_file(tmp_path, EHR)
    with started("serve", "--workers", "2", CLIENTS=path) as (_, url):
        held_once([url], url)


@pytest.mark.requirement(64)
def test_a_token_serves_once_on_all_machines_with_postgresql(tmp_path, postgresql):
    path = clients_file(tmp_path, EHR)
    public = "https://cds.example.org"
    shared = {"CLIENTS": path, "DATABASE_URL": postgresql.new_database(), "PUBLIC_URL": public}
    with (
        started("serve", "--workers", "2", SECRET="x" * 32, **shared) as (_, one),
        started("serve", "--workers", "2", SECRET="x" * 32, **shared) as (_, other),
    ):
        held_once([one, other], public)


@pytest.fixture(scope="module")
def running():
    """An open service with two workers: its process and URL."""
    with started("serve", "--open", "--workers", "2") as found:
        yield found


@pytest.fixture
def url(running):
    """The service, which after each attack answers as before and holds no more than it should."""
    process, address = running
    yield address
    for _ in range(4):
        answer = checked(http().post(f"{address}{SERVICE}", json=whole(), timeout=SECONDS))
        assert answer.status_code == 200
        assert answer.json()["cards"]
    for worker in children(process):
        assert memory(worker) < MOST_MEMORY


def memory(process):
    """Return the most bytes that a process has held in memory."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    (told,) = (line for line in lines if line.startswith("VmHWM"))
    return int(told.split()[1]) * 1024


class Line:
    """A connection of one's own, on which anything may be sent."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=SECONDS)

    def send(self, data):
        """Send as long as the other side listens; return whether it took all."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def status(self):
        """Return the status of the answer; 0 where the connection was closed instead."""
        try:
            head = self.socket.recv(65536)
        except ConnectionError:
            head = b""
        self.socket.close()
        return int(head.split(b" ", 2)[1]) if head else 0

    def is_closed(self):
        """Return whether the other side ends the connection without a word."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True


def head(method="POST", path=SERVICE, **headers):
    named = {"Host": "127.0.0.1", "Content-Type": "application/json"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in named.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def answered(url, data):
    line = Line(url)
    line.send(data)
    return line.status()


def test_a_header_of_a_megabyte(url):
    assert answered(url, head(Authorization=f"Bearer {'x' * MEGABYTE}")) in (0, 400, 401, 431)
    assert answered(url, head(path=f"/{'x' * MEGABYTE}")) in (0, 400, 404, 414, 431)
    many = {f"X_{n}": "y" * 100 for n in range(5000)}
    assert answered(url, head(**many)) in (0, 400, 431)


def test_a_body_of_60_megabytes(url):
    line = Line(url)
    line.send(head(Content_Length=60 * MEGABYTE))
    for _ in range(60):
        if not line.send(b" " * MEGABYTE):
            break
    assert line.status() in (0, 413)
    told = http().post(
        f"{url}{SERVICE}", data=b" " * 11 * MEGABYTE, headers={"Content-Type": "application/json"}
    )
    assert told.status_code == 413


def test_a_body_of_60_megabytes_of_unsaid_length(url):
    line = Line(url)
    line.send(head(Transfer_Encoding="chunked"))
    chunk = f"{MEGABYTE:x}\r\n".encode() + b" " * MEGABYTE + b"\r\n"
    for _ in range(60):
        if not line.send(chunk):
            break
    assert line.status() in (0, 413)


def test_a_body_without_end_is_left(url):
    line = Line(url)
    line.send(head(Transfer_Encoding="chunked"))
    taken = 0
    while line.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n"):
        taken += 0x10000
        assert taken < 100 * MEGABYTE


def test_a_compressed_body_is_not_unpacked(url):
    bomb = gzip.compress(b" " * 100 * MEGABYTE)
    answer = http().post(
        f"{url}{SERVICE}",
        data=bomb,
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        timeout=SECONDS,
    )
    assert answer.status_code == 415


def test_json_10000_deep(url):
    for deep in (b"[" * 10_000, b'{"a":' * 10_000, b"[" * 5_000_000):
        answer = http().post(
            f"{url}{SERVICE}",
            data=deep,
            headers={"Content-Type": "application/json"},
            timeout=SECONDS,
        )
        assert answer.status_code == 400


def test_slow_bodies_cost_no_thread(running, url):
    """Many more clients than threads send a little of their call, or nothing at all."""
    lines = [Line(url) for _ in range(SLOW_CLIENTS)]
    starts = [
        head(Content_Length=1000) + b"{",
        head(Transfer_Encoding="chunked") + b"5\r\n{",
        b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"",
    ]
    for at, line in enumerate(lines):
        line.send(starts[at % len(starts)])
    answer = http().post(f"{url}{SERVICE}", json=whole(), timeout=SECONDS)
    assert answer.status_code == 200
    assert http().get(f"{url}/livez", timeout=SECONDS).status_code == 200
    assert lines[0].status() == 408
    assert all(line.is_closed() for line in lines[2:4]), "a head that does not come is waited for"
    for line in lines:
        line.socket.close()


def test_http_2_is_not_spoken(url):
    """Over it nobody would hold the time and the size of a head."""
    line = Line(url)
    line.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    assert line.is_closed()


@pytest.mark.parametrize("length", ["-1", "x", "1e9", "99999999999999999999", "0x10", "1,2"])
def test_a_length_that_is_none(url, length):
    assert answered(url, head(Content_Length=length) + b"{}") in (0, 400, 413)


def test_a_call_hidden_in_a_body(url):
    """Two lengths at once must not make one request two (request smuggling)."""
    hidden = b"0\r\n\r\n" + head("GET", "/cds-services")
    both = head(Content_Length=len(hidden), Transfer_Encoding="chunked") + hidden
    line = Line(url)
    line.send(both)
    line.socket.settimeout(2)
    told = b""
    try:
        while part := line.socket.recv(65536):
            told += part
    except OSError:
        pass
    line.socket.close()
    assert b'"services"' not in told or told.startswith(b"HTTP/1.1 400")


PATHS = [
    "/../../../../etc/passwd",
    "/schemas/../../../../etc/passwd",
    "/schemas/..%2f..%2f..%2fetc%2fpasswd",
    "/schemas/%2e%2e/%2e%2e/app.py",
    "/schemas/..%5c..%5capp.json",
    "/schemas/%00",
    "/schemas/%ff.json",
    "/fhir/../../etc/passwd",
    "/fhir/%2e%2e/%2e%2e/etc/passwd",
    "/assets/../routes.py",
    "/assets/..%2froutes.py",
    "/%",
    "//etc/passwd",
    "/\\etc\\passwd",
    "http://169.254.169.254/latest",
    "*",
    "/cds-services/%0d%0aSet-Cookie:%20evil=1",
    "/cds-services?%0d%0aSet-Cookie:%20evil=1",
]


@pytest.mark.parametrize("path", PATHS)
def test_an_address_that_leads_out(url, path):
    line = Line(url)
    line.send(head("GET", path, Connection="close"))
    told = b""
    while part := line.socket.recv(65536):
        told += part
    line.socket.close()
    assert not told or told.split(b" ", 2)[1][:1] in b"24"
    assert b"root:" not in told
    assert b"import " not in told
    assert b"\r\nSet-Cookie" not in told.title().replace(b"Set-Cookie:%20", b"")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "X" * 1000, "POST\t", ""])
def test_a_method_that_is_none(url, method):
    assert answered(url, head(method, "/cds-services", Connection="close")) in (0, 400, 405, 501)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "169.254.169.254", ""])
def test_another_host(url, host):
    """A page elsewhere may make its own name lead to this machine (DNS rebinding)."""
    line = Line(url)
    line.send(head("GET", "/cds-services", Connection="close", Host=host))
    assert line.status() in (400, 403)


def test_values_do_not_become_headers(url):
    evil = "x\r\nSet-Cookie: evil=1"
    body = whole() | {"extension": {evil: evil}}
    answer = http().post(
        f"{url}{SERVICE}",
        data=json.dumps(body),
        headers={"Content-Type": "application/json", "Origin": "http://evil.example"},
        timeout=SECONDS,
    )
    assert answer.status_code == 200
    assert not {"set-cookie", "access-control-allow-origin"} & {n.lower() for n in answer.headers}
