"""What /openapi.json promises, held against calls that Schemathesis draws from it."""

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.conformance.ehr import app
from tests.spec.corpus import EXAMPLES

HOOKS, FEEDBACK = "POST /cds-services/{id}", "POST /cds-services/{id}/feedback"
GOOD, BAD = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
WITHOUT_INPUT = ("/livez", "/readyz", "/metrics", "/cds-services", "/crd/cds-services")

# Of twenty calls drawn, so many go to each: those that read most get most.
SHARES = {
    (HOOKS, GOOD): 8,
    (HOOKS, BAD): 3,
    (FEEDBACK, GOOD): 2,
    (FEEDBACK, BAD): 1,
    ("GET /schemas/{name}.json", BAD): 3,
    ("GET /fhir/Questionnaire", GOOD): 3,
}


@pytest.fixture(scope="module")
def operations():
    document = schemathesis.openapi.from_wsgi("/openapi.json", app())
    return {found.ok().label: found.ok() for found in document.get_all_operations()}


def judged(case):
    """Make a call and hold its answer against the document."""
    answer = case.call()
    # A schema cannot say which service answers which hook, nor that the 31st of June is no day;
    # and an odd member that an answer does without (extension, scope) is left aside, not refused.
    case.validate_response(
        answer, excluded_checks=[positive_data_acceptance, negative_data_rejection]
    )
    return answer


@pytest.mark.parametrize(("label", "mode"), SHARES, ids=lambda part: str(part).split(".")[-1])
def test_no_call_gets_what_is_not_promised(operations, label, mode):
    share = max(1, EXAMPLES * SHARES[label, mode] // 20)
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]

    @settings(
        max_examples=share,
        suppress_health_check=slow,
        phases=[Phase.generate],
    )
    @given(operations[label].as_strategy(generation_mode=mode))
    def hold(case):
        assert judged(case).status_code < 500

    hold()


def test_what_takes_no_input_answers_as_promised(operations):
    for path in WITHOUT_INPUT:
        assert judged(operations[f"GET {path}"].Case()).status_code == 200


def rules(made):
    """Return the addresses of an application as OpenAPI writes them, with their methods."""
    for rule in made.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule).replace("service_id", "id")
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            yield path, method.lower()


def test_every_address_is_described():
    described = app().test_client().get("/openapi.json").get_json()["paths"]
    told = {
        (path, method)
        for path, item in described.items()
        for method in item
        if method in ("get", "post", "put", "delete", "patch")
    }
    assert set(rules(app())) == told
