"""What Inferno's kit for CRD servers (2.0.1) asserts, checked once more in our own code.

Names of the checks follow the groups of its server suite: A discovery, C a hook's call and answer,
E what the hooks together must have shown. `failures` of one exchange are (check, words) pairs; the
profiles are looked at as far as JSON alone tells (the HL7 validator does the rest elsewhere).
"""

import re
import uuid
from urllib.parse import urlsplit

from tests.crd.rules import URL

ORDERS = {
    "DeviceRequest",
    "MedicationRequest",
    "NutritionOrder",
    "ServiceRequest",
    "VisionPrescription",
}
CREATED = ORDERS | {
    "CommunicationRequest",
    "Medication",
    "Device",
    "Encounter",
    "Practitioner",
    "PractitionerRole",
    "Organization",
}
PRIMARY = {"appointment-book", "order-sign", "order-dispatch"}
USER = re.compile(r"(Practitioner|PractitionerRole)/[A-Za-z0-9.\-]{1,64}")
REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64}")
FHIR_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")


def text(value):
    return isinstance(value, str) and bool(value)


def discovery_failures(status, body):
    """Return what is wrong with GET /cds-services."""
    if status != 200 or not isinstance(body, dict):
        return [("A1", "discovery is no JSON with status 200")]
    services = body.get("services")
    if not isinstance(services, list):
        return [("A2", "services is no array")]
    return [
        ("A2", f"a service lacks {name}")
        for one in services
        for name in ("hook", "description", "id")
        if not text(one.get(name))
    ]


class Exchange:
    """One call of a service and its answer."""

    def __init__(self, request, status, response):
        self.request = request
        self.hook = request.get("hook")
        self.status = status
        self.response = response if isinstance(response, dict) else {}

    @property
    def drafts(self):
        entries = self.request["context"].get("draftOrders", {}).get("entry", [])
        return [entry["resource"] for entry in entries]

    @property
    def cards(self):
        found = self.response.get("cards")
        return found if isinstance(found, list) else []

    @property
    def actions(self):
        return self.response.get("systemActions") or []

    @property
    def suggested(self):
        return [
            (card, suggestion) for card in self.cards for suggestion in card.get("suggestions", ())
        ]

    def informing(self):
        """Return the actions whose resource carries coverage information."""
        return [one for one in self.actions if _informs(one.get("resource") or {})]

    def failures(self):
        """Return every failed check of this exchange."""
        checks = (
            self.c1,
            self.c2,
            self.c3,
            self.c5,
            self.c6,
            self.c11,
            self.c12,
            self.c13,
        )
        return [(check.__name__.upper(), words) for check in checks for words in check()]

    def c1(self):
        """The call is answered with 200 and JSON."""
        if self.status != 200 or not self.response:
            yield f"status {self.status}"

    def c2(self):
        """The call names hook, hookInstance and context."""
        request = self.request
        if not text(self.hook):
            yield "no hook"
        if not _is_uuid(request.get("hookInstance")):
            yield "hookInstance is no UUID"
        if not isinstance(request.get("context"), dict):
            yield "no context"
        if "fhirAuthorization" in request and not text(request.get("fhirServer")):
            yield "fhirAuthorization without fhirServer"

    def c3(self):
        """The context of an order hook holds user, patient and orders."""
        context = self.request.get("context", {})
        if self.hook == "order-dispatch":
            return
        if not USER.fullmatch(str(context.get("userId"))):
            yield "userId"
        if not FHIR_ID.fullmatch(str(context.get("patientId"))):
            yield "patientId"
        if not self.drafts or not all(text(one.get("id")) for one in self.drafts):
            yield "a draft order without id"
        if not {one.get("resourceType") for one in self.drafts} & ORDERS:
            yield "no draft order of a kind that is known"

    def c5(self):
        """Cards and system actions have what they must."""
        if not isinstance(self.response.get("cards"), list):
            yield "cards is no array"
        for card in self.cards:
            yield from _card(card)
        yield from self._system_actions()

    def _system_actions(self):
        if self.hook in PRIMARY and not isinstance(self.response.get("systemActions"), list):
            yield "systemActions is no array"
        for action in self.actions:
            yield from _action(action)

    def c6(self):
        """What a card may have is of the right kind."""
        for card in self.cards:
            yield from _optional(card)

    def c7(self):
        """Whether a card refers to something outside."""
        return any(
            card.get("links") and all(link.get("type") == "absolute" for link in card["links"])
            for card in self.cards
        )

    def c9(self):
        """Whether a card instructs."""
        return any(not card.get("links") and not card.get("suggestions") for card in self.cards)

    def c10(self):
        """Whether an order is told its coverage information."""
        return bool(self.informing())

    def c11(self):
        """Coverage information comes as an update, its ids distinct by coverage."""
        for action in self.informing():
            if action.get("type") != "update":
                yield "coverage information that is no update"
            yield from _profile(action["resource"])
            yield from _identified(action["resource"])

    def c12(self):
        """An alternative changes or replaces an order of the call."""
        known = {f"{one['resourceType']}/{one['id']}" for one in self.drafts}
        for _, suggestion in self.suggested:
            actions = suggestion.get("actions") or []
            for action in actions:
                if action.get("type") == "update":
                    resource = action.get("resource") or {}
                    name = f"{resource.get('resourceType')}/{resource.get('id')}"
                    if name not in known:
                        yield "an update of an order that was not sent"
                    yield from _profile(resource)
                if action.get("type") == "delete":
                    yield from _replaced(action, actions, known)

    def c13(self):
        """An additional order is of a kind that may be created."""
        for _, suggestion in self.suggested:
            actions = suggestion.get("actions") or []
            if actions and all(one.get("type") == "create" for one in actions):
                for action in actions:
                    resource = action.get("resource") or {}
                    if resource.get("resourceType") not in CREATED:
                        yield f"a created {resource.get('resourceType')}"
                    yield from _profile(resource)


def suite_failures(exchanges):
    """Return what the answers together have not shown (group E, and 10 for each primary hook)."""
    shown = {
        "E external reference": any(one.c7() for one in exchanges),
        "E instructions": any(one.c9() for one in exchanges),
        "E coverage information": any(one.c10() and not [*one.c11()] for one in exchanges),
    }
    for hook in sorted({one.hook for one in exchanges} & PRIMARY):
        own = [one for one in exchanges if one.hook == hook]
        shown[f"C10 {hook}"] = any(one.c10() for one in own)
    return [name for name, found in shown.items() if not found]


def _is_uuid(value):
    try:
        return text(value) and bool(uuid.UUID(value))
    except ValueError:
        return False


def _informs(resource):
    kinds = resource.get("resourceType") in ORDERS
    return kinds and any(one.get("url") == URL for one in resource.get("extension", ()))


def _card(card):
    if not text(card.get("summary")) or len(card["summary"]) >= 140:
        yield "summary"
    if card.get("indicator") not in ("info", "warning", "critical"):
        yield "indicator"
    source = card.get("source") or {}
    if not text(source.get("label")):
        yield "source.label"
    topic = source.get("topic") or {}
    if not text(topic.get("code")) or not text(topic.get("system")):
        yield "source.topic"


def _action(action):
    if action.get("type") not in ("create", "update", "delete"):
        yield "type of an action"
    if not text(action.get("description")):
        yield "description of an action"
    if action.get("type") == "delete":
        if not REFERENCE.fullmatch(str(action.get("resourceId"))):
            yield "resourceId of a delete"
    elif not text((action.get("resource") or {}).get("resourceType")):
        yield "resource of an action"


def _optional(card):
    for name, kind in (("uuid", str), ("detail", str), ("suggestions", list), ("links", list)):
        if name in card and not isinstance(card[name], kind):
            yield f"{name} is of the wrong type"
    if card.get("suggestions") and card.get("selectionBehavior") not in ("at-most-one", "any"):
        yield "suggestions without selectionBehavior"
    for reason in card.get("overrideReasons", ()):
        if not all(text(reason.get(name)) for name in ("code", "system", "display")):
            yield "an override reason lacks a member"
    for link in card.get("links", ()):
        yield from _link(link)
    for suggestion in card.get("suggestions", ()):
        yield from _suggestion(suggestion)


def _link(link):
    if not text(link.get("label")) or link.get("type") not in ("absolute", "smart"):
        yield "a link lacks label or type"
    parts = urlsplit(str(link.get("url")))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield "the address of a link"
    if link.get("type") == "absolute" and "appContext" in link:
        yield "appContext on an absolute link"


def _suggestion(suggestion):
    if not text(suggestion.get("label")):
        yield "a suggestion without label"
    if "actions" in suggestion and not suggestion["actions"]:
        yield "a suggestion with no action"
    for action in suggestion.get("actions", ()):
        yield from _action(action)


def _profile(resource):
    """Yield what the profile of a ServiceRequest wants and JSON shows to be missing."""
    if resource.get("resourceType") != "ServiceRequest":
        return
    for name in ("status", "intent", "code", "subject", "authoredOn", "requester"):
        if not resource.get(name):
            yield f"ServiceRequest.{name}"
    for one in resource.get("extension", ()):
        if one.get("url") == URL:
            told = [part.get("url") for part in one.get("extension", ())]
            for name in ("coverage", "covered", "date", "coverage-assertion-id"):
                if told.count(name) != 1:
                    yield f"coverage-information.{name}"


def _identified(resource):
    """Yield where the ids of assertions and authorizations are not distinct by coverage."""
    assertions, satisfied = {}, {}
    for one in resource.get("extension", ()):
        if one.get("url") != URL:
            continue
        parts = {part["url"]: part for part in one["extension"]}
        coverage = parts.get("coverage", {}).get("valueReference", {}).get("reference")
        told = parts.get("coverage-assertion-id", {}).get("valueString")
        assertions.setdefault(coverage, set()).add(told)
        number = parts.get("satisfied-pa-id", {}).get("valueString")
        satisfied.setdefault(coverage, set()).update({number} - {None})
    if any(len(ids) != 1 for ids in assertions.values()):
        yield "one coverage with several assertion ids"
    if any(len(ids) > 1 for ids in satisfied.values()):
        yield "one coverage with several authorization ids"
    for held in (assertions, satisfied):
        every = [name for ids in held.values() for name in ids]
        if len(every) != len(set(every)):
            yield "several coverages with one id"


def _replaced(action, actions, known):
    name = str(action.get("resourceId"))
    if name not in known:
        yield "a delete of an order that was not sent"
    kinds = {
        (one.get("resource") or {}).get("resourceType")
        for one in actions
        if one.get("type") == "create"
    }
    if name.split("/", maxsplit=1)[0] not in kinds:
        yield "a delete with nothing in its place"
