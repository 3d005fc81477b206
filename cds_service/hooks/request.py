"""A hook request as it came: checked where the protocol demands it, tolerant elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import orjson

from cds_service.hooks import schemas
from cds_service.hooks.client import Client
from cds_service.hooks.errors import HookError

Resource = dict[str, Any]

EXPLAIN = "massage-cds.explain"
SELECT = "order-select"
STRAY = (
    "The selection names no entry of context.draftOrders: send type and id of one, such as "
    "ServiceRequest/123, or its fullUrl."
)

_ESCAPED_COLONS = (rb"\u003a", rb"\u003A")
_ENCOUNTER = re.compile(r"(?:(?:\S*/)?Encounter/)?([A-Za-z0-9._-]{1,128})")
_PATIENT_FIELDS = ("subject", "patient")
_CONTENT = ("context", "draftOrders", "entry")
_TOKEN_TYPE = ("fhirAuthorization", "token_type")
_DISPENSABLE = frozenset(
    {
        ("extension",),
        ("context", "encounterId"),
        ("fhirAuthorization", "expires_in"),
        ("fhirAuthorization", "scope"),
        ("fhirAuthorization", "subject"),
    }
)


@dataclass(frozen=True, slots=True)
class DraftOrder:
    """One entry of `context.draftOrders`, its resource exactly as received.

    `position` counts entries from 1. Orders not yet stored may lack an id.
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

    @property
    def names(self) -> frozenset[str]:
        """What a reference to it may say: type and id, and its fullUrl."""
        return _names(self.reference) | (_names(self.full_url) if self.full_url else frozenset())


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
    without a trailing slash, `arrived` in seconds of time.monotonic(). Identifiers, content and
    token stay out of the repr and so of logs.
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
    client: Client | None = field(default=None, repr=False)
    digest: str = ""
    arrived: float = field(default_factory=monotonic)

    @property
    def selected(self) -> tuple[DraftOrder, ...]:
        """The draft orders that `selections` name, by relative or absolute reference or fullUrl."""
        wanted = frozenset(name for one in self.selections for name in _names(one))
        return tuple(order for order in self.draft_orders if order.names & wanted)

    @property
    def explain(self) -> bool:
        """Whether the caller asks for the reasoning beside the cards."""
        return self.extension.get(EXPLAIN) is True


def parse_request(body: bytes, hook: str | None = None) -> HookRequest:
    """Return the request in a body; `hook` is what the service answers, None accepts any.

    Raises HookError: 400 for what breaks the protocol, 403 for a token of another patient, 422 for
    draft orders that cannot be what they say they are.
    """
    value = parse_json(body)
    try:
        return read_request(value, hook)
    except HookError as error:
        error.hook_instance = _text(value.get("hookInstance"))
        raise


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
    envelope = _envelope(value)
    _refuse_breach(envelope, hook)
    context = envelope["context"]
    patient = context["patientId"]
    orders = _draft_orders(context, patient)
    return HookRequest(
        hook=envelope["hook"],
        hook_instance=envelope["hookInstance"].lower(),
        patient_id=patient,
        user_id=_text(context.get("userId")),
        encounter_id=_encounter(context),
        context=value["context"],
        draft_orders=orders,
        selections=_selections(context, orders if envelope["hook"] == SELECT else None),
        fhir_server=_fhir_server(envelope),
        authorization=_authorization(envelope, patient),
        prefetch=envelope.get("prefetch", {}),
        extension=_object(envelope.get("extension")) or {},
    )


def _envelope(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request without members that say nothing: null or an empty text is left out.

    No sender should send them; refusing them would cost guidance and gain nothing.
    """
    envelope = _filled(value)
    for name in ("context", "fhirAuthorization"):
        if isinstance(inner := envelope.get(name), dict):
            envelope[name] = _filled(inner)
    _capitalise(_object(envelope.get("fhirAuthorization")) or {})
    context = envelope.get("context")
    if isinstance(context, dict) and isinstance(drafts := context.get("draftOrders"), dict):
        context["draftOrders"] = _filled(drafts)
    return envelope


def _capitalise(grant: dict[str, Any]) -> None:
    """Write the token's type as CDS Hooks does: OAuth, where it comes from, minds no case."""
    if (_text(grant.get("token_type")) or "").lower() == "bearer":
        grant["token_type"] = "Bearer"


def _filled(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if item is not None and item != ""}


def _refuse_breach(envelope: Mapping[str, Any], hook: str | None) -> None:
    found = schemas.problems(_schema(hook or envelope.get("hook")), envelope)
    problem = schemas.shallowest(one for one in found if not _spared(one))
    if problem is None:
        return
    content = problem.steps[: len(_CONTENT)] == _CONTENT
    code = "invalid" if content else "required" if problem.missing else "value"
    raise HookError(422 if content else 400, code, f"{problem}.", problem.place)


def _spared(problem: schemas.Problem) -> bool:
    """Whether we can answer in spite of it: a clinician should not pay for what we do not need."""
    untyped = problem.missing and problem.steps == _TOKEN_TYPE
    return untyped or problem.steps in _DISPENSABLE


def _schema(hook: object) -> str:
    named = f"{hook}-request"
    return named if named in schemas.names() else "request"


def _bad(diagnostics: str, expression: str | None = None) -> HookError:
    return HookError(400, "structure", diagnostics, expression)


def _impossible(diagnostics: str, expression: str) -> HookError:
    return HookError(422, "invalid", diagnostics, expression)


def _object(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _refuse_odd(body: bytes, value: dict[str, Any]) -> None:
    """Refuse what could not be echoed (nested too deep) and objects with a key twice.

    orjson keeps the last of two equal keys in silence; fewer colons out than in gives it away, and
    a body that comes out as it went in lost none. Else, and where escaped colons spoil the count,
    the body is read again with the slower parser that sees both.
    """
    try:
        echoed = orjson.dumps(value)
    except TypeError:
        raise _bad("The body is nested too deeply: FHIR needs far fewer than 250 levels.") from None
    if echoed != body and not _same_colons(body, echoed):
        json.loads(body.decode(), object_pairs_hook=_refuse_duplicates, parse_int=str)


def _same_colons(body: bytes, echoed: bytes) -> bool:
    escaped = any(colon in body for colon in _ESCAPED_COLONS)
    return not escaped and body.count(b":") == echoed.count(b":")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        words = ", ".join(ascii(name) for name in twice[:3])
        raise _bad(f"An object of the body has a member twice: {words}. Send each once.")


def _encounter(context: Mapping[str, Any]) -> str | None:
    """Return the bare id of the encounter; a reference to it serves, all else tells of none."""
    found = _ENCOUNTER.fullmatch(_text(context.get("encounterId")) or "")
    return found[1] if found else None


def _selections(context: Mapping[str, Any], orders: Sequence[DraftOrder] | None) -> tuple[str, ...]:
    """Return what is selected; each has to be one of `orders` where these are given.

    To pass over one that names nothing would be silence about an order, which looks like consent.
    """
    listed = context.get("selections")
    found = tuple(filter(None, map(_text, listed))) if isinstance(listed, list) else ()
    if orders is not None:
        names = frozenset(name for order in orders for name in order.names)
        for at, selection in enumerate(found):
            if not _names(selection) & names:
                raise HookError(400, "value", STRAY, f"context.selections[{at}]")
    return found


def _names(reference: str) -> frozenset[str]:
    """Return a reference as it stands, and as type and id where it is a URL."""
    parts = reference.partition("/_history/")[0].rstrip("/").split("/")
    return frozenset({reference, "/".join(parts[-2:])})


def _draft_orders(context: Mapping[str, Any], patient: str) -> tuple[DraftOrder, ...]:
    drafts = _object(context.get("draftOrders")) or {}
    entries = drafts.get("entry", ())
    orders = tuple(_draft_order(at, entry, patient) for at, entry in enumerate(entries))
    _refuse_twins(orders)
    return orders


def _draft_order(at: int, entry: Mapping[str, Any], patient: str) -> DraftOrder:
    resource = entry["resource"]
    for name in _PATIENT_FIELDS:
        if _other_patient(resource.get(name), patient):
            words = "The order is for another patient than context.patientId; send one patient's."
            raise _impossible(words, f"{_entry(at)}.resource.{name}")
    return DraftOrder(at + 1, resource, _text(entry.get("fullUrl")))


def _entry(at: int) -> str:
    return f"{'.'.join(_CONTENT)}[{at}]"


def _other_patient(subject: object, patient: str) -> bool:
    reference = _text((_object(subject) or {}).get("reference")) or ""
    parts = reference.split("/_history/")[0].split("/")
    return len(parts) > 1 and parts[-2] == "Patient" and parts[-1] != patient


def _refuse_twins(orders: Sequence[DraftOrder]) -> None:
    seen: dict[str, int] = {}
    for at, order in enumerate(orders):
        first = seen.setdefault(order.reference, at)
        if first != at:
            words = f"The entry has the type and id of entry {first}; give each order its own id."
            raise _impossible(words, f"{_entry(at)}.resource.id")


def _fhir_server(envelope: Mapping[str, Any]) -> str | None:
    server = envelope.get("fhirServer")
    if server is None:
        return None
    if not _has_host(server):
        words = "fhirServer names no host or no port that there is: send the absolute base URL."
        raise HookError(400, "value", words, "fhirServer")
    return str(server).rstrip("/")


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _authorization(envelope: Mapping[str, Any], patient: str) -> Authorization | None:
    grant = envelope.get("fhirAuthorization")
    if grant is None:
        return None
    if grant.get("patient", patient) != patient:
        # 403, not 400: the call is well formed; what it asks for is another patient's record.
        words = "The access token is for another patient than context.patientId."
        raise HookError(403, "forbidden", words, "fhirAuthorization.patient")
    seconds = grant.get("expires_in")
    return Authorization(
        access_token=grant["access_token"],
        scope=_text(grant.get("scope")) or "",
        subject=_text(grant.get("subject")),
        expires_in=seconds if isinstance(seconds, int) else None,
        patient=grant.get("patient"),
    )
