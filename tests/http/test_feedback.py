"""Feedback: what a call may hold, what becomes of it, and what an acknowledgement does (G-21)."""

import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import orjson
import pytest
from flask import Flask

from cds_service.app import create_app
from cds_service.hooks import errors
from cds_service.hooks.blueprint import blueprint
from cds_service.hooks.feedback import FeedbackEntry
from cds_service.hooks.service import Registry
from cds_service.settings import load_settings
from cds_service.store.given import unfolded
from cds_service.store.tables import FEEDBACK, GUIDANCE
from fhir_fixtures.stories import build
from tests.hook_calls import LIMIT, assert_outcome
from tests.hook_calls import service as fake_service
from tests.live import FhirServer, Service, prefetch_of, serve
from tests.unit.store_help import HL7, OURS, count, opened, rows

requirement = pytest.mark.requirement
PATH = "/cds-services/review/feedback"
CARD = "4e0a3a1e-3283-4575-ab82-028d55fe2719"
OTHER = "5e0a3a1e-3283-4575-ab82-028d55fe2719"
AT = "2026-03-16T14:05:00Z"
TAKEN = {
    "card": CARD,
    "outcome": "accepted",
    "acceptedSuggestions": [{"id": OTHER}],
    "outcomeTimestamp": AT,
}
OVERRIDDEN = {
    "card": OTHER,
    "outcome": "overridden",
    "overrideReason": {"reason": {"code": "too-costly-uncovered", "system": HL7}},
    "outcomeTimestamp": AT,
}


class Sink:
    """Keeps what it is given."""

    def __init__(self):
        self.calls = []

    def __call__(self, service, client, entries):
        self.calls.append((service, client, list(entries)))


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def client(sink):
    app = Flask("test")
    app.testing = True
    errors.install(app)
    routes = blueprint(Registry([fake_service()]), max_body=LIMIT, feedback=sink)
    app.register_blueprint(routes)
    return app.test_client()


def post(client, *entries):
    return client.post(PATH, json={"feedback": list(entries)})


@requirement(53, 55)
def test_entries_of_several_calls_are_taken(client, sink):
    answer = post(client, TAKEN, OVERRIDDEN)
    assert (answer.status_code, answer.get_json()) == (200, {})
    moment = datetime(2026, 3, 16, 14, 5, tzinfo=UTC)
    assert sink.calls == [
        (
            "review",
            None,
            [
                FeedbackEntry(CARD, "accepted", moment, (OTHER,)),
                FeedbackEntry(OTHER, "overridden", moment, (), HL7, "too-costly-uncovered"),
            ],
        )
    ]


@requirement(54, 55)
@pytest.mark.parametrize(
    "more",
    [
        {"overrideReason": {"userComment": "seen yesterday"}},
        {"overrideReason": None},
        {"overrideReason": {}},
        {"overrideReason": {"reason": None, "userComment": ""}},
        {"overrideReason": {"reason": {"system": None, "code": None}, "userComment": "seen"}},
        {"acceptedSuggestions": []},
        {"outcomeTimestamp": "2026-03-16T10:05:00.123456789-04:00"},
        {"outcomeTimestamp": "2026-06-30t23:59:60z"},
        {"unknown": {"member": 1}},
    ],
)
def test_what_clients_may_send(client, sink, more):
    assert post(client, OVERRIDDEN | more).status_code == 200
    assert len(sink.calls) == 1


@requirement(54, 56)
@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"card": None}, ".card"),
        ({"card": "a\0b"}, ".card"),
        ({"card": "x" * 300}, ".card"),
        ({"outcome": "ignored"}, ".outcome"),
        ({"outcomeTimestamp": "yesterday"}, ".outcomeTimestamp"),
        ({"outcomeTimestamp": "2026-03-16T14:05:00"}, ".outcomeTimestamp"),
        ({"outcomeTimestamp": "2026-02-30T14:05:00Z"}, ".outcomeTimestamp"),
        ({"outcomeTimestamp": "0001-01-01T00:00:00+14:00"}, ".outcomeTimestamp"),
        ({"outcome": "accepted"}, ".acceptedSuggestions"),
        ({"acceptedSuggestions": [{"uuid": CARD}]}, ".acceptedSuggestions[0].id"),
        ({"overrideReason": {"reason": {"system": HL7}}}, ".overrideReason.reason.code"),
        ({"overrideReason": {"reason": "no"}}, ".overrideReason.reason"),
        ({"overrideReason": []}, ""),
    ],
)
def test_one_bad_entry_refuses_the_call_with_its_index(client, sink, wrong, place):
    if wrong == {"overrideReason": []}:
        answer = client.post(PATH, json={"feedback": [TAKEN, "nothing"]})
    else:
        answer = post(client, TAKEN, OVERRIDDEN | wrong)
    issue = assert_outcome(answer, 400, "feedback[1]", "Nothing of this call was kept")
    assert issue["expression"] == [f"feedback[1]{place}"]
    assert sink.calls == []


@requirement(53)
@pytest.mark.parametrize("body", [{}, {"feedback": TAKEN}, {"feedback": []}, []])
def test_a_call_without_entries_is_refused(client, sink, body):
    assert_outcome(client.post(PATH, json=body), 400)
    assert sink.calls == []


def test_a_service_that_is_not_there_takes_none(client):
    answer = client.post("/cds-services/other/feedback", json={"feedback": [TAKEN]})
    assert_outcome(answer, 404)


def test_a_body_that_is_too_long_or_no_json_is_refused(client):
    assert_outcome(client.post(PATH, data="x", content_type="text/plain"), 415)
    long = {"feedback": [TAKEN], "pad": "x" * LIMIT}
    assert_outcome(client.post(PATH, json=long), 413)


CLOT = {
    "title": "A clot is suspected in the leg to be massaged",
    "patient": {"age": 54, "sex": "female"},
    "coverage": ["CCA-ONE-CARE"],
    "orders": [
        {
            "code": 97124,
            "visits": 1,
            "weekly": 1,
            "site": "right lower leg",
            "reason": "G89.29",
            "by": "massage therapist",
        }
    ],
}


def clot(since, verification):
    leg = {"code": "I82.401 Deep vein thrombosis right leg", "since": since}
    return CLOT | {
        "conditions": [
            {"code": "G89.29 Chronic pain", "since": -400},
            leg | ({"verification": verification} if verification else {}),
        ]
    }


@contextmanager
def hospital(folder, story):
    """The service with a store, and a way to sign the story's order: each time a new call."""
    built = build("clot", story)
    with opened(folder) as store, serve(FhirServer([built.record]).app) as fhir:
        app = create_app(load_settings({}), open_access=True, demo=False, store=store)
        with serve(app) as url:
            service = Service(url)
            context = built.request["context"]
            held, _ = prefetch_of(service.templates(), context, f"{fhir}/fhir")
            body = built.request | {"prefetch": held, "fhirServer": None, "fhirAuthorization": None}

            def sign(**more):
                answer = service.post(body | {"hookInstance": str(uuid4())} | more)
                assert answer.status_code == 200, answer.text
                return answer.json()["cards"]

            yield store, service, sign


def safety(cards):
    return [card for card in cards if card["source"]["topic"]["code"] == "safety"]


def effects(store):
    """Return the effects of the clot in each evaluation kept, oldest call first."""
    store.flush()
    kept = sorted(rows(store, GUIDANCE), key=lambda row: row.given)
    return [
        flag["effect"]
        for row in kept
        for one in unfolded(orjson.loads(row.evaluations))
        for flag in one["safety"]
        if flag["id"] == "CCA-S3a"
    ]


def acknowledge(service, card, at="2026-03-14T15:00:00Z", code="evaluated-not-present", **more):
    entry = {
        "card": card["uuid"],
        "outcome": "overridden",
        "overrideReason": {"reason": {"system": OURS, "code": code}, **more},
        "outcomeTimestamp": at,
    }
    address = f"{service.url}/cds-services/{service.service_id}/feedback"
    answer = service.session.post(address, json={"feedback": [entry]}, timeout=10)
    assert answer.status_code == 200, answer.text


def test_an_acknowledgement_lowers_the_stop_of_a_suspected_clot(tmp_path):
    with hospital(tmp_path, clot(-3, "provisional")) as (store, service, sign):
        card, *_ = safety(sign())
        assert card["indicator"] == "critical"
        acknowledge(service, card)
        sign()
        assert effects(store) == ["stop", "hold"]


def test_it_is_not_of_the_patient_of_that_id_on_another_server(tmp_path):
    here, there = ({"fhirServer": f"http://{host}:9/fhir"} for host in ("127.0.0.1", "localhost"))
    with hospital(tmp_path, clot(-3, "provisional")) as (store, service, sign):
        card, *_ = safety(sign(**here))
        acknowledge(service, card)
        sign(**there)
        sign(fhirServer=f"{here['fhirServer']}/")
        assert effects(store) == ["stop", "stop", "hold"]


def test_it_never_touches_a_confirmed_clot(tmp_path):
    with hospital(tmp_path, clot(-3, None)) as (store, service, sign):
        acknowledge(service, safety(sign())[0])
        sign()
        assert effects(store) == ["stop", "stop"]


def test_newer_evidence_opens_it_again(tmp_path):
    with hospital(tmp_path, clot(-1, "provisional")) as (store, service, sign):
        acknowledge(service, safety(sign())[0])
        sign()
        assert effects(store) == ["stop", "stop"]


def test_another_reason_changes_nothing(tmp_path):
    with hospital(tmp_path, clot(-3, "provisional")) as (store, service, sign):
        acknowledge(service, safety(sign())[0], code="clinical-judgement")
        sign()
        assert effects(store) == ["stop", "stop"]


@requirement(55, 56)
def test_the_same_entry_again_adds_no_row_and_a_comment_reaches_no_log(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    with hospital(tmp_path, clot(-3, "provisional")) as (store, service, sign):
        (card, *_) = safety(sign())
        for _ in range(2):
            acknowledge(service, card, userComment="told by Jane Somebody")
        assert count(store, FEEDBACK) == 1
        acknowledge(service, {"uuid": str(uuid4())})
        assert count(store, FEEDBACK) == 2
    assert "Somebody" not in caplog.text


@requirement(69)
def test_what_is_kept_is_what_was_answered(tmp_path):
    with hospital(tmp_path, clot(-3, "provisional")) as (store, _, sign):
        cards = sign()
        store.flush()
        (row,) = rows(store, GUIDANCE)
    assert orjson.loads(row.response)["cards"] == cards
    assert row.service == "massage-order-review"
    assert row.request is None
    assert len(row.digest) == 64
    assert orjson.loads(row.policies)[0].startswith("cca-mng-084 ")
    assert orjson.loads(row.determinations) == ["not-covered"]
