"""What describes the services to programs: /schemas/ and /openapi.json."""

import json

import pytest
from jsonschema import Draft202012Validator

from cds_service.app import create_app
from cds_service.hooks import schemas
from cds_service.hooks.documents import openapi
from cds_service.settings import load_settings
from tests.callers import PUBLIC, Ehr, clients_file
from tests.hook_calls import CARD, REQUEST, assert_outcome, service

FHIR = [f"/fhir/{kind}{one}" for kind in ("Questionnaire", "CodeSystem") for one in ("", "/{name}")]
OPEN = (
    "/livez",
    "/readyz",
    "/openapi.json",
    "/schemas/{name}.json",
    "/metrics",
    "/crd/policies/{policy}",
    *FHIR,
)


def app(open_access=True, **variables):
    return create_app(load_settings(variables), open_access=open_access, demo=False)


@pytest.fixture(scope="module")
def client():
    return app().test_client()


@pytest.fixture(scope="module")
def document(client):
    return client.get("/openapi.json").get_json()


@pytest.mark.parametrize("name", schemas.names())
def test_each_schema_is_published(name, client):
    answer = client.get(f"/schemas/{name}.json")
    assert answer.status_code == 200
    assert answer.content_type == "application/schema+json"
    assert json.loads(answer.text) == schemas.published(name)


@pytest.mark.parametrize("name", ["nothing", "..", "__init__"])
def test_another_schema_is_not_found(name, client):
    assert_outcome(client.get(f"/schemas/{name}.json"), 404)


def test_references_between_schemas_lead_to_published_ones(client):
    targets = [one for name in schemas.names() for one in references(schemas.published(name))]
    files = {target.partition("#")[0] for target in targets} - {""}
    assert files
    for file in files:
        assert client.get(f"/schemas/{file}").status_code == 200


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def test_references_of_the_document_lead_into_it(document):
    found = set(references(document))
    assert found
    for target in found:
        node = document
        for step in target.removeprefix("#/").split("/"):
            node = node[step]


def operations(document):
    for path, item in document["paths"].items():
        for method in ("get", "post"):
            if method in item:
                yield path, method, item[method]


def schemas_in(document):
    for _, _, operation in operations(document):
        parts = [operation.get("requestBody", {}), *operation["responses"].values()]
        for part in parts:
            for media in part.get("content", {}).values():
                yield media["schema"]


def test_every_schema_in_the_document_is_one(document):
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"]
    for schema in schemas_in(document):
        Draft202012Validator.check_schema(schema)


def test_operations_have_names_of_their_own_and_tell_of_errors(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for _, _, operation in operations(document):
        assert "200" in operation["responses"]
        assert "default" in operation["responses"]


def answer_schema(document):
    answer = document["paths"]["/cds-services/{id}"]["post"]["responses"]["200"]
    return Draft202012Validator(answer["content"]["application/json"]["schema"])


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"cards": []}, True),
        ({"cards": [CARD]}, True),
        ({"cards": [], "systemActions": []}, True),
        ({"cards": [], "systemActions": [{"type": "create"}]}, False),
        ({"cards": [{**CARD, "summary": "x" * 140}]}, False),
        ({}, False),
    ],
)
def test_the_answer_of_a_service_is_described_where_it_is_given(document, body, fits):
    assert answer_schema(document).is_valid(body) is fits


def test_the_call_of_each_hook_that_is_served_is_described():
    served = openapi([service(), service("x", hook="order-select")], version="1", open_access=True)
    post = served["paths"]["/cds-services/{id}"]["post"]
    checker = Draft202012Validator(post["requestBody"]["content"]["application/json"]["schema"])
    assert checker.is_valid(REQUEST)
    assert checker.is_valid(REQUEST | {"hook": "order-select"})
    assert not checker.is_valid(REQUEST | {"hook": "order-dispatch"})
    assert not checker.is_valid({})


def test_a_document_without_services_is_sound():
    empty = openapi([], version="1", open_access=True)
    assert empty["components"]["parameters"]["Service"]["schema"] == {"type": "string"}


def test_open_access_asks_for_no_token_and_the_rest_names_it(document):
    assert document["security"] == []
    closed = openapi([service()], version="1", open_access=False)
    assert closed["security"] == [{"client": []}]
    for path, _, operation in operations(closed):
        assert (operation.get("security") == []) == (path in OPEN)
    scheme = closed["components"]["securitySchemes"]["client"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/openapi.json", "/schemas/response.json"])
def test_what_describes_and_probes_needs_no_token(path, tmp_path):
    variables = {
        "MASSAGE_CDS_CLIENTS": str(clients_file(tmp_path, Ehr())),
        "MASSAGE_CDS_PUBLIC_URL": PUBLIC,
    }
    closed = app(open_access=False, **variables).test_client()
    assert closed.get(path).status_code == 200
    assert closed.get("/cds-services").status_code == 401
