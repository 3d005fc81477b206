"""CDS Hooks, discovery and prefetch templates: what a service declares."""

import re

import pytest
from flask import Flask

from cds_service.crd.options import guide_of
from cds_service.hooks.blueprint import blueprint
from cds_service.hooks.service import Registry
from cds_service.record.queries import catalogue
from tests.conformance.ehr import call, client, client_of, prefetch, request, service

requirement = pytest.mark.requirement
TOKEN = re.compile(r"\{\{(.*?)\}\}")
PRIMITIVES = {"context.patientId", "context.userId", "context.encounterId"}
MODIFIERS = re.compile(r"[?&][^=&]+:[^=&]*=")


@pytest.fixture(scope="module")
def listed():
    services = client().get("/cds-services").get_json()["services"]
    assert services
    return services


def of_the_guide(entry):
    """Return the keys under which a CRD service offers the templates of its guide beside ours."""
    return guide_of(entry["hook"]) if entry["id"].endswith("-crd") else {}


@pytest.fixture(scope="module")
def templates(listed):
    """Return the templates that every client can resolve."""
    return {
        f"{one['id']} {key}": template
        for one in listed
        for key, template in one["prefetch"].items()
        if key not in of_the_guide(one)
    }


@requirement(6, 7)
def test_discovery_is_an_object_at_a_stable_address():
    answer = client().get("/cds-services")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert set(answer.get_json()) == {"services"}


@requirement(7, 3)
def test_none_hosted_is_an_empty_array():
    app = Flask("none")
    app.register_blueprint(blueprint(Registry([]), max_body=1))
    answer = app.test_client().get("/cds-services")
    assert (answer.status_code, answer.get_json()) == (200, {"services": []})


@requirement(8)
def test_each_service_says_what_it_is(listed):
    for one in listed:
        for name in ("hook", "id", "title", "description", "usageRequirements"):
            assert isinstance(one[name], str)
            assert one[name]
        assert all(isinstance(item, str) for pair in one["prefetch"].items() for item in pair)


@requirement(8)
def test_the_id_is_the_last_segment_of_the_address(listed):
    for one in listed:
        assert client().post(f"/cds-services/{one['id']}", json={}).status_code == 400


@requirement(9)
def test_the_version_is_that_of_the_specification(listed):
    assert {one["version"] for one in listed} == {"2.0.1"}


@requirement(10)
def test_the_hook_version_is_that_of_the_definition(listed):
    assert {one["hookVersion"] for one in listed} == {"1.0"}
    (entry, *_) = client(HOOK_VERSION="1.0.1").get("/cds-services").get_json()["services"]
    assert entry["hookVersion"] == "1.0.1"


@requirement(11)
def test_each_service_has_an_id_of_its_own(listed):
    ids = [one["id"] for one in listed]
    assert len(ids) == len(set(ids))
    with pytest.raises(ValueError, match="two services"):
        Registry([service(), service(hook="order-select")])


@requirement(12, 51)
def test_an_extension_of_an_entry_is_an_object():
    mine = {"org.example.x": {"a": 1}}
    (entry,) = client_of(service(extension=mine)).get("/cds-services").get_json()["services"]
    assert entry["extension"] == mine


@requirement(14, 16, 18)
def test_tokens_are_first_level_members_that_every_client_knows(templates):
    tokens = {token for template in templates.values() for token in TOKEN.findall(template)}
    assert tokens == {"context.patientId"}
    assert tokens <= PRIMITIVES


@requirement(16)
def test_templates_in_fhirpath_stand_under_keys_that_nothing_depends_on(listed):
    portable = catalogue().queries
    for one in listed:
        assert not set(of_the_guide(one)) & set(portable), one["id"]


@requirement(15)
def test_templates_keep_to_what_every_server_can_search(templates):
    for key, template in templates.items():
        query = template.partition("?")[2]
        names = [pair.partition("=")[0] for pair in query.split("&") if pair]
        assert set(names) <= {"patient", "code", "category", "_include"}, key
        assert "_include" not in names or "Coverage:payor" in query, key
        assert not MODIFIERS.search(template), key


@requirement(17)
def test_no_template_sorts_in_the_wrong_syntax(templates):
    assert not any("_sort:" in template or "_sort" in template for template in templates.values())


@requirement(19)
def test_no_template_has_a_parameter_twice(templates):
    for template in templates.values():
        names = [pair.partition("=")[0] for pair in template.partition("?")[2].split("&")]
        assert len(names) == len(set(names))


@requirement(18)
def test_a_call_without_an_encounter_is_answered():
    made = request(prefetch=prefetch())
    made["context"].pop("encounterId", None)
    assert call(made).status_code == 200


@requirement(5)
def test_what_the_services_do_is_published_for_people_and_programs(listed):
    assert all(len(one["description"]) > 40 for one in listed)
    described = client().get("/openapi.json").get_json()
    assert described["openapi"].startswith("3.1")
    ids = described["components"]["parameters"]["Service"]["schema"]["enum"]
    assert ids == [one["id"] for one in listed]
