"""Every resource that a CRD service emits, checked by HL7's validation engine (CRD 2.0.1)."""

import pytest

from tests.crd import ehr
from tests.crd.rules import information_of, part
from tests.shared import needs_shared
from tests.validation import CRD, findings

PROFILE = f"{CRD}/profile-servicerequest"


def emitted(answer):
    """Yield every resource of an answer."""
    suggestions = [one for card in answer["cards"] for one in card.get("suggestions", ())]
    actions = [one for suggestion in suggestions for one in suggestion["actions"]]
    for action in [*answer["systemActions"], *actions]:
        yield action["resource"]


def wrong(resource):
    return findings(resource, PROFILE)


@needs_shared
@pytest.mark.parametrize("name", [*ehr.names(), *ehr.demo_names()])
def test_every_resource_is_valid(name):
    body = ehr.request_of(name) | {"prefetch": ehr.prefetch_of(ehr.resources(name))}
    answer = ehr.call(body, version="2.0")
    assert [one for resource in emitted(answer) for one in wrong(resource)] == []


@needs_shared
@pytest.mark.parametrize("name", ehr.names())
def test_what_is_sent_where_no_version_is_asked_for_is_valid_in_2_0_too(name):
    """Save where it says not-covered: there 2.2 forbids what 2.0.1's invariant, as coded, wants."""
    answer = ehr.sign(name)
    for resource in emitted(answer):
        refused = "not-covered" in [part(one, "covered") for one in information_of(resource)]
        found = [one for one in wrong(resource) if not (refused and one.id.endswith("#crd-ci-q2"))]
        assert found == []


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (400, lambda body: body["prefetch"].update(coverage=None)),
        (412, lambda body: body["prefetch"].pop("coverage")),
        (422, lambda body: body.update(extension={ehr.VERSION: "9.9"})),
    ],
)
def test_every_outcome_is_valid(status, change):
    body = ehr.request_of("cca-01") | {"prefetch": ehr.prefetch_of(ehr.resources("cca-01"))}
    body["context"]["draftOrders"]["entry"][0]["resource"].pop("insurance")
    change(body)
    outcome = ehr.call(body, status=status)
    assert findings(outcome) == []


@needs_shared
@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("covered", {"valueCode": "indeterminate"}),
        ("pa-needed", {"valueCode": "perhaps"}),
        ("date", {"valueDate": "yesterday"}),
        ("coverage", {"valueString": "Coverage/1"}),
    ],
)
def test_a_fault_in_the_extension_is_found(url, value):
    (order,) = ehr.updated(ehr.sign("cca-07", version="2.0")).values()
    parts = order["extension"][-1]["extension"]
    order["extension"][-1]["extension"] = [
        {"url": url, **value} if one["url"] == url else one for one in parts
    ]
    assert wrong(order)


@needs_shared
def test_a_part_that_is_missing_is_found():
    (order,) = ehr.updated(ehr.sign("cca-07", version="2.0")).values()
    parts = order["extension"][-1]["extension"]
    left = [one for one in parts if one["url"] != "coverage-assertion-id"]
    order["extension"][-1]["extension"] = left
    assert wrong(order)
