"""Discovery, versions and configuration options."""

import copy

import pytest

from cds_service.crd.options import discovery_of
from tests.crd import ehr
from tests.crd.rules import part
from tests.hook_calls import assert_outcome

# CRD card types (2.2.1, CRDCardType): codes of options come from them.
CARD_TYPES = {
    "coverage-info",
    "unsolicited-determ",
    "claim",
    "insurance",
    "limits",
    "network",
    "appropriate-use",
    "cost",
    "therapy-alternatives-opt",
    "therapy-alternatives-req",
    "clinical-reminder",
    "duplicate-therapy",
    "contraindication",
    "guideline",
    "off-guideline",
}
TELLING = ["cca-07", "cca-12", "ev-05", "ev-09", "ash-15", "kp-03"]


def services(path="/cds-services", **variables):
    client = ehr.app(**variables).test_client()
    return client.get(path, base_url=ehr.HOST).get_json()["services"]


@pytest.fixture(scope="module", params=["order-sign", "order-select", "order-dispatch"])
def entry(request):
    (found,) = (one for one in services() if one["id"] == f"{request.param}-crd")
    return found


def topics(answer):
    return [card["source"]["topic"]["code"] for card in answer["cards"]]


class TestDiscovery:
    def test_names_the_versions(self, entry):
        assert entry["extension"]["davinci-crd.version"] == ["2.0", "2.2"]

    def test_options_have_all_their_members(self, entry):
        kinds = {"boolean": bool, "integer": int}
        for option in entry["extension"]["davinci-crd.configuration-options"]:
            assert set(option) == {"code", "type", "name", "description", "default"}
            assert type(option["default"]) is kinds[option["type"]]
            assert option["code"] in CARD_TYPES | {"max-cards"}

    @pytest.mark.parametrize("member", ["code", "name", "description"])
    def test_no_two_options_are_alike(self, entry, member):
        options = entry["extension"]["davinci-crd.configuration-options"]
        assert len({option[member] for option in options}) == len(options)

    def test_every_type_of_card_has_an_option(self, entry):
        options = {o["code"] for o in entry["extension"]["davinci-crd.configuration-options"]}
        sent = {code for name in TELLING for code in topics(ehr.sign(name))}
        assert len(sent) >= 5
        assert sent <= options
        assert "coverage-info" in options

    def test_templates_of_the_guide_stand_beside_the_portable_ones(self, entry):
        prefetch = entry["prefetch"]
        assert prefetch["patient"] == "Patient/{{context.patientId}}"
        assert prefetch["coverage"].startswith("Coverage?patient={{context.patientId}}")
        assert "resolve().ofType(PractitionerRole).id" in prefetch["practitionerRoles"]
        assert "%practitionerRoles.entry" in prefetch["practitioners"]
        assert ("serviceRequests" in prefetch) == (entry["hook"] == "order-dispatch")

    def test_the_family_is_offered_by_itself_too(self):
        ids = [one["id"] for one in services("/crd/cds-services")]
        assert ids == ["order-sign-crd", "order-select-crd", "order-dispatch-crd"]
        client = ehr.app().test_client()
        body = ehr.request_of("cca-01") | {"prefetch": ehr.prefetch_of(ehr.resources("cca-01"))}
        answer = client.post("/crd/cds-services/order-sign-crd", json=body, base_url=ehr.HOST)
        assert part(ehr.only(answer.get_json()), "covered") == "covered"

    def test_a_site_may_leave_the_family_out(self):
        assert not any("crd" in one["id"] for one in services(FAMILIES="review"))
        client = ehr.app(FAMILIES="review").test_client()
        assert client.get("/crd/cds-services", base_url=ehr.HOST).status_code == 404


class TestVersion:
    def test_the_requested_one_is_spoken(self):
        old, new = (ehr.sign("cca-07", version=one) for one in ("2.0", "2.2"))
        assert part(ehr.only(old), "expiry-date") is None
        assert part(ehr.only(new), "expiry-date")
        systems = {
            one["cards"][0]["source"]["topic"]["system"].split("/")[-1] for one in (old, new)
        }
        assert systems == {"temp", "cdshooks-card-type"}

    @pytest.mark.parametrize("version", ["2.1", "3.0", 2.2, ["2.2"], ""])
    def test_one_that_is_not_spoken_is_refused(self, version):
        body = ehr.request_of("cca-01") | {"extension": {ehr.VERSION: version}}
        answer = (
            ehr.app()
            .test_client()
            .post("/cds-services/order-sign-crd", json=body, base_url=ehr.HOST)
        )
        assert_outcome(answer, 422, "2.0, 2.2")


class TestConfiguration:
    @pytest.mark.parametrize("name", TELLING)
    def test_a_type_that_is_not_wanted_is_not_sent(self, name):
        every = topics(ehr.sign(name))
        assert every
        for code in set(every):
            left = topics(ehr.sign(name, chosen={code: False}))
            assert left == [one for one in every if one != code]

    def test_coverage_information_that_is_not_wanted_is_not_sent(self):
        answer = ehr.sign("cca-07", chosen={"coverage-info": False})
        assert answer["systemActions"] == []
        assert answer["cards"]

    @pytest.mark.parametrize("most", [0, 1, 2])
    def test_max_cards_counts_cards_alone(self, most):
        every = ehr.sign("cca-12")
        answer = ehr.sign("cca-12", chosen={"max-cards": most})
        assert answer["cards"] == every["cards"][:most]
        assert len(every["cards"]) > 2
        assert answer["systemActions"] == every["systemActions"]

    @pytest.mark.parametrize(
        "chosen",
        [
            {},
            {"unsolicited-determ": False},
            {"no-such-option": True},
            {"guideline": "perhaps"},
            {"max-cards": "many"},
            {"max-cards": -1},
            {"max-cards": True},
            {"coverage-info": None, "limits": 7},
            [],
            "nonsense",
            None,
        ],
    )
    def test_what_cannot_be_obeyed_is_ignored(self, chosen):
        assert ehr.sign("cca-07", chosen=chosen) == ehr.sign("cca-07")

    def test_a_what_if_call_brings_no_determination_that_nobody_asked_for(self):
        told = ehr.only(ehr.sign("cca-01", chosen={"unsolicited-determ": False}))
        assert part(told, "satisfied-pa-id") is None
        assert part(told, "pa-needed") == "auth-needed"


def test_each_answer_has_system_actions_as_an_array():
    assert ehr.sign("kp-13")["systemActions"] == []


def test_a_service_tells_nothing_that_others_can_change():
    first, second = discovery_of("order-sign"), discovery_of("order-sign")
    before = copy.deepcopy(second)
    first["davinci-crd.version"].append("9.9")
    assert second == before
