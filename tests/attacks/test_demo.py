"""Attacks on what the demo alone has: page, sandbox FHIR server and its readings of others."""

from base64 import urlsafe_b64encode

import pytest

from cds_service.app import create_app
from cds_service.settings import load_settings
from tests.attacks.test_addresses import LINK_LOCAL, sought
from tests.http.fault_server import gives, serving

__all__ = ["sought"]

FHIR = "application/fhir+json"
PATIENT = {"resourceType": "Patient", "id": "evil"}


@pytest.fixture(scope="module")
def client():
    return create_app(load_settings({}), open_access=True, demo=True).test_client()


def token(base):
    return urlsafe_b64encode(base.encode()).decode().rstrip("=")


@pytest.mark.parametrize("server", LINK_LOCAL, ids=repr)
def test_the_page_reads_servers_of_this_machine_alone(client, sought, server):
    assert client.get(f"/outside/{token(server)}/Patient").status_code == 403
    client.get("/", query_string={"server": server})
    assert sought == []


@pytest.mark.parametrize(
    "form",
    ["/admin", "..%2fadmin", "%2e%2e/admin", "http://169.254.169.254/x", "//evil/x", "x?y=../"],
)
def test_the_page_reads_nothing_beside_its_server(client, form):
    with serving({"*": gives(PATIENT)}) as server:
        client.get(f"/outside/{token(server.base)}/{form}")
        assert not [one for one in server.asked if "admin" in one or "evil" in one]


@pytest.mark.parametrize("odd", ["", "x", "%00", "=" * 50, "a" * 5000, "!!!!"])
def test_what_stands_for_no_server(client, odd):
    assert client.get(f"/outside/{odd}/Patient").status_code in (403, 404)


IDS = ["x\r\nSet-Cookie: evil=1", "../../x", "x" * 65, "<script>", "", "x y", "\0", "%0d%0aX: y"]


@pytest.mark.parametrize("identity", IDS, ids=repr)
def test_an_id_is_an_id(client, identity):
    patient = PATIENT | {"id": identity}
    answers = [
        client.post("/fhir/Patient", json=patient, content_type=FHIR),
        client.put("/fhir/Patient/evil", json=patient, content_type=FHIR),
    ]
    for answer in answers:
        assert answer.status_code in (201, 400, 422)
        assert "Set-Cookie" not in answer.headers
        assert "evil=1" not in answer.headers.get("Location", "")


PATHS = [
    "/assets/../routes.py",
    "/assets/..%2froutes.py",
    "/assets/%2e%2e/%2e%2e/app.py",
    "/policies/..%2f..%2fpyproject",
    "/policies/%00",
    "/policies/value-sets/..%2f..%2fx",
    "/fhir/../cds-services",
    "/fhir/Patient/..%2f..%2fx",
    "/fhir/__class__/x",
    "/fhir/Patient/%00",
    "/insight/../../x",
]


@pytest.mark.parametrize("path", PATHS)
def test_an_address_that_leads_out(client, path):
    answer = client.get(path)
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.text
    assert "import " not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 10_000,
        b'{"resourceType":"Bundle","entry":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"resourceType":"Patient","id":NaN}',
        b'{"resourceType":"__proto__","id":"x"}',
        b'{"resourceType":["Patient"]}',
        b'{"resourceType":"Bundle","type":"transaction","entry":[{"request":null}]}',
        b'{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"X","url":"//"}}]}',
        b'{"resourceType":"Patient","id":"\xff"}',
        b"",
        b"null",
    ],
    ids=lambda body: repr(body[:40]),
)
@pytest.mark.parametrize("path", ["/fhir", "/fhir/Patient"])
def test_a_body_that_is_no_resource(client, path, body):
    answer = client.post(path, data=body, content_type=FHIR)
    assert answer.status_code < 500
    for upload in ("/patients", "/token", "/explore/compare", "/explore/suppose"):
        assert client.post(upload, data=body, content_type="application/json").status_code < 500


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example"]
)
@pytest.mark.parametrize("path", ["/", "/fhir/Patient", "/cds-services", "/policies", "/metrics"])
def test_a_name_that_is_made_to_lead_here(client, host, path):
    assert client.get(path, headers={"Host": host}).status_code == 403


def test_a_search_is_no_program(client):
    for value in ("'; DROP TABLE", "*" * 5000, "\\", "(((((a+)+)+)+)+)$", "%", "\0", "ä" * 500):
        for name in ("name", "_id", "code", "_count", "_include", "__class__"):
            answer = client.get("/fhir/Patient", query_string={name: value})
            assert answer.status_code < 500
