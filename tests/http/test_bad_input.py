"""Bad requests, bad records and bad FHIR servers: a clear refusal, or cards that name the hole."""

import copy
from pathlib import Path

import pytest

from cds_service.app import create_app
from cds_service.settings import load_settings
from fhir_fixtures.stories import build, read_story
from tests.http.fault_server import bundle, cut_off, fails, gives, raw, serving, slow, trickles
from tests.live import FhirServer, Service, http, serve

STORIES = Path(__file__).parents[2] / "fhir_fixtures" / "stories"
BUILT = build("bad", read_story(STORIES / "cca-full-course.yaml"))
RECORD = [entry["resource"] for entry in BUILT.record["entry"]]
DEADLINE = 1.5
CLINICAL = "Condition"
IN_WORDS = "diagnoses"
ALL_CLEAR = ("criteria appear met", "appear met")
INTERNAL = ("Traceback", 'File "', ".py", "Exception")


def of_type(kind):
    return [resource for resource in RECORD if resource["resourceType"] == kind]


def good_answers():
    """Return what a sound FHIR server answers for this record, by resource type."""
    kinds = {resource["resourceType"] for resource in RECORD}
    searches = {kind: gives(bundle(*of_type(kind))) for kind in kinds}
    payors = of_type("Organization")
    reads = {f"{r['resourceType']}/{r['id']}": gives(r) for r in RECORD}
    return {**searches, "Coverage": gives(bundle(*of_type("Coverage"), *payors)), **reads}


@pytest.fixture(scope="module")
def hasty():
    """The real service with a short deadline."""
    settings = load_settings({"MASSAGE_CDS_DEADLINE": str(DEADLINE)})
    with serve(create_app(settings, open_access=True, demo=False)) as url:
        yield Service(url)


@pytest.fixture(scope="module")
def records():
    with serve(FhirServer([BUILT.record]).app) as url:
        yield f"{url}/fhir"


def request(change=lambda context, order: None, **more):
    """Return the good request with its context and first order changed."""
    made = copy.deepcopy(BUILT.request) | {"extension": {"massage-cds.explain": True}} | more
    change(made["context"], made["context"]["draftOrders"]["entry"][0]["resource"])
    return made


def answered(answer):
    """Return cards and evaluations of an answer that keeps the protocol."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert not any(word in answer.text for word in INTERNAL)
    return body["cards"], body["extension"]["massage-cds.evaluations"]


def refused(answer, status, *words):
    assert answer.status_code == status, answer.text
    (issue,) = answer.json()["issue"]
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert issue["severity"] == "error"
    for word in words:
        assert word in issue["diagnostics"]
    assert not any(word in answer.text for word in INTERNAL)


def told(cards):
    return " ".join(f"{card['summary']} {card.get('detail', '')}" for card in cards)


def test_the_request_is_good_before_it_is_spoilt(service, records):
    cards, (found,) = answered(service.post(request(fhirServer=records)))
    assert found["determination"] == "covered"
    assert any(word in told(cards) for word in ALL_CLEAR)


# Requests that are none.


@pytest.mark.parametrize("body", [b"", b"not json", b"{", b"[]", b"null", b'{"hook": '])
def test_not_json(body, service):
    url = f"{service.url}/cds-services/{service.service_id}"
    headers = {"Content-Type": "application/json"}
    refused(http().post(url, data=body, headers=headers, timeout=10), 400)


@pytest.mark.parametrize("name", ["hook", "hookInstance", "context"])
def test_a_member_is_missing(name, service):
    made = request()
    del made[name]
    refused(service.post(made), 400, name)


def test_another_hook(service):
    refused(service.post(request(hook="patient-view")), 400, "order-sign")


def without_patient(context, order):
    del context["patientId"]


def no_bundle(context, order):
    context["draftOrders"] = {"resourceType": "List"}


def a_list(context, order):
    context["draftOrders"] = [order]


def without_drafts(context, order):
    del context["draftOrders"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (without_patient, "patientId"),
        (no_bundle, "draftOrders"),
        (a_list, "draftOrders"),
        (without_drafts, "draftOrders"),
    ],
)
def test_a_context_that_breaks_the_hook(change, word, service):
    refused(service.post(request(change)), 400, word)


# Orders that say too little.

UNCODED = {
    "no code": None,
    "an empty code": {},
    "an empty coding": {"coding": [{}]},
    "a code without a system": {"coding": [{"code": "97124"}]},
    "words alone": {"text": "Massage therapy, 6 visits"},
    "a display alone": {"coding": [{"display": "Therapeutic massage"}]},
}


@pytest.mark.parametrize("code", UNCODED.values(), ids=UNCODED)
def test_an_order_without_a_code_is_asked_for_one(code, service, records):
    def change(context, order):
        order["code"] = code

    cards, found = answered(service.post(request(change, fhirServer=records)))
    (card,) = cards
    assert found == []
    assert card["indicator"] == "warning"
    assert "code" in card["summary"]


@pytest.mark.parametrize("status", ["entered-in-error", "revoked", "completed"])
def test_nothing_is_said_of_an_order_that_is_not_signed(status, service, records):
    def change(context, order):
        order["status"] = status

    cards, found = answered(service.post(request(change, fhirServer=records)))
    assert (cards, found) == ([], [])


# Records that hold mistakes.


def in_error(resource):
    """Return the resource as it stands after somebody has taken it back."""
    code = {"coding": [{"code": "entered-in-error"}]}
    status = {
        "Condition": {"verificationStatus": code},
        "Goal": {"lifecycleStatus": "entered-in-error"},
    }
    return resource | status.get(resource["resourceType"], {"status": "entered-in-error"})


@pytest.mark.parametrize("kind", ["Condition", "Observation", "Goal"])
def test_what_was_entered_in_error_is_no_evidence(kind, service):
    mistaken = gives(bundle(*map(in_error, of_type(kind))))
    reads = {f"{kind}/{r['id']}": gives(in_error(r)) for r in of_type(kind)}
    with serving({**good_answers(), **reads, kind: mistaken}) as server:
        cards, (found,) = answered(service.post(request(fhirServer=server.base)))
    cited = {e["reference"] for c in found["criteria"] for e in c["evidence"]}
    assert not any(reference.startswith(f"{kind}/") for reference in cited)
    assert cards


def test_a_coverage_entered_in_error_pays_for_nothing(service):
    def uninsured(context, order):
        del order["insurance"]

    mistaken = gives(bundle(*map(in_error, of_type("Coverage"))))
    with serving({**good_answers(), "Coverage": mistaken}) as server:
        cards, (found,) = answered(service.post(request(uninsured, fhirServer=server.base)))
    assert (found["policy"], found["coverage"]) == (None, None)
    assert "coverage" in told(cards)


# Coverages: two, none, one that leads nowhere.


def insured_by(*coverages):
    answers = good_answers()
    answers["Coverage"] = gives(bundle(*coverages, *of_type("Organization")))
    return answers


def unnamed(context, order):
    del order["insurance"]


def test_each_of_two_coverages_is_answered(service):
    (first,) = of_type("Coverage")
    second = copy.deepcopy(first) | {"id": "second", "order": 2}
    second["class"][0]["value"] = "CCA-MA"
    with serving(insured_by(first, second)) as server:
        cards, found = answered(service.post(request(unnamed, fhirServer=server.base)))
    assert [one["coverage"] for one in found] == [f"Coverage/{first['id']}", "Coverage/second"]
    assert len(cards) >= 2


def test_without_a_coverage_one_is_asked_for(service):
    with serving(insured_by()) as server:
        cards, (found,) = answered(service.post(request(unnamed, fhirServer=server.base)))
    assert found["determination"] == "conditional"
    assert [item["blocking"] for item in found["missing"]] == [True]
    assert cards[0]["indicator"] == "warning"


def test_an_unrouted_payer_is_named(service):
    (coverage,) = copy.deepcopy(of_type("Coverage"))
    coverage["payor"] = [{"display": "Some Other Insurance"}]
    with serving(insured_by(coverage)) as server:
        cards, (found,) = answered(service.post(request(unnamed, fhirServer=server.base)))
    assert (found["policy"], found["determination"]) == (None, "not-applicable")
    assert "no policy" in told(cards)
    assert "Some Other Insurance" in told(cards)


# FHIR servers that fail.

HTML = raw(b"<html><body>Please sign in</body></html>", "text/html")
CUT = cut_off(b'{"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": {"resou')
FAULTS = {
    "401": (fails(401), "http-401"),
    "403": (fails(403), "http-403"),
    "404": (fails(404), "http-404"),
    "500": (fails(500), "http-500"),
    "slow": (slow(DEADLINE * 2), "timeout"),
    "byte by byte": (trickles(DEADLINE * 2), "timeout"),
    "HTML": (HTML, "not-json"),
    "JSON that is no FHIR": (gives({"hello": "world"}), "not-fhir"),
    "a list": (gives([]), "not-fhir"),
    "cut off": (CUT, "truncated"),
    "no page after the first": (
        gives(bundle(link=[{"relation": "next", "url": "http://127.0.0.1:1/fhir/next"}])),
        "not-allowed",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_search_that_fails_is_named(fault, hasty):
    broken, reason = FAULTS[fault]
    with serving({**good_answers(), CLINICAL: broken}) as server:
        cards, (found,) = answered(hasty.post(request(fhirServer=server.base)))
    assert (CLINICAL, reason) in {(u["query"].split()[0], u["reason"]) for u in found["unread"]}
    assert found["determination"] == "conditional"
    assert IN_WORDS in told(cards)
    assert not any(word in told(cards) for word in ALL_CLEAR)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_fails_altogether_is_a_failed_precondition(fault, hasty):
    broken, reason = FAULTS[fault]
    with serving({"*": broken}) as server:
        answer = hasty.post(request(fhirServer=server.base))
    refused(answer, 412, "Patient", reason)


def test_a_server_that_is_down(hasty):
    with serving({}) as server:
        base = server.base
    refused(hasty.post(request(fhirServer=base)), 412, "Patient", "connection")


def test_no_server_and_no_prefetch(service):
    refused(service.post(request()), 412, "Patient", "absent")


def test_a_server_that_may_not_be_called(service):
    refused(service.post(request(fhirServer="https://192.0.2.1/fhir")), 412, "not-allowed")


def test_a_prefetch_that_failed_is_named(service):
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "forbidden"}],
    }
    with serving(good_answers()) as server:
        made = request(fhirServer=server.base, prefetch={"conditions": outcome})
        cards, (found,) = answered(service.post(made))
    assert "outcome-forbidden" in {one["reason"] for one in found["unread"]}
    assert IN_WORDS in told(cards)
