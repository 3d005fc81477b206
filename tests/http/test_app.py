from datetime import date

import pytest

from cds_service import app as app_module
from cds_service import services
from cds_service.app import create_app, today_at
from cds_service.auth.register import ClientsError
from cds_service.hooks.response import HookResponse
from cds_service.services import rules_of as rules
from cds_service.settings import load_settings
from tests.hook_calls import REQUEST, assert_outcome, changed, service
from tests.oracle import CheckedClient


class Built:
    """Stands for cds_service.services and keeps what the app hands to it."""

    def build_services(self, _settings, reviewer, _page):
        self.today = reviewer.today
        return [service(handler=self.answer, hook_version=None)]

    def answer(self, request):
        self.request = request
        return HookResponse(cards=[])


@pytest.fixture
def built(monkeypatch):
    stand_in = Built()
    monkeypatch.setattr(app_module, "build_services", stand_in.build_services)
    return stand_in


def client_of(*, open_access=True, demo=False, **variables):
    settings = load_settings({f"MASSAGE_CDS_{key}": value for key, value in variables.items()})
    app = create_app(settings, open_access=open_access, demo=demo)
    app.testing = True
    app.test_client_class = CheckedClient
    return app.test_client()


def test_the_app_answers_calls_and_health(built):
    client = client_of()
    assert client.post("/cds-services/review", json=REQUEST).status_code == 200
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_settings_reach_discovery_and_the_limit(built):
    client = client_of(HOOK_VERSION="1.0.1", MAX_BODY="2048")
    (entry,) = client.get("/cds-services").get_json()["services"]
    assert entry["hookVersion"] == "1.0.1"
    long = changed("pad", "x" * 2048)
    assert_outcome(client.post("/cds-services/review", json=long), 413, "2048")


def test_open_access_reads_loopback_servers_alone(built):
    client_of(open_access=True).post("/cds-services/review", json=REQUEST)
    assert built.request.client.may_call("http://127.0.0.1:8080/fhir")
    assert not built.request.client.may_call("http://192.0.2.1/fhir")


def test_without_clients_there_is_no_service_but_an_open_one(built):
    with pytest.raises(ClientsError, match="--open"):
        client_of(open_access=False)


def test_the_clock_is_the_sites(built):
    client_of(TIMEZONE="Pacific/Kiritimati")
    ahead = built.today()
    behind = today_at(load_settings({"MASSAGE_CDS_TIMEZONE": "Pacific/Niue"}))()
    assert isinstance(ahead, date)
    assert ahead > behind


def test_an_open_service_answers_to_this_machine_by_its_own_name_only(built):
    client = client_of()
    for host in ("localhost:8080", "127.0.0.1:8080", "[::1]:8080"):
        assert client.get("/cds-services", headers={"Host": host}).status_code == 200
    assert_outcome(client.get("/cds-services", headers={"Host": "rebound.example"}), 403)


def test_production_allows_the_origins_of_the_settings_alone(built):
    client = client_of(CORS_ORIGINS="https://ehr.example.org")
    for origin, allowed in (("https://ehr.example.org", True), ("http://localhost:8092", False)):
        headers = client.get("/cds-services", headers={"Origin": origin}).headers
        assert ("Access-Control-Allow-Origin" in headers) is allowed


def test_the_demo_has_page_sandbox_and_local_origins(built):
    client = client_of(demo=True)
    assert client.get("/").status_code == 200
    assert client.get("/fhir/metadata").get_json()["resourceType"] == "CapabilityStatement"
    headers = {"Origin": "http://localhost:8092"}
    answer = client.get("/cds-services", headers=headers)
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:8092"


def test_the_demo_reads_policies_and_routing_once(monkeypatch):
    read = []
    monkeypatch.setattr(services, "rules_of", lambda settings: read.append(1) or rules(settings))
    client_of(demo=True)
    assert len(read) == 1


def test_production_has_no_page_and_no_sandbox(built):
    client = client_of()
    assert_outcome(client.get("/"), 404)
    assert_outcome(client.get("/fhir/metadata"), 404)
