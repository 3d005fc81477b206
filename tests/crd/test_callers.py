"""The CRD services in production: for registered clients, under both base URLs."""

import pytest

from tests.callers import PUBLIC, Ehr, clients_file
from tests.crd import ehr
from tests.hook_calls import assert_outcome
from tests.http.test_callers import caller_of

BASES = ["/cds-services", "/crd/cds-services"]
FEEDBACK = {
    "feedback": [
        {
            "card": "a-card",
            "outcome": "overridden",
            "outcomeTimestamp": "2026-03-16T09:30:00Z",
        }
    ]
}


@pytest.fixture(scope="module")
def sender():
    return Ehr()


def body():
    return ehr.request_of("cca-07") | {"prefetch": ehr.prefetch_of(ehr.resources("cca-07"))}


@pytest.mark.parametrize("base", BASES)
def test_a_token_for_the_service_opens_it(tmp_path, sender, base):
    client = caller_of(clients_file(tmp_path, sender))
    path = f"{base}/order-sign-crd"
    assert_outcome(client.post(path, json=body()), 401, "valid token")
    answer = client.post(path, json=body(), headers=sender.bearer(f"{PUBLIC}{path}"))
    assert answer.status_code == 200
    assert len(answer.get_json()["systemActions"]) == 1
    told = client.post(
        f"{path}/feedback", json=FEEDBACK, headers=sender.bearer(f"{PUBLIC}{path}/feedback")
    )
    assert told.status_code == 200


@pytest.mark.parametrize("base", BASES)
def test_discovery_needs_a_token_too(tmp_path, sender, base):
    client = caller_of(clients_file(tmp_path, sender))
    assert_outcome(client.get(base), 401, "valid token")
    answer = client.get(base, headers=sender.bearer(f"{PUBLIC}{base}"))
    assert "order-sign-crd" in [one["id"] for one in answer.get_json()["services"]]


def test_a_client_of_the_other_family_is_turned_away(tmp_path, sender):
    client = caller_of(clients_file(tmp_path, sender, 'family = "review"'))
    path = "/crd/cds-services/order-sign-crd"
    answer = client.post(path, json=body(), headers=sender.bearer(f"{PUBLIC}{path}"))
    assert_outcome(answer, 403, "offered")


def test_a_client_that_takes_no_system_actions_gets_none(tmp_path, sender):
    client = caller_of(clients_file(tmp_path, sender, "system_actions = false"))
    path = "/cds-services/order-sign-crd"
    answer = client.post(path, json=body(), headers=sender.bearer(f"{PUBLIC}{path}"))
    assert answer.get_json()["systemActions"] == []
    assert answer.get_json()["cards"]


def test_the_policys_page_stands_under_the_public_url(tmp_path, sender):
    client = caller_of(clients_file(tmp_path, sender))
    path = "/cds-services/order-sign-crd"
    found = client.post(path, json=body(), headers=sender.bearer(f"{PUBLIC}{path}")).get_json()
    links = [link["url"] for card in found["cards"] for link in card.get("links", ())]
    assert links == [f"{PUBLIC}/crd/policies/cca-mng-084"]
    assert client.get("/crd/policies/cca-mng-084").status_code == 200
