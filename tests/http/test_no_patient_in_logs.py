"""No log line and no measurement tells of a patient, whatever is sent, answered or broken."""

import copy
import json
import logging
from contextlib import contextmanager
from pathlib import Path

import pytest

import cards
from cds_service import reviewer as reviewer_module
from cds_service.app import create_app
from cds_service.observe.logs import OURS, JsonLines
from cds_service.record.client import FhirClient
from cds_service.settings import load_settings
from cds_service.store.sql import SqlStore
from cds_service.transport import Session
from fhir_fixtures.generate import scenarios
from fhir_fixtures.stories import build, read_story
from tests.callers import ISS, PUBLIC, Ehr, clients_file
from tests.http import fault_server as faults
from tests.live import FhirServer, http, prefetch_of, serve
from tests.patient_values import patient_values, repeated
from tests.unit.store_help import opened

CASES = Path(__file__).parents[1] / "spec" / "cases"
JSON = {"Content-Type": "application/json"}

FAMILY, GIVEN = "Quillfeather", "Zebedee"
PERSON = {
    "name": [{"use": "official", "family": FAMILY, "given": [GIVEN, "Horatio"]}],
    "birthDate": "1957-11-23",
    "telecom": [{"system": "phone", "value": "+1-206-555-0147"}, {"value": "zq@example.net"}],
    "address": [{"line": ["1742 Larkspur Terrace"], "city": "Snohomish", "postalCode": "98290"}],
    "identifier": [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "987-65-4320"}],
}
TOKEN = "secret-access-token-of-one-call"


def charts():
    """Return every fixture and worked case, their patients with all that identifies people."""
    built = [one for _, one in scenarios()]
    built += [build(path.stem, read_story(path)) for path in sorted(CASES.glob("*.yaml"))]
    for one in built:
        for entry in one.record["entry"]:
            if entry["resource"]["resourceType"] == "Patient":
                entry["resource"] |= copy.deepcopy(PERSON)
    return built


class Ear(logging.Handler):
    """Hears every record twice: as our formatter writes it, and raw with its traceback."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.written, self.raw = [], []
        self._json, self._raw = JsonLines(), logging.Formatter("%(name)s %(message)s")

    def emit(self, record):
        self.written.append(self._json.format(record))
        record.exc_text = None
        self.raw.append(self._raw.format(record))

    @property
    def text(self):
        return "\n".join([*self.written, *self.raw])


@contextmanager
def listening():
    """Hear what all loggers of the process say from DEBUG on, as a root logger set so would."""
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # under the tests' own client
    ear, root = Ear(), logging.getLogger()
    heard = [root, *map(logging.getLogger, OURS)]
    levels = [one.level for one in heard]
    root.addHandler(ear)
    for one in heard:
        one.setLevel(logging.DEBUG)
    try:
        yield ear
    finally:
        root.removeHandler(ear)
        for one, level in zip(heard, levels, strict=True):
            one.setLevel(level)


@contextmanager
def running(folder, **given):
    """A service on loopback with a store of its own; gives its URL."""
    with opened(folder) as store:
        variables = {f"MASSAGE_CDS_{name}": str(value) for name, value in given.items()}
        closed = "CLIENTS" in given
        settings = load_settings({"MASSAGE_CDS_DEADLINE": "5", **variables})
        app = create_app(settings, open_access=not closed, demo=False, store=store)
        with serve(app) as url:
            yield url
        store.flush()


class Run:
    """One session of a service: what was said, by whom it was asked, what was measured."""

    def __init__(self, url, values):
        self.url, self.values, self.session = url, values, http()

    def post(self, path, body, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.session.post(f"{self.url}{path}", data=data, headers=JSON | headers, timeout=20)

    def services(self):
        return self.session.get(f"{self.url}/cds-services", timeout=10).json()["services"]

    def measured(self):
        return self.session.get(f"{self.url}/metrics", timeout=10).text


@pytest.fixture(scope="module")
def built():
    return charts()


@pytest.fixture(scope="module")
def values(built):
    found = {TOKEN, FAMILY, GIVEN}
    for one in built:
        found |= patient_values(one.record) | patient_values(one.request)
    return found


@pytest.fixture(scope="module")
def fhir(built):
    server = FhirServer([one.record for one in built])
    with serve(server.app) as url:
        yield f"{url}/fhir"


def authorised(request, fhir):
    grant = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": "massage-cds",
        "patient": request["context"]["patientId"],
    }
    return request | {"fhirServer": fhir, "fhirAuthorization": grant}


def leaks(values, text):
    """Return the values that a text repeats, each with the first line that does."""
    found = repeated(values, text)
    lines = text.splitlines()
    return {value: next(line for line in lines if repeated({value}, line)) for value in found}


def assert_silent(ear, run, values, lines):
    """Assert that something was said, and nothing of a patient."""
    assert len(ear.written) >= lines
    assert leaks(values, ear.text) == {}
    measured = run.measured()
    assert "massage_cds_calls_total" in measured
    assert repeated(values, measured) == set()


def asking(request, hook):
    """Return an order-sign request as another hook would bring it."""
    asked = copy.deepcopy(request) | {"hook": hook}
    entries = asked["context"]["draftOrders"]["entry"]
    names = [f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in entries]
    if hook == "order-select":
        asked["context"]["selections"] = names
    if hook == "order-dispatch":
        del asked["context"]["draftOrders"]
        asked["context"] |= {"dispatchedOrders": names, "performer": f"Practitioner/{FAMILY}"}
    return asked


def test_answers_to_every_patient_of_the_project(built, values, fhir, tmp_path):
    with listening() as ear, running(tmp_path) as url:
        run = Run(url, values)
        services = run.services()
        review = next(one for one in services if one["id"] == "massage-order-review")
        statuses = {run.post(REVIEW, authorised(one.request, fhir)).status_code for one in built}
        for one in built[::12]:
            for service in services:
                request = authorised(asking(one.request, service["hook"]), fhir)
                path = f"/cds-services/{service['id']}"
                statuses.add(run.post(path, request).status_code)
        assert 200 in statuses
        assert not any(status >= 500 for status in statuses)
        _prefetched(run, built[:4], fhir, review)
        assert_silent(ear, run, values, len(built))


def _prefetched(run, built, fhir, service):
    for one in built:
        context = {k: v for k, v in one.request["context"].items() if isinstance(v, str)}
        held, _ = prefetch_of(service["prefetch"], context, fhir)
        given = run.post(f"/cds-services/{service['id']}", one.request | {"prefetch": held})
        assert given.status_code == 200
        _answered(run, service["id"], given.json()["cards"])


def _answered(run, service, given):
    reason = {"userComment": f"{GIVEN} {FAMILY} was seen on 1957-11-23"}
    entries = [
        {
            "card": card["uuid"],
            "outcome": "overridden",
            "overrideReason": reason,
            "outcomeTimestamp": "2026-03-16T12:00:00Z",
        }
        for card in given
    ]
    if entries:
        assert run.post(f"/cds-services/{service}/feedback", {"feedback": entries}).ok
    broken = {"feedback": [entries[0] | {"outcome": FAMILY}]} if entries else {FAMILY: GIVEN}
    assert run.post(f"/cds-services/{service}/feedback", broken).status_code == 400


REVIEW = "/cds-services/massage-order-review"


def broken_calls(request):
    """Yield paths and bodies that are refused, each holding what a patient must keep."""
    whole = json.dumps(request).encode()
    yield REVIEW, whole[:-40]
    yield REVIEW, whole + b"}"
    yield REVIEW, b"\xff" + whole
    yield REVIEW, b"[" + whole + b"]"
    yield REVIEW, whole.replace(b'"patientId"', b'"patientId": "x", "patientId"')
    yield REVIEW, request | {"hook": f"{GIVEN} {FAMILY}"}
    yield REVIEW, request | {"hookInstance": f"{GIVEN} {FAMILY}"}
    yield REVIEW, request | {"context": {FAMILY: GIVEN}}
    yield REVIEW, request | {"fhirServer": f"https://{FAMILY}.example.org/{GIVEN}"}
    yield REVIEW, request | {"prefetch": {"patient": {"resourceType": FAMILY, "id": GIVEN}}}
    yield REVIEW, request | {"prefetch": {FAMILY: {"resourceType": "Patient", "name": GIVEN}}}
    other = copy.deepcopy(request)
    order = other["context"]["draftOrders"]["entry"][0]["resource"]
    order["subject"] = {"reference": f"Patient/{FAMILY}"}
    yield REVIEW, other
    odd = copy.deepcopy(request)
    order = odd["context"]["draftOrders"]["entry"][0]["resource"]
    order["requester"] = {"reference": f"{FAMILY}/{GIVEN}"}
    order["reasonReference"] = [{"reference": f"{FAMILY}/{GIVEN}"}]
    yield REVIEW, odd
    yield f"/cds-services/{FAMILY}", request
    yield f"/cds-services/{FAMILY}/feedback", {"feedback": [{"card": FAMILY}]}
    yield f"{REVIEW}?name={FAMILY}&patient={GIVEN}", request
    yield f"/cds-services/massage-order-review/{FAMILY}/{GIVEN}", request
    yield f"/{FAMILY}/cds-services/{GIVEN}", request


def test_calls_that_are_refused(built, values, tmp_path):
    with listening() as ear, running(tmp_path) as url:
        run = Run(url, values)
        calls = list(broken_calls(built[0].request))
        statuses = [run.post(path, body).status_code for path, body in calls]
        assert all(400 <= status < 500 for status in statuses)
        assert run.session.put(f"{url}{REVIEW}", data=FAMILY, timeout=5).status_code == 405
        assert run.post(REVIEW, GIVEN.encode(), **{"Content-Type": FAMILY}).status_code == 415
        assert_silent(ear, run, values, len(calls))


def tokens(ehr):
    yield "Bearer " + TOKEN
    yield f"Basic {FAMILY}"
    yield f"{GIVEN} {FAMILY}"
    yield "Bearer " + "x" * 9000
    yield "Bearer " + ehr.token(sub=FAMILY, aud=f"https://{FAMILY}.example.org")
    yield "Bearer " + ehr.token(sub=FAMILY, exp=1)
    yield "Bearer " + ehr.token(header={"kid": FAMILY})
    yield "Bearer " + ehr.token(header={"jku": f"https://{FAMILY}.example.org/"})
    yield "Bearer " + ehr.token(tenant=FAMILY, patient=GIVEN)
    yield "Bearer " + ehr.token(key=Ehr().key, name=GIVEN)
    yield "Bearer " + ehr.token(name=FAMILY, nbf=FAMILY)


def test_tokens_that_are_refused(built, values, tmp_path):
    ehr = Ehr()
    clients = clients_file(tmp_path, ehr, 'tenants = ["one"]\n')
    given = {"CLIENTS": clients, "PUBLIC_URL": PUBLIC}
    with listening() as ear, running(tmp_path, **given) as url:
        run = Run(url, values)
        sent = list(tokens(ehr))
        good = "Bearer " + ehr.token(tenant="one")
        for token in sent:
            assert run.post(REVIEW, built[0].request, Authorization=token).status_code in (401, 403)
        assert run.post(REVIEW, built[0].request, Authorization=good).status_code == 412
        assert run.post(REVIEW, built[0].request, Authorization=good).status_code == 401
        secrets = {token.partition(" ")[2] for token in [*sent, good]}
        assert ISS in ear.text
        assert PUBLIC in ear.text
        assert_silent(ear, run, (values | secrets) - {"Example"}, len(sent))
        for reason in ("malformed", "missing", "aud", "exp", "key", "jku", "tenant", "replay"):
            assert f'massage_cds_auth_refusals_total{{reason="{reason}"}}' in run.measured()


TALE = f"{GIVEN} {FAMILY}, born 1957-11-23"
OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": FAMILY.lower(), "diagnostics": TALE}],
}


def headers_that_break(handler):
    handler.wfile.write(f"HTTP/1.1 200 {FAMILY}\r\nBad {GIVEN}\r\n{FAMILY}\r\n\r\n".encode())
    handler.close_connection = True


def elsewhere(handler):
    handler.send(b"", 302, Location=f"https://{FAMILY}.example.org/{GIVEN}")


FAULTS = {
    "outcome": faults.gives(OUTCOME),
    "outcome in a bundle": faults.gives(faults.bundle(OUTCOME)),
    "server error": lambda handler: handler.send(TALE.encode(), 500),
    "odd status": lambda handler: handler.send(TALE.encode(), 477),
    "html": faults.raw(f"<html>{TALE}</html>".encode(), "text/html"),
    "cut off": faults.cut_off(json.dumps(OUTCOME).encode()),
    "odd type": faults.gives(faults.bundle({"resourceType": FAMILY, "id": GIVEN})),
    "no resource": faults.gives({"resourceType": FAMILY, "entry": TALE}),
    "another patient": faults.gives(
        faults.bundle({"resourceType": "Condition", "subject": {"reference": f"Patient/{FAMILY}"}})
    ),
    "next elsewhere": faults.gives(
        faults.bundle(link=faults.link(f"https://{FAMILY}.example.org/"))
    ),
    "next for ever": faults.gives(faults.bundle(link=faults.link(f"Condition?name={FAMILY}"))),
    "redirect": elsewhere,
    "headers": headers_that_break,
    "slow": faults.slow(1.5),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fhir_servers_that_fail(fault, built, values, tmp_path):
    with (
        listening() as ear,
        faults.serving({"*": FAULTS[fault]}) as server,
        running(tmp_path, DEADLINE="0.7") as url,
    ):
        run = Run(url, values)
        request = authorised(built[0].request, server.base)
        assert run.post(REVIEW, request).status_code in (200, 412)
        assert_silent(ear, run, values, 1)
        assert "massage_cds_holes_total" in run.measured()


def failing(*_, **__):
    try:
        raise KeyError(TALE)
    except KeyError as error:
        raise ValueError(f"{TALE}: {TOKEN}") from error


PLACES = {
    "the review": (reviewer_module, "review", 500),
    "the cards": (cards, "render", 500),
    "the FHIR client": (Session, "get", 412),
    "a page": (FhirClient, "_page", 412),
    "the store": (SqlStore, "record", 500),
    "acknowledgements": (SqlStore, "acknowledgements", 500),
}


@pytest.mark.parametrize("place", PLACES)
def test_exceptions_nobody_foresaw(place, built, values, fhir, tmp_path, monkeypatch):
    owner, name, status = PLACES[place]
    with listening() as ear, running(tmp_path) as url:
        run = Run(url, values)
        request = authorised(built[0].request, fhir)
        monkeypatch.setattr(owner, name, failing)
        answer = run.post(REVIEW, request)
        monkeypatch.undo()
        assert answer.status_code == status
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert_silent(ear, run, values, 1)
        failed = [one for one in map(json.loads, ear.written) if "failed" in one.get("message", "")]
        assert failed
        assert {one["call"] for one in failed} == {request["hookInstance"]}
        if status == 500:
            assert request["hookInstance"] in answer.text
            told = next(
                one for one in map(json.loads, ear.written) if "Error" in one.get("message", "")
            )
            assert told["call"] == request["hookInstance"]
            assert "ValueError at" in told["message"]
            assert "<- KeyError at" in told["message"]
            assert f"{Path(__file__).name}:" in told["message"]


def test_a_database_that_goes_away(built, values, fhir, tmp_path):
    with listening() as ear, running(tmp_path) as url:
        run = Run(url, values)
        request = authorised(built[0].request, fhir)
        assert run.post(REVIEW, request).status_code == 200
        for path in tmp_path.glob("massage-cds.sqlite*"):
            path.write_bytes(TALE.encode() * 1000)
        assert run.post(REVIEW, request).status_code == 200
        assert_silent(ear, run, values, 2)


class TestTheTestItself:
    """It can fail: what leaks is found, wherever it leaks."""

    @pytest.mark.parametrize(
        "leak",
        [
            f"patient {FAMILY.upper()} seen",
            f"GET /fhir/Condition?patient={GIVEN}&_count=50",
            '{"birth":"1957-11-23"}',
            "call +1-206-555-0147 back",
            f"Authorization: Bearer {TOKEN}",
            "code=G89.29,",
            "ssn 987-65-4320",
        ],
    )
    def test_a_leaked_value_is_found(self, leak, values):
        assert repeated(values, f"some line\n{leak}\nanother")

    def test_a_leak_of_a_handler_is_heard(self, built, values, fhir, tmp_path, monkeypatch):
        review = reviewer_module.review

        def telling(case, *args):
            logging.getLogger("cds_service.leak").debug("%s", case.record.patient_id)
            return review(case, *args)

        monkeypatch.setattr(reviewer_module, "review", telling)
        with listening() as ear, running(tmp_path) as url:
            run = Run(url, values)
            run.post(REVIEW, authorised(built[0].request, fhir))
        assert repeated(values, ear.text) == {built[0].request["context"]["patientId"]}

    def test_a_leak_into_a_label_is_found(self, built, values):
        patient = built[0].request["context"]["patientId"]
        assert repeated(values, f'massage_cds_calls_total{{service="{patient}"}} 1.0')

    def test_values_are_collected_from_all_of_a_record(self, values):
        for value in (FAMILY, "1957-11-23", "98290", "zq@example.net", "G89.29", "97124"):
            assert value in values
        assert len(values) > 1000
