"""Attacks by body, method and address: each is refused as every error is, or does nothing."""

import gzip
import io
import json

import pytest

from tests.conformance.ehr import EXPLAIN, PATIENT, REVIEW, call, client, evaluations, prefetch
from tests.conformance.ehr import request as order
from tests.hook_calls import assert_outcome

JSON = "application/json"
DEEP = 10_000
MEGABYTE = 1024 * 1024


def whole(**more):
    return order(prefetch=prefetch(), **more)


def sent(data, content_type=JSON, **headers):
    return client().post(REVIEW, data=data, content_type=content_type, headers=headers)


def spliced(text, where="prefetch"):
    """Return a good call with raw text in place of one member's value."""
    body = json.dumps(whole() | {where: "HERE"})
    return body.replace('"HERE"', text).encode()


@pytest.mark.parametrize("opening", ["[", '{"a":'], ids=["arrays", "objects"])
@pytest.mark.parametrize("closed", [True, False])
def test_json_10000_deep(opening, closed):
    ending = {"[": "]", '{"a":': "}"}[opening]
    deep = opening * DEEP + "1" + (ending * DEEP if closed else "")
    for body in (deep.encode(), spliced(deep), spliced(deep, "extension")):
        assert_outcome(sent(body), 400)


def test_json_as_deep_as_it_may_be_is_answered():
    deep = "[" * 200 + "]" * 200
    assert call(whole(extension=EXPLAIN | {"deep": json.loads(deep)})).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        '{"patient": null, "patient": null}',
        '{"conditions": {"resourceType": "Bundle", "resourceType": "Patient"}}',
        '{"a": 1, "\\u0061": 2}',
        '{"a": {"b": [{"c": 1, "c": 1}]}}',
        '{"a": 1, "a": "\\u003a"}',
        '{"a": 1, "a": 2, "b": "\\u003A"}',
    ],
)
def test_duplicate_keys(text):
    assert_outcome(sent(spliced(text)), 400, "twice")


def test_a_duplicate_patient():
    body = json.dumps(whole()).replace('"patientId"', '"patientId": "another", "patientId"', 1)
    assert_outcome(sent(body.encode()), 400, "twice")


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "nan", "1e", "01", "+1", ".5", "1."]
)
def test_what_is_no_number(text):
    assert_outcome(sent(spliced(text, "extension")), 400)


@pytest.mark.parametrize(
    "text", ["1e308", "1e309", "-1e309", "1e-400", "9" * 400, "-" + "9" * 19, "9" * 19, "0.1e1"]
)
def test_huge_numbers_are_refused_or_do_no_harm(text):
    held = prefetch()
    held["measures"]["entry"][0]["resource"]["valueQuantity"] = {"value": "HERE", "unit": "1"}
    body = json.dumps(order(prefetch=held)).replace('"HERE"', text)
    assert sent(body.encode()).status_code in (200, 400)


@pytest.mark.parametrize("text", ["\\ud800", "\\udfff", "\\udc00\\ud800", "\\ud83d", "x\\udbff"])
def test_lone_surrogates(text):
    assert_outcome(sent(spliced(f'{{"a": "{text}"}}', "extension")), 400)
    assert_outcome(sent(spliced(f'{{"{text}": 1}}', "extension")), 400)


@pytest.mark.parametrize(
    "raw", [b"\xed\xa0\x80", b"\xff", b"\xc0\xaf", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x00", b"\n"]
)
def test_bytes_that_are_no_utf_8(raw):
    body = spliced('{"a": "HERE"}', "extension").replace(b"HERE", raw)
    assert_outcome(sent(body), 400)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_another_encoding(encoding):
    text = json.dumps(whole() | {"extension": {"note": "Größe ☂"}}, ensure_ascii=False)
    assert_outcome(sent(text.encode(encoding)), 400)
    declared = sent(text.encode(encoding), f"{JSON}; charset={encoding}")
    assert_outcome(declared, 415)


@pytest.mark.parametrize("kind", ["text/plain", "text/html", "multipart/form-data", "", "x" * 9000])
def test_another_content_type(kind):
    assert_outcome(sent(json.dumps(whole()).encode(), kind), 415)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "identity, gzip", "x"])
def test_a_compressed_body(coding):
    bomb = gzip.compress(b" " * 10 * MEGABYTE)
    answer = sent(bomb, **{"Content-Encoding": coding})
    assert_outcome(answer, 415)


def test_a_body_of_60_megabytes():
    assert_outcome(sent(b" " * 60 * MEGABYTE), 413)


def test_a_body_of_60_megabytes_of_unsaid_length():
    environ = {
        "wsgi.input": io.BytesIO(b" " * 60 * MEGABYTE),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    answer = client().post(REVIEW, content_type=JSON, environ_overrides=environ)
    assert_outcome(answer, 413)


@pytest.mark.parametrize("tail", [b"{}", b"x", b"\0", b"]", b"//", b",", b"\x1a"])
def test_what_follows_the_object(tail):
    assert_outcome(sent(json.dumps(whole()).encode() + tail), 400)


@pytest.mark.parametrize("name", ["__proto__", "constructor", "prototype", "__class__", "toString"])
def test_names_that_mean_something_elsewhere(name):
    polluted = {name: {"cards": [], "admin": True, "isAdmin": True}}
    body = whole() | polluted
    body["context"] |= polluted
    body["prefetch"] |= polluted
    for entry in body["prefetch"]["conditions"]["entry"]:
        entry["resource"] |= polluted
    before, after = call(whole()), call(body)
    assert after.get_json()["cards"] == before.get_json()["cards"]
    assert name.encode() not in after.get_data()


def test_an_extension_does_not_reach_the_answer():
    body = whole(extension=EXPLAIN | {"systemActions": [{"type": "delete"}], "cards": []})
    answer = call(body).get_json()
    assert set(answer["extension"]) == {"massage-cds.evaluations"}


@pytest.mark.parametrize(
    "hook", ["order-sign\n", "ORDER-SIGN", "order-sign\0", "../order-sign", "*"]
)
def test_a_hook_of_another_spelling(hook):
    assert_outcome(call(whole() | {"hook": hook}), 400)


@pytest.mark.parametrize(
    "instance", ["x", "../x", "'; DROP TABLE guidance; --", "x" * 100_000, "a\r\nSet-Cookie: a=b"]
)
def test_an_instance_that_is_no_uuid(instance):
    answer = call(whole() | {"hookInstance": instance})
    assert_outcome(answer, 400)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "patient", ["../Patient/x", "x?_has=y", "x/../y", "x\r\nHost: evil", "x,y", "*", "ä"]
)
def test_a_patient_id_that_would_change_the_query(patient):
    assert_outcome(call(whole() | {"context": whole()["context"] | {"patientId": patient}}), 400)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "X"])
@pytest.mark.parametrize("path", [REVIEW, f"{REVIEW}/feedback"])
def test_another_method(method, path):
    assert_outcome(client().open(path, method=method, json=whole()), 405)


@pytest.mark.parametrize("path", ["/cds-services", "/openapi.json", "/livez", "/metrics"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_what_is_read_is_not_written(path, method):
    assert_outcome(client().open(path, method=method, json={}), 405)


def test_a_method_is_what_the_request_line_says():
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        answer = client().post(REVIEW, json=whole(), headers={name: "DELETE"})
        assert answer.status_code == 200
    assert_outcome(client().get(f"{REVIEW}?_method=POST"), 405)


PATHS = [
    "/schemas/../../pyproject.toml",
    "/schemas/..%2f..%2fpyproject.json",
    "/schemas/%2e%2e/%2e%2e/app.json",
    "/schemas/%252e%252e%252fopenapi.json",
    "/schemas/..\\..\\openapi.json",
    "/schemas//etc/passwd.json",
    "/schemas/request.json%00.json",
    "/schemas/__init__.py",
    "/schemas/request.JSON",
    "/schemas/",
    "/schemas",
    "/fhir/Questionnaire/../../livez/x",
    "/fhir/Questionnaire/..%2f..%2fetc%2fpasswd",
    "/fhir/Patient/1",
    "/fhir",
    "/cds-services/..%2flivez",
    "/cds-services/%00",
    "//cds-services",
    "/cds-services/",
    "/cds-services/massage-order-review%0d%0aX:y",
    "/CDS-SERVICES",
    "/.git/config",
    "/static/../app.py",
]


@pytest.mark.parametrize("path", PATHS)
def test_an_address_that_leads_out(path):
    answer = client().get(path)
    assert 400 <= answer.status_code < 500
    assert_outcome(answer, answer.status_code)
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "origin", ["null", "https://evil.example", "http://localhost.evil.example"]
)
def test_a_page_that_is_not_listed_may_not_read(origin):
    answer = client().post(REVIEW, json=whole(), headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_what_a_call_sends_becomes_no_header():
    evil = "x\r\nSet-Cookie: evil=1"
    body = whole() | {"extension": EXPLAIN | {evil: evil}}
    body["context"]["userId"] = "Practitioner/x"
    answer = client().post(f"{REVIEW}?x=%0d%0aSet-Cookie:%20evil=1", json=body)
    assert "evil" not in str(answer.headers)


def test_feedback_is_no_way_around():
    for body in ({"feedback": [None]}, {"feedback": {}}, {"feedback": [[]]}, [], {"feedback": 5}):
        assert_outcome(client().post(f"{REVIEW}/feedback", json=body), 400)
    entry = {"card": "x' OR 1=1 --", "outcome": "overridden", "outcomeTimestamp": "x"}
    assert_outcome(client().post(f"{REVIEW}/feedback", json={"feedback": [entry]}), 400)


def test_after_all_that_the_same_call_is_answered_as_before():
    (found,) = evaluations(call(whole()))
    assert found["coverage"]
    assert PATIENT
