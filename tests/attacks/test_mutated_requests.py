"""Real hook calls with anything wrong in them: refused, or answered by the schema."""

import copy
import json
from functools import cache

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.attacks.mutation import VALUES, calls, mutated
from tests.conformance.ehr import REVIEW, SELECT, client
from tests.spec.corpus import EXAMPLES

MOST = 6
REFUSED = (400, 403, 412, 422)


def drawn(share):
    """Return how a test draws its share of the examples."""
    return settings(
        max_examples=EXAMPLES // share,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )


seeds = st.integers(0, 2**32).map(lambda number: number % len(calls())).map(lambda at: calls()[at])
randoms = st.randoms(use_true_random=False)


def post(body, path=REVIEW):
    """Send a body as JSON; a lone surrogate and NaN go as Python writes them."""
    data = json.dumps(body)
    return client().post(path, data=data, content_type="application/json")


def service_of(call):
    return SELECT if call["hook"] == "order-select" else REVIEW


def any_service_of(call, random):
    crd = f"/cds-services/{call['hook']}-crd"
    return random.choice((service_of(call), crd))


@drawn(2)
@given(seeds, randoms, st.integers(1, MOST))
def test_a_spoilt_call_is_refused_or_answered(call, random, times):
    answer = post(mutated(call, random, times), any_service_of(call, random))
    assert answer.status_code in (200, *REFUSED)


@drawn(3)
@given(seeds, randoms, st.integers(1, MOST))
def test_a_spoilt_record_never_costs_the_answer(call, random, times):
    spoilt = call | {"prefetch": mutated(call.get("prefetch", {}), random, times)}
    answer = post(spoilt, any_service_of(call, random))
    # 400 for what is no JSON (NaN, lone surrogates, nested too deep), and from the CRD services for
    # a payer that is not served here; 412 where Patient, or for those Coverage, is lost.
    assert answer.status_code in (200, 400, 412)
    if answer.status_code == 400:
        assert answer.get_json()["issue"][0]["code"] in ("structure", "not-supported")


def odd(kind, patient, name, random):
    """Return a resource of this patient of which nothing else is what FHIR says."""
    members = {
        member: copy.deepcopy(random.choice([one for one in VALUES if _is_plain(one)]))
        for member in MEMBERS
    }
    own = {"reference": f"Patient/{patient}"}
    return members | {"resourceType": kind, "id": name, "subject": own, "patient": own}


def _is_plain(value):
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return False
    return not isinstance(value, int) or abs(value) < 2**63


_NAMES = """
    status code category valueQuantity valueCodeableConcept component effectiveDateTime
    issued onsetDateTime recordedDate clinicalStatus verificationStatus period type item
    questionnaire authored authoredOn target lifecycleStatus medicationCodeableConcept
    performer participant meta identifier contained extension note bodySite
    dosageInstruction occurrencePeriod severity
"""
MEMBERS = _NAMES.split()


def reviewed(call):
    answer = post(call, service_of(call))
    assert answer.status_code == 200, answer.text
    return answer.get_json()["extension"]["massage-cds.evaluations"]


@cache
def reviewed_once(instance):
    return reviewed(next(call for call in calls() if call["hookInstance"] == instance))


def statuses(found):
    return {(one["coverage"], c["id"]): c["status"] for one in found for c in one["criteria"]}


def same_or_unknown(found, before):
    """Hold that nothing flipped: a goal that cannot be read may still be one."""
    now, then = statuses(found), statuses(before)
    assert now.keys() == then.keys()
    assert {key for key in now if now[key] not in (then[key], "unknown")} == set()
    told = [{one["id"] for one in each["safety"]} for each in found]
    assert told == [{one["id"] for one in each["safety"]} for each in before]


@drawn(10)
@given(seeds.filter(lambda call: "measures" in call.get("prefetch", {})), randoms)
def test_an_odd_resource_costs_that_resource_only(call, random):
    whole = copy.deepcopy(call)
    patient = call["context"]["patientId"]
    for key, value in whole["prefetch"].items():
        if value and value["resourceType"] == "Bundle" and key != "coverage" and value["entry"]:
            kind = value["entry"][0]["resource"]["resourceType"]
            value["entry"].append({"resource": odd(kind, patient, f"odd-{key}", random)})
    same_or_unknown(reviewed(whole), reviewed_once(call["hookInstance"]))


@pytest.mark.parametrize("value", [None, 5, "text", [], [[]], {}, {"resourceType": 5}], ids=repr)
def test_an_entry_that_is_no_resource_costs_nothing_else(value):
    call = next(one for one in calls() if one.get("prefetch", {}).get("conditions"))
    whole = copy.deepcopy(call)
    whole["prefetch"]["conditions"]["entry"] += [value, {"resource": value}]
    found = statuses(reviewed(whole))
    assert found
    assert found == statuses(reviewed(call))
