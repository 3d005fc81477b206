"""How we call other servers: which addresses, and for how long."""

import json
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pycurl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cds_service import transport
from cds_service.auth.sources import SourceError, from_url
from cds_service.record.client import FhirClient, fhir_session
from cds_service.transport import may_connect
from tests.http.fault_server import bundle, gives, serving
from tests.http.names import leading

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


def client(base, seconds=5.0):
    return FhirClient(base, "secret", fhir_session(), time.monotonic() + seconds)


@contextmanager
def rebound(server):
    """Yield the base URL by a name that somebody made to point at this machine."""
    port = server.server_address[1]
    with leading(NAME, port, port):
        yield server.base.replace("127.0.0.1", NAME)


def test_a_name_that_was_rebound_leads_nowhere(caplog):
    with serving({"*": gives(bundle())}) as server, rebound(server) as base:
        assert client(base).follow("Condition?patient=p1").reason == "not-allowed"
        assert server.asked == []
        assert client(server.base).follow("Condition?patient=p1").reason is None
    assert f"{NAME} leads to an address that may not be called" in caplog.text
    assert "p1" not in caplog.text


def test_a_key_server_that_was_rebound_is_not_asked():
    with serving({"*": gives({"keys": []})}) as server:
        with rebound(server) as base, pytest.raises(SourceError, match="may not be called"):
            from_url(f"{base}/jwks.json")()
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


def says_no_and_waits(handler):
    handler.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9999\r\n\r\n")
    _drip(handler, b"." * 100)


def test_the_body_of_a_refusal_is_not_waited_for():
    with serving({"*": says_no_and_waits}) as server:
        began = time.monotonic()
        assert client(server.base).follow("Condition?patient=p1").reason == "http-404"
        assert time.monotonic() - began < 2


def odd_headers(handler):
    body = json.dumps(bundle()).encode()
    odd = b"HTTP/x: y\r\nHTTP: z\r\nX-Empty:\r\nX-Bytes: \xff\xfe\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    interim = b"HTTP/1.1 103 Early Hints\r\nLocation: /elsewhere\r\n\r\n"
    handler.wfile.write(interim + b"HTTP/1.1 200 OK\r\n" + odd + length + body)
    handler.close_connection = True


def test_odd_headers_do_no_harm(capfd):
    with serving({"*": odd_headers}) as server:
        assert client(server.base).follow("Condition?patient=p1").reason is None
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "a\nb", "a\x00b", "ü"])
def test_a_token_is_never_more_than_one_header(token):
    with serving({"*": gives(bundle())}) as server:
        asked = FhirClient(server.base, token, fhir_session(), time.monotonic() + 5)
        assert asked.follow("Condition?patient=p1").reason == "not-allowed"
        assert server.asked == []


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"])
def test_a_proxy_of_the_environment_is_not_used(variable, monkeypatch):
    with serving({"*": gives(bundle())}) as server, serving({}) as proxy:
        monkeypatch.setenv(variable, proxy.base)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert client(server.base).follow("Condition?patient=p1").reason is None
        assert proxy.asked == []


def test_a_link_is_sent_as_a_url_whatever_signs_it_holds():
    with serving({"*": gives(bundle())}) as server:
        odd = "Condition?patient=p1&at=a b|c\u00e9\u3042&done=%7C"
        assert client(server.base).follow(odd).reason is None
        assert server.asked == ["Condition?patient=p1&at=a%20b%7Cc%C3%A9%E3%81%82&done=%7C"]


def test_connections_are_kept_and_none_is_left_open():
    with serving({"*": gives(bundle())}) as server:
        session = fhir_session(connections=2)
        for _ in range(20):
            asked = FhirClient(server.base, None, session, time.monotonic() + 5)
            assert asked.follow("Condition?patient=p1").reason is None
        assert len(server.ports) == 1
        before = open_files()
        for _ in range(20):
            asked = FhirClient(server.base, None, fhir_session(connections=0), time.monotonic() + 5)
            assert asked.follow("Condition?patient=p1").reason is None
        assert len(server.ports) == 21
        assert open_files() <= before + 1


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


LATEX = {"resourceType": "AllergyIntolerance", "id": "latex"}


@pytest.mark.parametrize("gap", [0.05, 0.3])
def test_an_answer_too_many_is_not_taken_for_the_next_one(gap):
    """A proxy that answers twice would turn every record read after it into an empty one."""

    def twice(handler):
        gives(bundle(total=0))(handler)
        handler.wfile.flush()
        time.sleep(0.02)
        gives(bundle(total=0))(handler)

    with serving({"Condition": twice, "*": gives(bundle(LATEX))}) as server:
        session = fhir_session()

        def read(kind):
            asked = FhirClient(server.base, None, session, time.monotonic() + 5)
            return asked.follow(f"{kind}?patient=p1")

        assert not read("Condition").entries
        time.sleep(gap)
        for _ in range(2):
            assert len(read("AllergyIntolerance").entries) == 1
        assert len(server.ports) == 2


def test_a_line_serves_one_origin_alone():
    with serving({"*": gives(bundle())}) as one, serving({"*": gives(bundle())}) as other:
        session = fhir_session(connections=4)
        for server in (one, other, one, other, one):
            asked = FhirClient(server.base, None, session, time.monotonic() + 5)
            assert asked.follow("Condition?patient=p1").reason is None
        assert (len(one.ports), len(other.ports)) == (1, 1)


def test_one_address_that_may_not_be_called_does_not_hide_what_another_said():
    asked = transport._Asked("fhir.example.org", 100)
    assert asked.open(0, (socket.AF_INET, socket.SOCK_STREAM, 6, ("127.0.0.1", 80))) < 0
    assert asked.reason(pycurl.E_COULDNT_CONNECT) == "not-allowed"
    asked.open(0, (socket.AF_INET, socket.SOCK_STREAM, 6, ("192.0.2.2", 80))).close()
    assert asked.reason(pycurl.E_COULDNT_CONNECT) == "connection"


def test_a_link_in_utf_8_is_followed():
    def moved(handler):
        head = "HTTP/1.1 307 Moved\r\nLocation: /fhir/M\u00fcller\r\nContent-Length: 0\r\n\r\n"
        handler.wfile.write(head.encode())

    with serving({"Condition": moved, "*": gives(bundle())}) as server:
        assert client(server.base).follow("Condition?patient=p1").reason is None
        assert server.asked[1] == "M%C3%BCller"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a key and a certificate for localhost that no public authority signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    begins = datetime.now(UTC) - timedelta(days=1)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=9))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM
    kept = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(key.private_bytes(form, *kept) + made.public_bytes(form))
    return path


@pytest.mark.parametrize(
    ("host", "trusted", "reason"),
    [
        ("localhost", True, None),
        ("localhost", False, "connection"),
        ("127.0.0.1", True, "connection"),
    ],
)
def test_a_server_has_to_show_a_certificate_for_its_name(certificate, host, trusted, reason):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with serving({"*": gives(bundle())}) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        base = f"https://{host}:{server.server_address[1]}/fhir"
        session = fhir_session(ca_file=str(certificate) if trusted else None)
        asked = FhirClient(base, "secret", session, time.monotonic() + 5)
        assert asked.follow("Condition?patient=p1").reason == reason
        assert server.asked == ([] if reason else ["Condition?patient=p1"])


def test_names_are_looked_up_within_the_deadline():
    """Which libcurl can where it looks them up in a thread."""
    assert pycurl.version_info()[4] & pycurl.VERSION_ASYNCHDNS


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
    with silent_tls() as url, pytest.raises(transport.TransportError, match="timeout"):
        transport.Session().get(url, 0.4, most_bytes=100)
    assert time.monotonic() - began < 1.2
