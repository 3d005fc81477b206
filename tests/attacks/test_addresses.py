"""Attacks by address: nothing is called but what is listed, and no token travels elsewhere."""

import socket
import threading
import time
from contextlib import contextmanager

import pycurl
import pytest

from tests.attacks.test_tokens import EHR, PATH
from tests.callers import KeyServer, clients_file
from tests.conformance.ehr import (
    EXPLAIN,
    bundle,
    call,
    gives,
    grant,
    of_type,
    prefetch,
    server_answers,
    serving,
)
from tests.conformance.ehr import request as order
from tests.http.fault_server import Handler, link
from tests.http.names import leading, unreached
from tests.http.test_callers import caller_of
from tests.live import resources_of, serve

LISTED = "https://ehr.example.org/fhir"
TOKEN = "s3cret-token"
LINK_LOCAL = [
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.169.254/fhir",
    "http://2852039166/fhir",
    "http://0251.0376.0251.0376/fhir",
    "http://0xa9fea9fe/fhir",
    "http://0xa9.0xfe.0xa9.0xfe/fhir",
    "http://169.254.43518/fhir",
    "http://[::ffff:169.254.169.254]/fhir",
    "http://[::ffff:a9fe:a9fe]/fhir",
    "http://[64:ff9b::a9fe:a9fe]/fhir",
    "http://[fe80::1]/fhir",
    "http://[fe80::1%25eth0]/fhir",
    "http://[fd00:ec2::254]/fhir",
    "http://169.254.169.254.nip.io/fhir",
    "http://metadata.google.internal/fhir",
    "http://100.100.100.200/fhir",
]
PRIVATE = [
    "https://10.0.0.7/fhir",
    "https://192.168.0.1/fhir",
    "https://172.16.0.1/fhir",
    "http://127.0.0.1:9/fhir",
    "http://127.1/fhir",
    "http://2130706433/fhir",
    "http://0x7f.1/fhir",
    "http://0177.0.0.1/fhir",
    "http://0.0.0.0/fhir",
    "http://0/fhir",
    "http://[::]/fhir",
    "http://[::1]/fhir",
    "http://[::ffff:127.0.0.1]/fhir",
    "http://localhost/fhir",
    "http://localhost./fhir",
    "http://LOCALHOST/fhir",
]
TRICKS = [
    "https://ehr.example.org@169.254.169.254/fhir",
    "https://ehr.example.org:443@169.254.169.254/fhir",
    "https://169.254.169.254#@ehr.example.org/fhir",
    "https://169.254.169.254?@ehr.example.org/fhir",
    "https://169.254.169.254\\@ehr.example.org/fhir",
    "https://ehr.example.org\\.evil.example/fhir",
    "https://ehr.example.org.evil.example/fhir",
    "https://ehr.example.org./fhir",
    "https://ehr.example.org%2eevil.example/fhir",
    "https://ehr.example.org%00.evil.example/fhir",
    "https://ehr。example。org.evil.example/fhir",
    "https://ehr.example.org:8443/fhir",
    "https://ehr.example.org:0/fhir",
    "https://ehr.example.org:99999/fhir",
    "http://ehr.example.org/fhir",
    "https://ehr.example.org/",
    "https://ehr.example.org/fhirs",
    "https://ehr.example.org/fhir/../admin",
    "https://ehr.example.org/fhir/%2e%2e/admin",
    "https://ehr.example.org/fhir/%252e%252e/admin",
    "https://ehr.example.org/fhir/..%5cadmin",
    "https://ehr.example.org/fhir?x=",
    "https://ehr.example.org/fhir#",
    "https://ehr.example.org/fhir;x=/..",
    "//169.254.169.254/fhir",
    "https:169.254.169.254/fhir",
    "https:///169.254.169.254/fhir",
    "file:///etc/passwd",
    "gopher://169.254.169.254:70/_x",
    "ftp://169.254.169.254/",
    "dict://127.0.0.1:11211/stat",
    "javascript:alert(1)",
    "https://ehr.example.org\r\nHost: evil.example/fhir",
    "https://ehr.example.org /fhir",
    "\thttp://169.254.169.254/fhir",
]


@pytest.fixture
def sought(monkeypatch):
    """Note every host that is looked up or connected to; none is reached."""
    found = []

    def refuse(*address, **_):
        found.append(address)
        raise OSError("nobody is reached in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(pycurl, "Curl", unreached(found))
    return found


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clients")
    return caller_of(clients_file(folder, EHR, f'fhir_servers = ["{LISTED}"]'))


def lacking(server, **more):
    """Return a call that needs the server for conditions alone."""
    held = {key: value for key, value in prefetch().items() if key != "conditions"}
    given = {"fhirServer": server, "fhirAuthorization": grant(access_token=TOKEN)}
    return order(prefetch=held, extension=EXPLAIN, **given) | more


def reasons(answer):
    assert answer.status_code == 200, answer.text
    (found,) = answer.get_json()["extension"]["massage-cds.evaluations"]
    return {hole["reason"] for hole in found["unread"]}


def unread_or_refused(answer):
    """Hold that a server was not called: the URL is refused, or its data are a hole."""
    if answer.status_code == 400:
        assert "fhirServer" in answer.get_json()["issue"][0]["diagnostics"]
    else:
        assert reasons(answer) == {"not-allowed"}


@pytest.mark.requirement(33)
@pytest.mark.parametrize("server", [*LINK_LOCAL, *PRIVATE, *TRICKS], ids=repr)
def test_a_client_may_name_its_own_servers_alone(client, sought, server):
    unread_or_refused(client.post(PATH, json=lacking(server), headers=EHR.bearer()))
    assert sought == []


@pytest.mark.requirement(33)
def test_the_listed_server_is_sought_so_that_the_others_were_not_for_their_address(client, sought):
    answer = client.post(PATH, json=lacking(LISTED), headers=EHR.bearer())
    assert reasons(answer) == {"connection"}
    assert sought
    assert all(url.startswith(f"{LISTED}/") for url in sought)


NOT_HERE = [one for one in LINK_LOCAL if one.startswith("http")] + [
    "http://127.0.0.1.nip.io/fhir",
    "http://localhost.evil.example/fhir",
    "http://127.0.0.1@169.254.169.254/fhir",
    "http://169.254.169.254#@127.0.0.1/fhir",
    "http://0.0.0.0/fhir",
    "http://[::]/fhir",
    "https://10.0.0.7/fhir",
]


@pytest.mark.requirement(33, 34)
@pytest.mark.parametrize("server", NOT_HERE, ids=repr)
def test_an_open_service_calls_this_machine_alone(sought, server):
    unread_or_refused(call(lacking(server)))
    assert sought == []


@pytest.mark.requirement(31, 33)
def test_a_listed_name_that_is_made_to_lead_here_leads_nowhere(tmp_path):
    """DNS says that the listed host is this machine: not even a connection is made."""
    asked = caller_of(clients_file(tmp_path, EHR, f'fhir_servers = ["{LISTED}"]'))
    heard = []
    with _listening(heard) as port, leading("ehr.example.org", 443, port):
        answer = asked.post(PATH, json=lacking(LISTED), headers=EHR.bearer())
    assert reasons(answer) == {"not-allowed"}
    assert heard == []


@contextmanager
def _listening(heard):
    """Answer as a web server would, and note the first bytes of each connection."""

    class Plain(Handler):
        def handle(self):
            heard.append(self.request.recv(65536))
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with serving({}) as server:
        server.RequestHandlerClass = Plain
        yield server.server_address[1]


def moved(to):
    return lambda handler: handler.send(b"", 302, Location=to)


def _elsewhere(other, server):
    here = server.base.removesuffix("/fhir")
    return {
        "another port": f"{other.base}/Condition",
        "by user part": f"http://{other.base.removeprefix('http://').split('/')[0]}@127.0.0.1/",
        "without scheme": other.base.removeprefix("http:"),
        "above the base": f"{here}/admin",
        "by dots": f"{server.base}/../admin",
        "by coded dots": f"{server.base}/%2e%2e/admin",
        "link-local": "http://169.254.169.254/latest",
        "a file": "file:///etc/passwd",
        "nowhere": "http://[::1",
        "empty": "",
    }


PLACES = [
    "another port",
    "by user part",
    "without scheme",
    "above the base",
    "by dots",
    "by coded dots",
    "link-local",
    "a file",
    "nowhere",
    "empty",
]


@pytest.mark.requirement(28, 31, 33)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", ["redirect", "next", "reference"])
def test_no_way_leads_from_a_server_to_another(place, way):
    with serving({}) as other, serving(server_answers()) as server:
        to = _elsewhere(other, server)[place]
        asked = lacking(server.base)
        if way == "redirect":
            server.answers = server_answers(Condition=moved(to))
        elif way == "next":
            page = bundle(*of_type("Condition"), link=link(to))
            server.answers = server_answers(Condition=gives(page))
        else:
            (entry,) = asked["context"]["draftOrders"]["entry"]
            entry["resource"]["requester"] = {"reference": f"{to}/Practitioner/evil"}
        answer = call(asked)
        assert answer.status_code == 200
        assert other.asked == []
        assert not [one for one in server.asked if "admin" in one or "passwd" in one]
    if way != "reference" and place != "empty":
        assert reasons(answer) == {"not-allowed"}


@pytest.mark.requirement(31)
def test_a_redirect_within_the_server_is_followed_once():
    with serving({}) as server:
        server.answers = server_answers(Condition=moved(f"{server.base}/Condition"))
        answer = call(lacking(server.base))
        assert server.asked.count("Condition") == 1
    assert reasons(answer) == {"not-allowed"}


@pytest.mark.requirement(24, 33)
def test_the_body_of_a_redirect_is_not_read():
    ended = threading.Event()

    def trickle(handler):
        handler.send(b"x", 302, Location="/elsewhere", length="100000000")
        try:
            for _ in range(400):
                handler.wfile.write(b"x" * 65536)
                handler.wfile.flush()
                time.sleep(0.005)
        except OSError:
            ended.set()

    with serving(server_answers(Condition=trickle)) as server:
        began = time.monotonic()
        assert reasons(call(lacking(server.base))) == {"not-allowed"}
        assert ended.wait(5), "the connection is closed while the body still comes"
        assert time.monotonic() - began < 4


@pytest.mark.requirement(28, 33)
def test_the_next_page_of_prefetch_leads_nowhere_else():
    with serving({}) as other, serving(server_answers()) as server:
        body = lacking(server.base)
        body["prefetch"]["measures"] |= {"link": link(f"{other.base}/Observation?page=2")}
        answer = call(body)
        assert answer.status_code == 200
        assert other.asked == []


@pytest.mark.requirement(31)
def test_neither_cookies_nor_a_password_of_this_machine_travel(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login root password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serving({}) as proxy, serving(server_answers()) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.base)
        monkeypatch.setenv("http_proxy", proxy.base)
        answer = call(lacking(server.base) | {"fhirAuthorization": grant(access_token=TOKEN)})
        assert answer.status_code == 200
        assert proxy.asked == []
        assert set(server.tokens) == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    "reference", ["Patient/other", "../admin/x", "Condition/../../x", "#x/../y"]
)
def test_a_reference_is_no_path(reference):
    with serving(server_answers()) as server:
        body = lacking(server.base)
        (entry,) = body["context"]["draftOrders"]["entry"]
        entry["resource"]["reasonReference"] = [{"reference": reference}]
        assert call(body).status_code == 200
        assert server.asked
        assert not [one for one in server.asked if ".." in one or "other" in one]


def test_the_key_server_of_a_client_is_asked_without_redirect(tmp_path):
    keys = KeyServer(b"{}")
    other = KeyServer(EHR.keys)
    with serve(keys.app) as url, serve(other.app) as other_url:
        keys.status, keys.location = 302, f"{other_url}/jwks.json"
        path = tmp_path / "clients.toml"
        path.write_text(f'[[client]]\niss = "{EHR.iss}"\njku = "{url}/jwks.json"\n')
        answer = caller_of(path).post(PATH, json=order(), headers=EHR.bearer())
    assert answer.status_code == 401
    assert (bool(keys.asked), other.asked) == (True, 0)


def test_every_resource_of_prefetch_is_known():
    """So that `lacking` lacks what it says: the tests above rest on it."""
    known = resources_of(lacking("x")["prefetch"])
    assert known
    assert not any(one.startswith("Condition/") for one in known)
