"""What is kept of one answer, and the store as the settings name it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

import orjson

from cds_service.auth.client import OPEN
from cds_service.evaluation import Evaluation, folded
from cds_service.hooks.request import HookRequest
from cds_service.observe.call import current, step
from cds_service.record.model import base_of
from cds_service.settings import Settings
from cds_service.store import CardGiven, Guidance, NullStore, ResultGiven, Setup, Store

Json = dict[str, Any]
Sent = Callable[[str, bytes], None]

FINDINGS = "massage-cds.findings"


def setup_of(settings: Settings) -> Setup:
    """Return where the settings keep things."""
    secret = settings.secret
    return Setup(
        folder=settings.state,
        zone=settings.timezone,
        url=settings.database_url.value if settings.database_url else None,
        secret=secret.value if secret else None,
        spool_limit=settings.spool_limit,
        retention=settings.retention,
    )


def caller_of(client: Any) -> str:
    """Return the name a caller is kept under: its `iss`, or "open" where none is asked for."""
    return str(client.iss) if client is not None else OPEN


def patient_of(request: HookRequest) -> str:
    """Return the name a patient is kept under: the id, with the FHIR server and the tenant known.

    A caller may have several of either, and the patient of the same id there is somebody else: what
    was answered of one must not silence what is found of the other.
    """
    server = request.fhir_server
    base = base_of(f"{server}/Patient/{request.patient_id}") if server else None
    tenant = request.client.tenant if request.client else None
    return "\n".join([request.patient_id, *filter(None, (base, tenant and f"|{tenant}"))])


@dataclass(frozen=True)
class Keeper:
    """Keeps answers in a store.

    `whole` keeps requests whole, otherwise their digest alone; `every` keeps also answers that say
    nothing.
    """

    store: Store = field(default_factory=NullStore)
    whole: bool = False
    every: bool = False

    def sent(
        self,
        request: HookRequest,
        evaluations: Sequence[Evaluation],
        cards: Sequence[Json],
        also: Iterable[CardGiven] = (),
        noted: Mapping[str, Any] | None = None,
    ) -> Sent | None:
        """Return what keeps an answer once its body is made; None where it says nothing.

        `also` is what it said beside cards; `noted` goes with a request that is kept whole.
        """
        if not evaluations and not cards and not self.every:
            return None

        def keep(service: str, body: bytes) -> None:
            with step("store"):
                given = (*(CardGiven(**_card(card)) for card in cards), *also)
                self._record(service, request, evaluations, body, given, noted)

        return keep

    def refused(
        self, service: str, request: HookRequest, outcome: bytes, noted: Mapping[str, Any]
    ) -> None:
        """Keep a call that was refused with an OperationOutcome."""
        with step("store"):
            self._record(service, request, (), outcome, (), noted)

    def _record(  # noqa: PLR0913, PLR0917 - one row
        self,
        service: str,
        request: HookRequest,
        evaluations: Sequence[Evaluation],
        body: bytes,
        given: tuple[CardGiven, ...],
        noted: Mapping[str, Any] | None,
    ) -> None:
        self.store.record(
            Guidance(
                service=service,
                hook=request.hook,
                hook_instance=request.hook_instance,
                client=caller_of(request.client),
                patient=patient_of(request),
                orders=tuple(dict.fromkeys(ref for one in evaluations for ref in one.orders)),
                digest=request.digest,
                request=_whole(request, noted or {}) if self.whole else None,
                evaluations=orjson.dumps(folded(evaluations)),
                response=body,
                policies=_policies(evaluations),
                determinations=tuple(one.determination for one in evaluations),
                cards=given,
                results=tuple(_result(one) for one in evaluations),
                took=_took(),
            )
        )


def _result(made: Evaluation) -> ResultGiven:
    flags = {flag.id: (flag.id, flag.urgency, flag.effect) for flag in made.safety}
    return ResultGiven(
        policy=made.policy.id if made.policy else "",
        determination=made.determination,
        missing=tuple(dict.fromkeys(item.id for item in made.missing if item.blocking)),
        safety=tuple(flags.values()),
    )


def _took() -> float | None:
    """Return the milliseconds since the current call was whole; None outside of one."""
    call = current()
    return (perf_counter_ns() - call.started) / 1e6 if call else None


def _policies(evaluations: Sequence[Evaluation]) -> tuple[str, ...]:
    heads = (one.policy for one in evaluations if one.policy)
    return tuple(dict.fromkeys(f"{head.id} {head.version}" for head in heads))


def _card(card: Mapping[str, Any]) -> Json:
    source = card["source"]
    return {
        "uuid": card["uuid"],
        "kind": source.get("topic", {}).get("code", ""),
        "policy": source["label"],
        "findings": tuple(card.get("extension", {}).get(FINDINGS, ())),
    }


def _whole(request: HookRequest, noted: Mapping[str, Any]) -> bytes:
    """Return the request without its token, which is never kept."""
    return orjson.dumps(
        {
            **noted,
            "hook": request.hook,
            "hookInstance": request.hook_instance,
            "fhirServer": request.fhir_server,
            "context": request.context,
            "prefetch": request.prefetch,
            "extension": request.extension,
        }
    )
