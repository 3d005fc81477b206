"""Every patient we were given, under every payer: an honest answer, and nothing made up."""

import pytest

from cds_service.policies.library import default_library
from tests.live import FhirServer, serve
from tests.shared import needs_shared
from tests.spec.records import PATIENTS, name_of
from tests.spec.signed import PAYERS, WHEN, signed_of

pytestmark = needs_shared


def routed(payer):
    """Return the policy that answers for a payer; None while the library has no such policy."""
    return payer.policy if payer.policy in default_library().ids() else None


@pytest.fixture(scope="module")
def records():
    everybody = [signed_of(path, when) for path in PATIENTS for when in WHEN]
    server = FhirServer([{"entry": [{"resource": r} for r in s.resources]} for s in everybody])
    with serve(server.app) as url:
        yield f"{url}/fhir"


def without_evidence(evaluation):
    return [c["id"] for c in evaluation["criteria"] if c["status"] == "met" and not c["evidence"]]


def cited(evaluation):
    held = [*evaluation["criteria"], *evaluation["safety"]]
    return {found["reference"] for one in held for found in one["evidence"]}


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("path", PATIENTS, ids=lambda path: path.name.split(".")[0][:20])
def test_answer(path, when, service, records):
    signed = signed_of(path, when)
    for payer, coverage in zip(PAYERS, signed.coverages, strict=True):
        answer = service.post(signed.request(coverage) | {"fhirServer": records})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["cards"], "silence would look like all clear"
        (found,) = body["extension"]["massage-cds.evaluations"]
        assert (found["policy"], found["coverage"]) == (routed(payer), name_of(coverage))
        assert found["unread"] == []
        assert without_evidence(found) == []
        assert cited(found) <= signed.known | {name_of(signed.order(coverage))}


def prefetch_of_files(templates, resources):
    """Return all there is of each type asked for, readable or not."""
    held = {}
    for key, template in templates.items():
        kind = template.split("?")[0].split("/")[0]
        entries = [{"resource": one} for one in resources if one["resourceType"] == kind]
        bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
        held[key] = entries[0]["resource"] if kind == "Patient" else bundle
    return held


def homeless(resources):
    """Return the types of resources that do not say whose they are."""
    about = ("subject", "patient", "beneficiary")
    personal = [r for r in resources if r["resourceType"] in ("Condition", "QuestionnaireResponse")]
    return {r["resourceType"] for r in personal if not any(name in r for name in about)}


@pytest.mark.parametrize("path", PATIENTS, ids=lambda path: path.name.split(".")[0][:20])
def test_what_cannot_be_used_is_named(path, service):
    signed = signed_of(path, "then")
    prefetch = prefetch_of_files(service.templates(), signed.resources)
    (found,) = service.evaluations(signed.request(signed.coverages[2]) | {"prefetch": prefetch})
    told = {one["query"].split()[0] for one in found["unread"] if one["reason"] == "no-patient"}
    assert told == homeless(signed.resources)
    assert without_evidence(found) == []
