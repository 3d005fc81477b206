"""An EHR that calls the CRD services: in process, with the records of the worked cases."""

import copy
from functools import cache
from pathlib import Path

from cds_service.app import create_app
from cds_service.record.queries import catalogue
from cds_service.settings import load_settings
from fhir_fixtures.stories import build, read_story
from tests.crd.rules import information_of
from tests.live import UNHURRIED
from tests.oracle import CheckedClient

CASES = Path(__file__).parents[1] / "spec" / "cases"
DEMO = Path(__file__).parents[2] / "fhir_fixtures" / "stories"
VERSION = "davinci-crd.requestedVersion"
CONFIGURATION = "davinci-crd.configuration"
VERSIONS = ("both", "2.0", "2.2")
SHARED_KEYS = {
    "PractitionerRole": "practitionerRoles",
    "Practitioner": "practitioners",
    "Organization": "organizations",
    "Location": "locations",
}
HOST = "http://127.0.0.1"


@cache
def built(name):
    folder = CASES if (CASES / f"{name}.yaml").is_file() else DEMO
    return build(name, read_story(folder / f"{name}.yaml"))


def names():
    return sorted(path.stem for path in CASES.glob("*.yaml"))


def demo_names():
    """Return the demo's patients; what they order has been answered for each kind of coverage."""
    return sorted(path.stem for path in DEMO.glob("*.yaml"))


@cache
def app(store=None, **variables):
    chosen = {f"MASSAGE_CDS_{name}": value for name, value in variables.items()}
    settings = load_settings(UNHURRIED | chosen)
    made = create_app(settings, open_access=True, demo=False, store=store)
    made.testing = True
    made.test_client_class = CheckedClient
    return made


def request_of(name, hook="order-sign"):
    """Return the call of a case without FHIR server and prefetch."""
    return copy.deepcopy(built(name).request) | {"hook": hook}


def resources(name, kind=None):
    found = [entry["resource"] for entry in copy.deepcopy(built(name).record)["entry"]]
    return [one for one in found if kind in (None, one["resourceType"])]


def bundle(found):
    entries = [{"resource": one} for one in found]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": entries}


def prefetch_of(found):
    """Return a record as prefetch: the portable keys, and those of the guide for who takes part."""
    held = {}
    for key, query in catalogue().queries.items():
        same = [one for one in found if one["resourceType"] == query.resource_type]
        if key == "coverage" and same:
            same += [one for one in found if one["resourceType"] == "Organization"]
        held[key] = (same[0] if same else None) if query.is_read else bundle(same)
    for kind, key in SHARED_KEYS.items():
        held[key] = bundle([one for one in found if one["resourceType"] == kind])
    return held


def call(body, *, version="both", hook=None, client=None, chosen=None, status=200):
    """Post a call and return its answer."""
    hook = hook or body["hook"]
    extension = dict(body.get("extension", {}))
    if version != "both":
        extension[VERSION] = version
    if chosen is not None:
        extension[CONFIGURATION] = chosen
    sent = body | {"hook": hook} | ({"extension": extension} if extension else {})
    client = client or app().test_client()
    answer = client.post(f"/cds-services/{hook}-crd", json=sent, base_url=HOST)
    assert answer.status_code == status, answer.text
    return answer.get_json(force=True)


def sign(name, change=None, *, found=None, **more):
    """Sign the orders of a case, its record as prefetch; `change` gets context and order."""
    body = request_of(name)
    orders = [entry["resource"] for entry in body["context"]["draftOrders"]["entry"]]
    if change:
        change(body["context"], orders[0])
    body["prefetch"] = prefetch_of(resources(name) if found is None else found)
    return call(body, **more)


def updated(answer):
    """Return the orders that an answer updates, by id."""
    return {one["resource"]["id"]: one["resource"] for one in answer["systemActions"]}


def information(answer):
    """Return all coverage information of an answer."""
    return [one for order in updated(answer).values() for one in information_of(order)]


def only(answer):
    """Return the one coverage information of an answer."""
    (found,) = information(answer)
    return found
