"""What the demo's page asks beside the hook call, over HTTP."""

import json
from pathlib import Path

import pytest

import fhir_fixtures
from cds_service.app import create_app
from cds_service.settings import load_settings
from cds_service.store import NullStore
from tests.live import http, serve

FIXTURES = Path(fhir_fixtures.__file__).parent / "requests"
ROUTES = ("what-if", "compare", "course")


class Counting(NullStore):
    """Keeps nothing, and counts what it was asked to keep."""

    kept = 0

    def record(self, guidance):
        self.kept += 1


@pytest.fixture(scope="module")
def store():
    return Counting()


@pytest.fixture(scope="module")
def demo(store):
    app = create_app(load_settings({}), open_access=True, demo=True, store=store)
    with serve(app) as url:
        yield url


def request_of(demo, name, **changes):
    request = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    return request | {"fhirServer": f"{demo}/fhir", "prefetch": None} | changes


def ask(demo, route, body, **options):
    return http().post(f"{demo}/explore/{route}", **({"json": body, "timeout": 30} | options))


def what_if(demo, name, *supposed):
    extension = {"massage-cds.supposed": list(supposed)}
    answer = ask(demo, "what-if", request_of(demo, name, extension=extension))
    assert answer.status_code == 200, answer.text
    [made] = answer.json()["evaluations"]
    return made


def test_what_if_moves_the_determination_and_keeps_nothing(demo, store):
    assert what_if(demo, "cca-missing-promis")["determination"] == "conditional"
    made = what_if(demo, "cca-missing-promis", "CCA-D2")
    assert (made["determination"], made["supposed"]) == ("covered", ["CCA-D2"])
    assert what_if(demo, "cca-missing-promis")["determination"] == "conditional"
    assert store.kept == 0


def test_emergency_stays_but_for_its_document(demo):
    assert what_if(demo, "cca-new-clot", "CCA-S3a", "CCA-S3")["determination"] == "not-covered"
    made = what_if(demo, "cca-new-clot", "CCA-D15")
    assert [one["effect"] for one in made["safety"] if one.get("supposed")] == ["none"]


def test_every_policy_answers_a_comparison(demo, store):
    found = ask(demo, "compare", request_of(demo, "cca-missing-promis")).json()["compared"]
    assert len(found) == 5
    assert [one["policy"] for one in found if one["own"]] == ["cca-mng-084"]
    assert all(one["evaluation"]["policy"] == one["policy"] for one in found)
    assert not [hole for one in found for hole in one["evaluation"]["unread"]]
    assert store.kept == 0


def test_course_tells_scores_and_targets(demo):
    [course] = ask(demo, "course", request_of(demo, "ev-third-week-short")).json()["courses"]
    pain = next(line for line in course["lines"] if line["id"] == "nprs")
    assert [point["value"] for point in pain["points"]] == [7, 4]
    assert pain["bands"][0]["rule"] == "EV-P2"


@pytest.mark.parametrize("route", ROUTES)
def test_order_out_of_scope_has_nothing_to_say(demo, route):
    answer = ask(demo, route, request_of(demo, "other-procedure"))
    assert answer.status_code == 200
    found = next(iter(answer.json().values()))
    assert all(one["evaluation"] is None for one in found) if route == "compare" else found == []


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": "{", "json": None, "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": "{}", "json": None, "headers": {"Content-Type": "text/plain"}}, 415),
        ({"json": {"hook": "order-sign"}}, 400),
    ],
)
def test_what_is_no_hook_request_is_refused_in_words(demo, route, options, status):
    answer = ask(demo, route, None, **options)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_suppositions_are_a_list_of_ids(demo):
    body = request_of(demo, "cca-new-clot", extension={"massage-cds.supposed": "CCA-D15"})
    answer = ask(demo, "what-if", body)
    assert answer.status_code == 400
    assert "list of texts" in answer.text


def test_production_has_none_of_it():
    app = create_app(load_settings({}), open_access=True, demo=False)
    for path in ("/explore/what-if", "/policies", "/insight"):
        assert app.test_client().post(path, json={}).status_code == 404
        assert app.test_client().get(path).status_code == 404
