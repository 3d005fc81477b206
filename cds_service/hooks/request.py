"""A hook request as it came: checked where the protocol demands it, tolerant elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from cds_service.hooks.errors import HookError

Resource = dict[str, Any]

EXPLAIN = "massage-cds.explain"

REQUIRED_CONTEXT: Mapping[str, Sequence[str]] = {
    "patient-view": ("patientId", "userId"),
    "order-select": ("patientId", "userId", "selections", "draftOrders"),
    "order-sign": ("patientId", "userId", "draftOrders"),
    "order-dispatch": ("patientId", "dispatchedOrders", "performer"),
}

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.I)
_PATIENT_ID = re.compile(r"[A-Za-z0-9._\-]+\Z")
_USER_ID = re.compile(r"[A-Za-z]+/[A-Za-z0-9._\-]+\Z")
_TOKEN = re.compile(r"[\x21-\x7e]+\Z")


@dataclass(frozen=True, slots=True)
class DraftOrder:
    """One entry of `context.draftOrders`, its resource exactly as received.

    `position` counts entries from 0. Orders not yet stored may lack an id.
    """

    position: int
    resource: Resource = field(repr=False)
    full_url: str | None = field(default=None, repr=False)

    @property
    def type(self) -> str:
        """The resource type."""
        return str(self.resource["resourceType"])

    @property
    def reference(self) -> str:
        """ "ServiceRequest/id", or "#position" for a resource without an id."""
        name = self.resource.get("id")
        return f"{self.type}/{name}" if isinstance(name, str) and name else f"#{self.position}"


@dataclass(frozen=True, slots=True)
class Authorization:
    """What `fhirAuthorization` grants for this one call.

    The token never shows in a repr. `scope` holds SMART scopes, v1 or v2, as sent; `subject` is
    our client id at the EHR's authorization server; `expires_in` counts seconds.
    """

    access_token: str = field(repr=False)
    scope: str = ""
    subject: str | None = None
    expires_in: int | None = None
    patient: str | None = None


@dataclass(frozen=True, slots=True)
class HookRequest:
    """One call of a service.

    `context` is whole and as received, `draft_orders` its Bundle in order (empty for hooks without
    one), `prefetch` by template key as received (null and OperationOutcome included), `fhir_server`
    without a trailing slash. Identifiers, content and token stay out of the repr and so of logs.
    """

    hook: str
    hook_instance: str
    patient_id: str = field(repr=False)
    user_id: str | None = field(repr=False)
    encounter_id: str | None = field(repr=False)
    context: Mapping[str, Any] = field(repr=False)
    draft_orders: tuple[DraftOrder, ...] = field(default=(), repr=False)
    selections: tuple[str, ...] = field(default=(), repr=False)
    fhir_server: str | None = None
    authorization: Authorization | None = field(default=None, repr=False)
    prefetch: Mapping[str, Any] = field(default_factory=dict, repr=False)
    extension: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def explain(self) -> bool:
        """Whether the caller asks for the reasoning beside the cards."""
        return self.extension.get(EXPLAIN) is True


def parse_request(body: bytes, hook: str | None = None) -> HookRequest:
    """Return the request in a body; `hook` is what the service answers, None accepts any.

    Raises HookError: 400 for what breaks the protocol, 403 for a token of another patient, 422 for
    draft orders that cannot be what they say they are.
    """
    return read_request(parse_json(body), hook)


def parse_json(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; raises HookError 400."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _bad(f"The body is not JSON in UTF-8 ({place}): send one JSON object.") from None
    if not isinstance(value, dict):
        raise _bad("The body is JSON but no object: send one JSON object.")
    _refuse_odd(body, value)
    return value


def read_request(value: Mapping[str, Any], hook: str | None = None) -> HookRequest:
    """Return the request in a JSON object; raises HookError as `parse_request` does."""
    named = _hook(value, hook)
    instance = _hook_instance(value)
    context = _context(value, named)
    patient = _patient_id(context)
    server = _fhir_server(value)
    return HookRequest(
        hook=named,
        hook_instance=instance,
        patient_id=patient,
        user_id=_user_id(context),
        encounter_id=_text(context.get("encounterId")),
        context=context,
        draft_orders=_draft_orders(context, patient),
        selections=_selections(context, named),
        fhir_server=server,
        authorization=_authorization(value, server, patient),
        prefetch=_prefetch(value),
        extension=_object(value.get("extension")) or {},
    )


def _bad(diagnostics: str, expression: str | None = None) -> HookError:
    return HookError(400, "structure", diagnostics, expression)


def _missing(name: str, remedy: str) -> HookError:
    return HookError(400, "required", f"{name} is missing: {remedy}.", name)


def _impossible(diagnostics: str, expression: str) -> HookError:
    return HookError(422, "invalid", diagnostics, expression)


def _object(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _refuse_odd(body: bytes, value: dict[str, Any]) -> None:
    """Refuse what could not be echoed (nested too deep) and objects with a key twice.

    orjson keeps the last of two equal keys in silence; fewer colons out than in gives it away, and
    only then is the body read again with the slower parser that sees both.
    """
    try:
        echoed = orjson.dumps(value)
    except TypeError:
        raise _bad("The body is nested too deeply: FHIR needs far fewer than 250 levels.") from None
    if body.count(b":") != echoed.count(b":"):
        json.loads(body.decode(), object_pairs_hook=_refuse_duplicates, parse_int=str)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        words = ", ".join(ascii(name) for name in twice[:3])
        raise _bad(f"An object of the body has a member twice: {words}. Send each once.")


def _hook(value: Mapping[str, Any], expected: str | None) -> str:
    named = _text(value.get("hook"))
    if named is None:
        raise _missing("hook", f'send the name of the hook, such as "{expected or "order-sign"}"')
    if expected and named != expected:
        words = f'This service answers the hook "{expected}"; discovery tells which service answers'
        raise HookError(400, "value", f"{words} another.", "hook")
    return named


def _hook_instance(value: Mapping[str, Any]) -> str:
    instance = value.get("hookInstance")
    if instance is None:
        raise _missing("hookInstance", "send a UUID")
    if not isinstance(instance, str) or not _UUID.match(instance):
        raise HookError(400, "value", "hookInstance is no UUID: send one.", "hookInstance")
    return instance.lower()


def _context(value: Mapping[str, Any], hook: str) -> dict[str, Any]:
    context = _object(value.get("context"))
    if context is None:
        raise _missing("context", "send the object that the hook defines")
    for name in REQUIRED_CONTEXT.get(hook, ("patientId",)):
        if context.get(name) in (None, ""):
            raise _missing(f"context.{name}", f"the hook {hook} requires it")
    return context


def _patient_id(context: Mapping[str, Any]) -> str:
    patient = context["patientId"]
    if not isinstance(patient, str) or not _PATIENT_ID.match(patient):
        words = 'context.patientId is no bare id of a Patient: send "123", not "Patient/123".'
        raise HookError(400, "value", words, "context.patientId")
    return patient


def _user_id(context: Mapping[str, Any]) -> str | None:
    user = context.get("userId")
    if user is None:
        return None
    if not isinstance(user, str) or not _USER_ID.match(user):
        words = 'context.userId is no reference such as "Practitioner/123".'
        raise HookError(400, "value", words, "context.userId")
    return user


def _selections(context: Mapping[str, Any], hook: str) -> tuple[str, ...]:
    listed = context.get("selections")
    if isinstance(listed, list):
        return tuple(item for item in listed if _text(item))
    if "selections" in REQUIRED_CONTEXT.get(hook, ()):
        words = 'context.selections is no array of references such as "ServiceRequest/123".'
        raise HookError(400, "value", words, "context.selections")
    return ()


def _draft_orders(context: Mapping[str, Any], patient: str) -> tuple[DraftOrder, ...]:
    bundle = context.get("draftOrders")
    if bundle is None:
        return ()
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        words = "context.draftOrders is no Bundle: send the unsigned orders in one."
        raise _bad(words, "context.draftOrders")
    entries = bundle.get("entry") or []
    if not isinstance(entries, list):
        raise _impossible("The entry member is no array.", "context.draftOrders.entry")
    orders = tuple(_draft_order(at, entry, patient) for at, entry in enumerate(entries))
    _refuse_twins(orders)
    return orders


def _draft_order(position: int, entry: object, patient: str) -> DraftOrder:
    place = f"context.draftOrders.entry[{position}].resource"
    resource = _object((_object(entry) or {}).get("resource"))
    if resource is None or _text(resource.get("resourceType")) is None:
        raise _impossible("The entry holds no resource with a resourceType.", place)
    if _other_patient(resource.get("subject"), patient):
        words = "The order is for another patient than context.patientId; send one patient's."
        raise _impossible(words, f"{place}.subject")
    return DraftOrder(position, resource, _text((_object(entry) or {}).get("fullUrl")))


def _other_patient(subject: object, patient: str) -> bool:
    reference = _text((_object(subject) or {}).get("reference")) or ""
    parts = reference.split("/_history/")[0].split("/")
    return len(parts) > 1 and parts[-2] == "Patient" and parts[-1] != patient


def _refuse_twins(orders: Sequence[DraftOrder]) -> None:
    seen: dict[str, int] = {}
    for order in orders:
        first = seen.setdefault(order.reference, order.position)
        if first != order.position:
            words = f"The entry has the type and id of entry {first}; give each order its own id."
            place = f"context.draftOrders.entry[{order.position}].resource.id"
            raise _impossible(words, place)


def _fhir_server(value: Mapping[str, Any]) -> str | None:
    server = value.get("fhirServer")
    if server in (None, ""):
        return None
    if not isinstance(server, str) or not _is_base_url(server):
        words = "fhirServer is no absolute http or https URL without user, query and fragment."
        raise HookError(400, "value", words, "fhirServer")
    return server.rstrip("/")


def _is_base_url(text: str) -> bool:
    if not _TOKEN.match(text) or "\\" in text:
        return False
    try:
        url = urlsplit(text)
        port_is_good = url.port != 0
    except ValueError:
        return False
    plain = not (url.query or url.fragment or "@" in url.netloc)
    return url.scheme in ("http", "https") and bool(url.hostname) and plain and port_is_good


def _authorization(
    value: Mapping[str, Any], server: str | None, patient: str
) -> Authorization | None:
    given = value.get("fhirAuthorization")
    if given is None:
        return None
    grant = _object(given)
    if grant is None:
        raise _bad("fhirAuthorization is no object.", "fhirAuthorization")
    if server is None:
        raise _missing("fhirServer", "fhirAuthorization needs the server it is for")
    if grant.get("patient") not in (None, "", patient):
        raise _foreign_token()
    return _grant(grant)


def _foreign_token() -> HookError:
    """403, not 400: the call is well formed; what it asks for is another patient's record."""
    words = "The access token is for another patient than context.patientId."
    return HookError(403, "forbidden", words, "fhirAuthorization.patient")


def _grant(grant: Mapping[str, Any]) -> Authorization:
    token = _text(grant.get("access_token"))
    if token is None or not _TOKEN.match(token):
        words = "fhirAuthorization.access_token is missing or no bearer token."
        raise HookError(400, "value", words, "fhirAuthorization.access_token")
    kind = grant.get("token_type")
    if kind is not None and str(kind).lower() != "bearer":
        words = 'fhirAuthorization.token_type is not "Bearer", the only type there is.'
        raise HookError(400, "value", words, "fhirAuthorization.token_type")
    seconds = grant.get("expires_in")
    return Authorization(
        access_token=token,
        scope=_text(grant.get("scope")) or "",
        subject=_text(grant.get("subject")),
        expires_in=seconds if isinstance(seconds, int) else None,
        patient=_text(grant.get("patient")),
    )


def _prefetch(value: Mapping[str, Any]) -> Mapping[str, Any]:
    prefetch = value.get("prefetch")
    if prefetch is None:
        return {}
    if not isinstance(prefetch, dict):
        raise _bad("prefetch is no object: send results by template key.", "prefetch")
    return prefetch
