"""Every call is kept whole; assertions are traced; metrics follow the guide's model."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.crd.metrics import KeptCall, metric_of
from cds_service.store.given import giving
from cds_service.store.tables import ACCESS, CARD, GUIDANCE
from tests.crd import ehr
from tests.crd.rules import part
from tests.unit.store_help import opened, rows

AUTHORIZATION = {
    "access_token": "very-secret",
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.rs",
    "subject": "massage-cds",
}


@pytest.fixture
def kept(tmp_path):
    with opened(tmp_path) as store:
        yield store


@pytest.fixture
def client(kept):
    return ehr.app.__wrapped__(kept).test_client()


def body_of(name, **more):
    return ehr.request_of(name) | {"prefetch": ehr.prefetch_of(ehr.resources(name))} | more


def documents(kept):
    kept.flush()
    return [(json.loads(row.request), json.loads(row.response)) for row in rows(kept, GUIDANCE)]


def run(folder, *arguments):
    env = {"MASSAGE_CDS_STATE": str(folder)}
    found = CliRunner().invoke(main, ["crd", *arguments], env=env)
    assert found.exit_code == 0, found.output
    return found.output


class TestKept:
    def test_request_and_response_are_kept_whole(self, kept, client):
        body = body_of("cca-07")
        answer = ehr.call(body, client=client)
        ((request, response),) = documents(kept)
        assert response == answer
        assert request["context"] == body["context"]
        assert request["prefetch"] == body["prefetch"]

    def test_a_call_that_says_nothing_is_kept_too(self, kept, client):
        assert ehr.call(body_of("kp-13"), client=client)["systemActions"] == []
        ((_, response),) = documents(kept)
        assert response == {"cards": [], "systemActions": []}

    def test_a_refusal_is_kept_too(self, kept, client):
        body = body_of("cca-01")
        body["prefetch"] = {}
        body["context"]["draftOrders"]["entry"][0]["resource"].pop("insurance")
        outcome = ehr.call(body, client=client, status=412)
        ((request, response),) = documents(kept)
        assert response == outcome
        assert request["massage-cds.crd"]["status"] == 412

    def test_the_token_is_not(self, kept, client, fhir_server):
        body = body_of("cca-01", fhirServer=fhir_server.url, fhirAuthorization=AUTHORIZATION)
        ehr.call(body, client=client)
        ((request, _),) = documents(kept)
        assert "very-secret" not in json.dumps(request)

    def test_an_assertion_leads_back_to_its_call(self, kept, client, tmp_path):
        answer = ehr.call(body_of("ev-04"), client=client)
        name = part(ehr.only(answer), "coverage-assertion-id")
        kept.flush()
        (found,) = kept._database.run(lambda connection: giving(connection, name))
        assert found["orders"] == ["ServiceRequest/ev-04-order-1"]
        assert found["response"] == answer
        assert name in {row.uuid for row in rows(kept, CARD)}
        told = run(tmp_path, "trace", name)
        assert "evicore-massage-2017" in told
        assert json.loads(run(tmp_path, "trace", name, "--json"))["response"] == answer

    def test_the_same_assertion_leads_to_the_call_that_gave_it_first(self, kept, client):
        names = set()
        for number in range(2):
            instance = f"00000000-0000-4000-8000-00000000000{number}"
            answer = ehr.call(body_of("ev-04", hookInstance=instance), client=client)
            names.add(part(ehr.only(answer), "coverage-assertion-id"))
        (name,) = names
        kept.flush()
        (found,) = kept._database.run(lambda connection: giving(connection, name))
        assert found["hook_instance"].endswith("0")

    def test_each_look_is_noted(self, kept, client, tmp_path):
        answer = ehr.call(body_of("ev-04"), client=client)
        kept.flush()
        run(tmp_path, "metrics")
        run(tmp_path, "trace", part(ehr.only(answer), "coverage-assertion-id"))
        assert [row.action for row in rows(kept, ACCESS)] == ["crd metrics", "crd trace"]

    def test_an_id_that_nobody_gave_is_told(self, kept, tmp_path):
        env = {"MASSAGE_CDS_STATE": str(tmp_path)}
        told = CliRunner().invoke(main, ["crd", "trace", "none-such"], env=env)
        assert told.exit_code == 1
        assert "none-such" in told.output


# CRDMetricData of CRD 2.2.1: members, and those that must be there.
MEMBERS = {
    "source", "hookInstance", "hookType", "providerId", "groupId", "payerId", "requestTime",
    "responseTime", "httpResponse", "issue", "tokenUse", "resources", "request",
}  # fmt: skip
ALWAYS = {"source", "hookInstance", "hookType", "requestTime", "httpResponse", "tokenUse"}


class TestMetrics:
    def metrics(self, kept, folder):
        kept.flush()
        found = [json.loads(line) for line in run(folder, "metrics").splitlines()]
        for one in found:
            assert set(one) >= ALWAYS
            assert set(one) <= MEMBERS
            assert one["source"] == "payer-src"
            datetime.fromisoformat(one["requestTime"])
        return found

    def test_tell_of_each_call(self, kept, client, tmp_path):
        answer = ehr.call(body_of("cca-09"), client=client)
        (found,) = self.metrics(kept, tmp_path)
        assert (found["hookType"], found["httpResponse"]) == ("order-sign", 200)
        assert found["payerId"]["value"] == "CCA"
        assert found["tokenUse"] == "not-used"
        (request,) = found["request"]
        assert request["orderDetail"]["coding"][0]["code"] == "97124"
        by_type = {one["type"]: one for one in request["response"]}
        (told,) = by_type["coverage-info"]["coverageInfo"]
        assert told["covered"] == "conditional"
        assert told["paNeeded"] == "auth-needed"
        assert told["assertionId"] == part(ehr.only(answer), "coverage-assertion-id")
        assert told["questionnaire"][0]["reference"] == "http://loinc.org/q/62337-1"
        assert {"clinical-reminder", "guideline"} <= set(by_type)

    def test_tell_what_was_read_and_how(self, kept, client, tmp_path, fhir_server):
        body = body_of("cca-01", fhirServer=fhir_server.url, fhirAuthorization=AUTHORIZATION)
        del body["prefetch"]["conditions"]
        ehr.call(body, client=client)
        (found,) = self.metrics(kept, tmp_path)
        read = {(one["type"], one["prefetch"]) for one in found["resources"]}
        assert {("Patient", True), ("Coverage", True), ("Condition", False)} <= read
        assert found["tokenUse"] == "used"

    def test_tell_of_refusals(self, kept, client, tmp_path):
        body = body_of("cca-01", extension={"davinci-crd.requestedVersion": "9.9"})
        ehr.call(body, client=client, status=422)
        (found,) = self.metrics(kept, tmp_path)
        assert (found["httpResponse"], found["issue"]) == (422, [{"code": "not-supported"}])

    def test_tell_what_became_of_a_card(self, kept, client, tmp_path):
        answer = ehr.call(body_of("cca-09"), client=client)
        card = answer["cards"][0]
        feedback = {"feedback": [{
            "card": card["uuid"], "outcome": "overridden",
            "outcomeTimestamp": "2026-03-16T09:30:00Z",
        }]}  # fmt: skip
        path = "/cds-services/order-sign-crd/feedback"
        assert client.post(path, json=feedback, base_url=ehr.HOST).status_code == 200
        (found,) = self.metrics(kept, tmp_path)
        (request,) = found["request"]
        engaged = [one.get("engagement") for one in request["response"]]
        assert engaged.count("override") == 1

    def test_who_ordered_and_where_are_told_by_npi(self):
        told = {"provider": "1234567893", "group": "1098765432"}
        call = KeptCall(
            "order-sign",
            "an-instance",
            datetime.now(UTC),
            (),
            {"massage-cds.crd": told},
            {"cards": []},
        )
        found = metric_of(call)
        npi = "http://hl7.org/fhir/sid/us-npi"
        assert found["providerId"] == {"system": npi, "value": "1234567893"}
        assert found["groupId"] == {"system": npi, "value": "1098765432"}

    def test_the_npi_of_who_signs_is_noted(self, kept, client):
        body = body_of("cca-01")
        for entry in body["prefetch"]["practitioners"]["entry"]:
            npi = {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}
            entry["resource"]["identifier"] = [npi]
        ehr.call(body, client=client)
        ((request, _),) = documents(kept)
        assert request["massage-cds.crd"]["provider"] == "1234567893"
