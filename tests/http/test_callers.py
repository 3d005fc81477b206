"""Who may call and where we call for them, over HTTP and between workers."""

import logging

import orjson
import pytest
from flask import Flask, Response

from cds_service import app as app_module
from cds_service.app import create_app
from cds_service.auth.keys import sandbox_key
from cds_service.auth.register import ClientsError
from cds_service.hooks.response import HookResponse
from cds_service.settings import load_settings
from tests.callers import DISCOVERY, ISS, PUBLIC, REVIEW, Ehr, KeyServer, clients_file, key_set
from tests.conformance.ehr import prefetch
from tests.conformance.ehr import request as order
from tests.hook_calls import assert_outcome
from tests.hook_calls import service as fake_service
from tests.live import serve
from tests.oracle import CheckedClient
from tests.unit.store_help import opened

PATH = "/cds-services/massage-order-review"


def requirement(*numbers):
    return pytest.mark.requirement(*numbers)


def caller_of(path, store=None, **variables):
    given = {"CLIENTS": str(path), "PUBLIC_URL": PUBLIC} | variables
    settings = load_settings({f"MASSAGE_CDS_{name}": value for name, value in given.items()})
    app = create_app(settings, open_access=False, demo=False, store=store)
    app.testing = True
    app.test_client_class = CheckedClient
    return app.test_client()


@pytest.fixture(scope="module")
def ehr():
    return Ehr()


@pytest.fixture
def client(tmp_path, ehr):
    return caller_of(clients_file(tmp_path, ehr))


@requirement(13, 60)
def test_discovery_services_and_feedback_need_a_token(client, ehr):
    answers = [
        client.get("/cds-services"),
        client.post(PATH, json=whole()),
        client.post(PATH, data=b"no json"),
        client.post(f"{PATH}/feedback", json={}),
        client.post("/cds-services/nothing", json={}),
    ]
    for answer in answers:
        issue = assert_outcome(answer, 401, "valid token")
        assert issue["code"] == "login"
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/cds-services", headers=ehr.bearer(DISCOVERY)).status_code == 200
    assert client.post(PATH, json=whole(), headers=ehr.bearer()).status_code == 200


@requirement(13)
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/openapi.json", "/schemas/response.json"])
def test_what_describes_the_service_needs_none(client, path):
    assert client.get(path).status_code == 200


@requirement(61, 66)
@pytest.mark.parametrize(
    "change",
    [
        {"aud": DISCOVERY},
        {"exp": 1},
        {"iss": "https://evil.example"},
        {"header": {"kid": "../../../etc/passwd"}},
        {"header": {"jku": "http://169.254.169.254/jwks.json"}},
        {"jti": "x" * 1_000_000},
    ],
)
def test_a_bad_token_is_told_nothing_but_the_log_is(client, ehr, change, caplog):
    caplog.set_level(logging.INFO)
    text = ehr.token(**change)
    answer = client.post(PATH, json=whole(), headers={"Authorization": f"Bearer {text}"})
    issue = assert_outcome(answer, 401)
    assert issue["diagnostics"] == "This call needs a valid token of a registered client."
    assert "token refused" in caplog.text
    assert text not in caplog.text


@requirement(65)
def test_the_audience_never_comes_from_host(client, ehr):
    aud = "https://evil.example/cds-services/massage-order-review"
    headers = ehr.bearer(aud) | {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    assert_outcome(client.post(PATH, json=whole(), headers=headers), 401)


@requirement(57)
@pytest.mark.parametrize(
    ("aud", "status"), [(f"{REVIEW}/feedback", 200), (REVIEW, 200), (DISCOVERY, 401)]
)
def test_feedback_takes_its_own_url_and_its_services(client, ehr, aud, status):
    entry = {
        "card": "4e0a3a1e-3283-4575-ab82-028d55fe2719",
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": "4e0a3a1e-3283-4575-ab82-028d55fe2710"}],
        "outcomeTimestamp": "2026-03-16T10:00:00Z",
    }
    body = {"feedback": [entry]}
    answer = client.post(f"{PATH}/feedback", json=body, headers=ehr.bearer(aud))
    assert answer.status_code == status


@requirement(64)
def test_a_token_used_on_one_worker_is_refused_on_another(tmp_path, ehr):
    path = clients_file(tmp_path, ehr)
    url = f"sqlite:///{tmp_path / 'shared.sqlite'}"
    with opened(tmp_path / "one", url) as first, opened(tmp_path / "two", url) as second:
        workers = [caller_of(path, store) for store in (first, second)]
        headers = ehr.bearer()
        statuses = [w.post(PATH, json=whole(), headers=headers).status_code for w in workers]
        assert statuses == [200, 401]
        other = [w.post(PATH, json=whole(), headers=ehr.bearer()).status_code for w in workers]
        assert other == [200, 200]


@requirement(64)
def test_a_tenant_that_is_not_the_clients_is_forbidden(tmp_path, ehr):
    client = caller_of(clients_file(tmp_path, ehr, 'tenants = ["north"]'))
    good = ehr.bearer(tenant="north")
    assert client.post(PATH, json=whole(), headers=good).status_code == 200
    for wrong in ({"tenant": "south"}, {}):
        answer = client.post(PATH, json=whole(), headers=ehr.bearer(**wrong))
        assert_outcome(answer, 403, "tenant")


def test_a_client_of_another_family_is_offered_that_family_alone(tmp_path, ehr):
    client = caller_of(clients_file(tmp_path, ehr, 'family = "crd"'))
    found = client.get("/cds-services", headers=ehr.bearer(DISCOVERY)).get_json()["services"]
    ids = [one["id"] for one in found]
    assert ids == ["order-sign-crd", "order-select-crd", "order-dispatch-crd"]
    assert_outcome(client.post(PATH, json=whole(), headers=ehr.bearer()), 403, "offered")


@pytest.mark.parametrize(("sent", "expected"), [("true", 1), ("false", 0)])
def test_system_actions_go_to_clients_that_take_them(tmp_path, ehr, monkeypatch, sent, expected):
    action = {"type": "delete", "description": "Take it out", "resourceId": "ServiceRequest/sr-1"}
    acting = fake_service(
        "massage-order-review", lambda _: HookResponse(cards=[], system_actions=[action])
    )
    monkeypatch.setattr(app_module, "build_services", lambda *_: [acting])
    client = caller_of(clients_file(tmp_path, ehr, f"system_actions = {sent}"))
    answer = client.post(PATH, json=whole(), headers=ehr.bearer()).get_json()
    assert len(answer.get("systemActions", [])) == expected


@requirement(63)
def test_keys_rotate_and_serve_on_while_their_server_is_down(tmp_path):
    ehr, new = Ehr(kid="old"), Ehr(kid="new")
    keys = KeyServer(ehr.keys)
    with serve(keys.app) as url:
        jku = f"{url}/jwks.json"
        client = caller_of(_by_url(tmp_path, jku))
        assert _status(client, ehr, header={"jku": jku}) == 200
        assert _status(client, new) == 401
        assert keys.asked == 2
        keys.body = new.keys
        assert _status(client, new) == 401, "asked again within 5 s"
        assert keys.asked == 2
    assert _status(client, ehr) == 200


@requirement(63)
def test_a_key_server_that_is_down_at_the_start_stops_nothing(tmp_path, ehr):
    keys = KeyServer(ehr.keys)
    keys.status = 503
    with serve(keys.app) as url:
        client = caller_of(_by_url(tmp_path, f"{url}/jwks.json"))
        keys.status = 200
        assert _status(client, ehr) == 200


def whole():
    """Return a call that needs no FHIR server."""
    return order(prefetch=prefetch())


def _by_url(folder, jku):
    path = folder / "clients.toml"
    path.write_text(f'[[client]]\niss = "{ISS}"\njku = "{jku}"\n', encoding="utf-8")
    return path


def _status(client, ehr, **changes):
    return client.post(PATH, json=whole(), headers=ehr.bearer(**changes)).status_code


class Elsewhere:
    """A server that must not be reached, and one that sends callers there."""

    def __init__(self):
        self.reached = []
        self.to = ""
        self.app = Flask("elsewhere")
        self.app.before_request(self.answer)

    def answer(self):
        self.reached.append(self.to)
        return Response("", 302, {"Location": self.to}) if self.to else Response("{}")


def _unread(client, ehr, server):
    grant = {
        "access_token": "secret",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": "cds",
    }
    some = {key: value for key, value in prefetch().items() if key != "conditions"}
    body = order(
        fhirServer=server,
        fhirAuthorization=grant,
        prefetch=some,
        extension={"massage-cds.explain": True},
    )
    answer = client.post(PATH, data=orjson.dumps(body), headers=ehr.bearer() | JSON)
    assert answer.status_code == 200, answer.text
    (found,) = answer.get_json()["extension"]["massage-cds.evaluations"]
    return {hole["reason"] for hole in found["unread"]}


JSON = {"Content-Type": "application/json"}


@requirement(33)
@pytest.mark.parametrize(
    "server",
    [
        "http://169.254.169.254/latest",
        "https://169.254.169.254/latest",
        "https://10.0.0.7/fhir",
        "https://[fe80::1]/fhir",
        "https://ehr.example.org.evil.example/fhir",
        "https://evil.example/fhir",
    ],
)
def test_only_a_clients_own_servers_are_called(tmp_path, ehr, server):
    servers = 'fhir_servers = ["https://ehr.example.org/fhir"]'
    client = caller_of(clients_file(tmp_path, ehr, servers))
    assert _unread(client, ehr, server) == {"not-allowed"}


@requirement(33)
def test_a_server_on_this_machine_is_called_only_where_it_is_listed(tmp_path, ehr):
    local = Elsewhere()
    with serve(local.app) as url:
        client = caller_of(clients_file(tmp_path, ehr))
        assert _unread(client, ehr, f"{url}/fhir") == {"not-allowed"}
        assert local.reached == []
        listed = caller_of(clients_file(tmp_path, ehr, f'fhir_servers = ["{url}/fhir"]'))
        assert _unread(listed, ehr, f"{url}/fhir") == {"not-fhir"}
        assert local.reached


@requirement(33)
@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "other", "/admin"])
def test_no_redirect_leads_elsewhere(tmp_path, ehr, target):
    listed, other = Elsewhere(), Elsewhere()
    with serve(listed.app) as url, serve(other.app) as other_url:
        listed.to = other_url if target == "other" else target
        client = caller_of(clients_file(tmp_path, ehr, f'fhir_servers = ["{url}/fhir"]'))
        assert _unread(client, ehr, f"{url}/fhir") == {"not-allowed"}
        assert listed.reached
        assert other.reached == []


SANDBOX = "https://sandbox.cds-hooks.org/.well-known/jwks.json"


def test_the_sandbox_key_stops_the_start(tmp_path, ehr, sandbox_jwk):
    path = clients_file(tmp_path, ehr)
    (tmp_path / "keys.json").write_bytes(key_set(sandbox_jwk))
    with pytest.raises(ClientsError, match="Sandbox"):
        caller_of(path)
    with pytest.raises(ClientsError, match="Sandbox"):
        caller_of(_by_url(tmp_path, SANDBOX))
    keys = KeyServer(key_set(sandbox_jwk))
    with serve(keys.app) as url, pytest.raises(ClientsError, match="Sandbox"):
        caller_of(_by_url(tmp_path, f"{url}/jwks.json"))


@pytest.fixture
def sandbox_jwk():
    return dict(sandbox_key())


def test_a_key_file_that_cannot_be_used_stops_the_start(tmp_path, ehr):
    path = clients_file(tmp_path, ehr)
    (tmp_path / "keys.json").write_text('{"keys": []}')
    with pytest.raises(ClientsError, match=r"keys\.json"):
        caller_of(path)


def test_clients_need_a_public_url(tmp_path, ehr):
    with pytest.raises(ClientsError, match="PUBLIC_URL"):
        caller_of(clients_file(tmp_path, ehr), PUBLIC_URL="")
