"""How we call other servers: which addresses, and for how long."""

import socket
import threading
import time
from contextlib import contextmanager

import pytest
import requests

from cds_service import transport
from cds_service.auth.sources import SourceError, from_url
from cds_service.record.client import FhirClient, fhir_session
from cds_service.transport import may_connect
from tests.http.fault_server import bundle, gives, serving

NAME = "fhir.example.org"


class TestAddress:
    @pytest.mark.parametrize(
        "address",
        ["192.0.2.7", "10.1.2.3", "172.16.0.9", "192.168.4.4", "2001:db8::7", "fd12:3456::1"],
    )
    def test_of_a_name_may_lie_in_a_private_network(self, address):
        assert may_connect(NAME, address)

    @pytest.mark.parametrize(
        "address",
        [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "fe80::1%eth0",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "127.0.0.1",
            "127.8.8.8",
            "::1",
            "::ffff:127.0.0.1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "nonsense",
        ],
    )
    def test_of_a_name_is_never_this_machine_or_a_clouds(self, address):
        assert not may_connect(NAME, address)

    @pytest.mark.parametrize("host", ["169.254.1.2", "10.0.0.1", "[fe80::1]", "127.0.0.1"])
    def test_that_is_listed_itself_may_be_called(self, host):
        assert may_connect(host, host.strip("[]"))

    def test_of_localhost_is_this_machine(self):
        assert may_connect("localhost", "127.0.0.1")
        assert may_connect("LOCALHOST.", "::1")
        assert not may_connect("localhost", "10.0.0.1")
        assert not may_connect("localhost", "169.254.169.254")


@pytest.fixture
def rebound(monkeypatch):
    """A name server that somebody made to point names of the outside at this machine."""
    real = socket.getaddrinfo

    def lying(host, *args, **kwargs):
        return real("127.0.0.1" if host == NAME else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lying)


def client(base, seconds=5.0):
    return FhirClient(base, "secret", fhir_session(), time.monotonic() + seconds)


def test_a_name_that_was_rebound_leads_nowhere(rebound, caplog):
    with serving({"*": gives(bundle())}) as server:
        base = server.base.replace("127.0.0.1", NAME)
        assert client(base).follow("Condition?patient=p1").reason == "not-allowed"
        assert server.asked == []
        assert client(server.base).follow("Condition?patient=p1").reason is None
    assert f"{NAME} leads to an address that may not be called" in caplog.text
    assert "p1" not in caplog.text


def test_a_key_server_that_was_rebound_is_not_asked(rebound):
    with serving({"*": gives({"keys": []})}) as server:
        with pytest.raises(SourceError, match="ConnectionError"):
            from_url(f"{server.base.replace('127.0.0.1', NAME)}/jwks.json")()
        assert server.asked == []
        assert from_url(f"{server.base}/jwks.json")() == b'{"keys": []}'


def drips_a_line(handler):
    """Send a status line one byte at a time, each well within any read time-out."""
    _drip(handler, b"HTTP/1.1 200 OK and so on, for as long as anybody waits for it ")


def drips_headers(handler):
    """Send header after header and never the end of them."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    _drip(handler, b"X-More: and more\r\n" * 20)


def drips_a_redirect(handler):
    handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /fhir/a\r\nContent-Length: 9999\r\n\r\n")
    _drip(handler, b"." * 200)


def _drip(handler, text):
    for byte in text:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.05)
    handler.close_connection = True


@pytest.mark.parametrize("drip", [drips_a_line, drips_headers, drips_a_redirect])
def test_drops_of_an_answer_buy_a_fhir_server_no_time(drip):
    with serving({"*": drip}) as server:
        began = time.monotonic()
        assert client(server.base, 0.5).follow("Condition?patient=p1").reason in (
            "timeout",
            "connection",
            "not-allowed",
        )
        assert time.monotonic() - began < 1.2


@pytest.mark.parametrize("drip", [drips_a_line, drips_headers])
def test_drops_of_an_answer_buy_a_key_server_no_time(drip):
    with serving({"*": drip}) as server:
        began = time.monotonic()
        with pytest.raises(SourceError):
            from_url(f"{server.base}/jwks.json", seconds=0.5)()
        assert time.monotonic() - began < 1.2


def test_a_pooled_connection_starts_its_time_anew():
    with serving({"*": gives(bundle())}) as server:
        session = fhir_session()
        for _ in range(3):
            time.sleep(0.3)
            ends = time.monotonic() + 0.5
            assert FhirClient(server.base, None, session, ends).follow("Condition").reason is None


@contextmanager
def silent_tls():
    """A port that takes a connection and lets the TLS handshake wait."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = []
        thread = threading.Thread(target=lambda: taken.append(server.accept()), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}/"
        thread.join(1)


def test_a_handshake_that_does_not_come_ends_in_time():
    began = time.monotonic()
    with silent_tls() as url, pytest.raises(requests.RequestException):
        transport.Session().get(url, 0.4)
    assert time.monotonic() - began < 1.2
