import logging
from io import BytesIO

import orjson
import pytest
from werkzeug.test import create_environ

from cds_service.hooks.errors import HookError
from cds_service.hooks.response import HookResponse
from tests.hook_calls import (
    CARD,
    INSTANCE,
    LIMIT,
    PAGE,
    REQUEST,
    assert_outcome,
    changed,
    client_of,
    service,
)

URL = "/cds-services/review"


def post(body, content_type="application/json", client=None, **headers):
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return (client or client_of()).post(URL, data=data, content_type=content_type, headers=headers)


def test_a_good_call_is_answered():
    response = post(REQUEST)
    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.get_json() == {"cards": [CARD]}


def test_nothing_to_say_is_an_empty_list():
    quiet = client_of(service(handler=lambda request: HookResponse([])))
    assert post(REQUEST, client=quiet).get_json() == {"cards": []}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        b"[]",
        b'"text"',
        b"null",
        b'{"hook": NaN}',
        b'{"hook": "\\ud800"}',
        b'{"hook": "\xff"}',
        b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"\xef\xbb\xbf{}",
        b'{"hook": "order-sign", "hook": "order-sign"}',
        b'{"context": {"patientId": "p1", "patientId" : "p2"}}',
        b'{"n": ' + b"9" * 6000 + b', "m": 1, "m": 2}',
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body):
    issue = assert_outcome(post(body), 400)
    assert issue["code"] == "structure"


@pytest.mark.parametrize(
    ("number", "status"),
    [(b"1.50", 200), (b"1E-400", 200), (b"9" * 40, 200), (b"1e999", 400), (b"9" * 400, 400)],
)
def test_a_number_that_no_double_holds_is_refused(number, status):
    body = orjson.dumps(changed("pad", "@")).replace(b'"@"', number)
    assert post(body).status_code == status


@pytest.mark.parametrize("text", ['a ":" in a text', '\\":', "\u2028"])
def test_text_that_looks_like_a_key_is_no_duplicate(text):
    assert post(changed("remark", {"text": text})).status_code == 200


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("hook", None, "hook"),
        ("hook", 7, "hook"),
        ("hook", "order-select", "hook"),
        ("hookInstance", None, "hookInstance"),
        ("hookInstance", "one", "hookInstance"),
        ("hookInstance", f"{{{INSTANCE}}}", "hookInstance"),
        ("hookInstance", f"{INSTANCE}\n", "hookInstance"),
        ("context", None, "context"),
        ("context", [], "context"),
        ("context.patientId", None, "context.patientId"),
        ("context.patientId", "", "context.patientId"),
        ("context.patientId", "Patient/p1", "context.patientId"),
        ("context.patientId", "p1?x=y", "context.patientId"),
        ("context.patientId", {"id": "p1"}, "context.patientId"),
        ("context.userId", None, "context.userId"),
        ("context.userId", "someone", "context.userId"),
        ("context.draftOrders", None, "context.draftOrders"),
        ("context.draftOrders", [], "context.draftOrders"),
        ("context.draftOrders", {"resourceType": "List"}, "context.draftOrders.resourceType"),
        ("fhirServer", "ftp://example.org/fhir", "fhirServer"),
        ("fhirServer", "/fhir", "fhirServer"),
        ("fhirServer", "http://localhost@example.org/fhir", "fhirServer"),
        ("fhirServer", "http://localhost:99999999/fhir", "fhirServer"),
        ("fhirServer", "http://[::1/fhir", "fhirServer"),
        ("fhirServer", {}, "fhirServer"),
        ("fhirAuthorization", "token", "fhirAuthorization"),
        ("fhirAuthorization", {}, "fhirAuthorization.access_token"),
        ("fhirAuthorization", {"access_token": "a\r\nb"}, "fhirAuthorization.access_token"),
        (
            "fhirAuthorization",
            {"access_token": "a", "token_type": "MAC"},
            "fhirAuthorization.token_type",
        ),
        ("prefetch", [], "prefetch"),
    ],
)
def test_a_request_that_breaks_the_protocol_is_refused(path, value, place):
    issue = assert_outcome(post(changed(path, value)), 400)
    assert issue["expression"] == [place]


@pytest.mark.parametrize(
    "path", ["hook", "hookInstance", "context", "context.patientId", "context.draftOrders"]
)
def test_a_missing_member_is_named(path):
    issue = assert_outcome(post(changed(path)), 400, path)
    assert issue["code"] == "required"


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("context.draftOrders.entry", {"resource": {}}, "entry"),
        ("context.draftOrders.entry", [7], "entry[0]"),
        ("context.draftOrders.entry", [{}], "entry[0].resource"),
        ("context.draftOrders.entry.0.resource", "{}", "entry[0].resource"),
        ("context.draftOrders.entry.0.resource", {"id": "x"}, "entry[0].resource.resourceType"),
        (
            "context.draftOrders.entry.0.resource.subject",
            {"reference": "Patient/p2"},
            "entry[0].resource.subject",
        ),
        (
            "context.draftOrders.entry.0.resource.subject",
            {"reference": "https://x.org/fhir/Patient/p2/_history/1"},
            "entry[0].resource.subject",
        ),
        (
            "context.draftOrders.entry",
            [{"resource": {"resourceType": "Task", "id": "t"}}] * 2,
            "entry[1].resource.id",
        ),
    ],
)
def test_fhir_that_cannot_be_what_it_says_is_refused(path, value, place):
    issue = assert_outcome(post(changed(path, value)), 422)
    assert issue["expression"] == [f"context.draftOrders.{place}"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("extra", {"a": None}),
        ("context.extra", [1]),
        ("context.encounterId", None),
        ("context.encounterId", 7),
        ("context.draftOrders.entry", []),
        ("context.draftOrders.entry", None),
        ("context.draftOrders.entry.0.fullUrl", "urn:uuid:x"),
        ("context.draftOrders.entry.0.resource.subject", None),
        ("context.draftOrders.entry.0.resource.subject", {"reference": "#p"}),
        ("context.draftOrders.entry.0.resource.subject", {"reference": "urn:uuid:1"}),
        ("context.draftOrders.entry.0.resource.id", None),
        ("fhirServer", None),
        ("fhirServer", "https://ehr.example.org/fhir/"),
        ("fhirAuthorization", None),
        ("fhirAuthorization", {"access_token": "a", "patient": "p1", "expires_in": "soon"}),
        ("prefetch", None),
        ("extension", []),
        ("hookInstance", INSTANCE.upper()),
    ],
)
def test_what_the_protocol_leaves_open_is_tolerated(path, value):
    assert post(changed(path, value)).status_code == 200


def test_a_token_for_another_patient_is_forbidden():
    grant = {"access_token": "secret", "patient": "p2"}
    response = post(changed("fhirAuthorization", grant))
    assert_outcome(response, 403, "another patient")
    assert "secret" not in response.text


def test_a_token_needs_its_server():
    request = changed("fhirAuthorization", {"access_token": "a"})
    del request["fhirServer"]
    issue = assert_outcome(post(request), 400)
    assert issue["expression"] == ["fhirServer"]


def test_an_unknown_service_is_not_found_whatever_the_body():
    assert_outcome(client_of().post("/cds-services/other", data=b"{"), 404, "review")


def test_an_unknown_path_is_not_found():
    assert_outcome(client_of().get("/elsewhere"), 404)


@pytest.mark.parametrize(("method", "path"), [("GET", URL), ("POST", "/cds-services")])
def test_a_wrong_method_names_the_right_ones(method, path):
    response = client_of().open(path, method=method)
    assert_outcome(response, 405)
    assert {"POST", "GET"} & set(response.headers["Allow"].split(", "))


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/json; charset=latin-1"])
def test_another_content_type_is_refused(content_type):
    assert_outcome(post(REQUEST, content_type), 415, "application/json")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json;charset=UTF-8", "application/fhir+json; charset=utf-8"],
)
def test_the_content_types_of_json_are_accepted(content_type):
    assert post(REQUEST, content_type).status_code == 200


def test_a_compressed_body_is_refused():
    assert_outcome(post(REQUEST, **{"Content-Encoding": "gzip"}), 415, "Content-Encoding")


def test_a_body_over_the_limit_is_refused():
    assert_outcome(post(changed("pad", "x" * LIMIT)), 413, str(LIMIT))


def test_a_chunked_body_over_the_limit_is_refused():
    environ = create_environ(URL, method="POST", content_type="application/json")
    environ["wsgi.input"] = BytesIO(orjson.dumps(changed("pad", "x" * LIMIT)))
    environ["wsgi.input_terminated"] = True
    environ.pop("CONTENT_LENGTH", None)
    assert_outcome(client_of().open(environ), 413, str(LIMIT))


def test_a_chunked_body_within_the_limit_is_read_whole():
    environ = create_environ(URL, method="POST", content_type="application/json")
    environ["wsgi.input"] = BytesIO(orjson.dumps(REQUEST))
    environ["wsgi.input_terminated"] = True
    environ.pop("CONTENT_LENGTH", None)
    assert client_of().open(environ).status_code == 200


def test_what_a_handler_cannot_get_is_a_precondition():
    def handler(request):
        raise HookError(412, "processing", "prefetch.patient is needed and cannot be had")

    assert_outcome(post(REQUEST, client=client_of(service(handler=handler))), 412, "patient")


def test_a_failure_says_nothing_internal_and_logs_no_clinical_value(caplog):
    def handler(request):
        try:
            raise KeyError("Jane Roe")
        except KeyError as error:
            raise ValueError("M54.50 of Jane Roe") from error

    client = client_of(service(handler=handler), testing=False)
    with caplog.at_level(logging.DEBUG):
        response = post(REQUEST, client=client, Origin=PAGE)
    issue = assert_outcome(response, 500, INSTANCE)
    assert issue["code"] == "exception"
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Jane" not in response.text + caplog.text
    assert "ValueError" not in response.text
    for word in (INSTANCE, "ValueError", "KeyError", "handler"):
        assert word in caplog.text


def test_an_answer_against_the_specification_fails_in_tests():
    handler = {"cards": [{**CARD, "summary": "x" * 140}]}
    loud = client_of(service(handler=lambda request: HookResponse(**handler)))
    assert_outcome(post(REQUEST, client=loud), 500)


def test_outside_tests_a_long_summary_is_cut_and_sent():
    cards = [{**CARD, "summary": "word " * 40, "detail": None, "suggestions": []}]
    live = client_of(service(handler=lambda request: HookResponse(cards)), testing=False)
    (card,) = post(REQUEST, client=live).get_json()["cards"]
    assert len(card["summary"]) <= 139
    assert card["summary"].endswith("word…")
    assert not {"detail", "suggestions"} & set(card)
