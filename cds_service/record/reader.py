"""From a request to a patient record: prefetch first, then the server for what is lacking."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, perf_counter_ns
from typing import Any
from urllib.parse import quote

from cds_service.record.client import FhirClient, Limits, Reading, fhir_session
from cds_service.record.fetching import Fetching, Job
from cds_service.record.gathering import Gathering, bundled, retracted
from cds_service.record.model import Hole, PatientRecord, Resource, relative
from cds_service.record.pool import FetchPool
from cds_service.record.prefetch import Supply, supplies_of
from cds_service.record.queries import REFERENCES, Catalogue, Query, catalogue
from cds_service.record.scopes import may_read, reads_in_part
from cds_service.record.watch import Unwatched, Watch
from cds_service.transport import Session

log = logging.getLogger(__name__)

_GRACE = 0.05  # seconds kept back so that pages read before the deadline still arrive
_LITERAL = re.compile(r"(?:https?://\S+/)?([A-Z][A-Za-z]+)/[A-Za-z0-9.\-_]{1,128}")
_PERSONS = ("Patient", "RelatedPerson")
_ROLE = "PractitionerRole"
_PROFESSIONALS = ("Practitioner", _ROLE)
_PAYING = ("Patient", "Coverage", "Organization")
_ORDER_FIELDS = ("requester", "performer", "insurance", "reasonReference")
MEDICINES = "medications"
"""Key of the orders for medicines, and of the medicines that they refer to."""
_CLINICAL_EXCEPT = ("patient", "coverage")
_ASK_AGAIN = re.compile(r"not-allowed|http-4(00|04|10)")

Further = Callable[[PatientRecord], Iterable[str]]


@dataclass(frozen=True)
class RecordReader:
    """Reads records with one thread pool and one HTTP session for the process."""

    pool: FetchPool
    session: Session = field(default_factory=fhir_session)
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], float] = monotonic
    catalogue: Catalogue = field(default_factory=catalogue)
    watch: Watch = field(default_factory=Unwatched)

    def read(  # noqa: PLR0913 - all of it is one question
        self,
        *,
        patient_id: str,
        needs: Iterable[str],
        deadline: float,
        prefetch: Any = None,
        fhir_server: str | None = None,
        token: str | None = None,
        scope: str | None = None,
        references: Iterable[str] = (),
        drafts: Iterable[Resource] = (),
        record: PatientRecord | None = None,
        refusal: str = "absent",
        further: Further | None = None,
    ) -> PatientRecord:
        """Return the record with the query keys in `needs` read, or with holes where they are not.

        `deadline` is in seconds of `time.monotonic()` and holds for everything together.
        `fhir_server` is None where there is none, or where it may not be called: `refusal` is the
        reason then given. `references` are literal references that rules follow; `drafts` the
        resources of the request, which references may name. With `record`, an earlier answer for
        this patient, only what it lacks is read, and `prefetch` is not looked at again. `further`
        tells, while the rest is under way and it is read who pays, which keys are needed, too.
        Never raises for what a client or server sends.
        """
        began = perf_counter_ns()
        earlier = record.gathering if record else None
        gathering = (
            earlier if isinstance(earlier, Gathering) else Gathering(patient_id, fhir_server)
        )
        client = self._client(fhir_server, token, deadline)
        given = tuple(dict.fromkeys(references))
        most = self.limits.max_references
        queries = self.catalogue.queries
        call = _Call(gathering, client, given, scope, refusal, most, queries, further)
        if gathering is not earlier:
            gathering.receive(supplies_of(prefetch))
        gathering.lend(drafts)
        call.need(needs)
        fetching = self._complete(call, deadline)
        read = gathering.record()
        self.watch.spent("prefetch", perf_counter_ns() - began - fetching)
        return read

    def _client(self, base: str | None, token: str | None, deadline: float) -> FhirClient | None:
        if not base:
            return None
        ends = deadline - min(_GRACE, max(0.0, deadline - self.clock()) / 10)
        return FhirClient(base, token, self.session, ends, self.limits, self.clock)

    def _complete(self, call: _Call, deadline: float) -> int:
        """Fetch what a call lacks; return the nanoseconds it took."""
        jobs = call.jobs()
        if not jobs:
            return 0
        began = perf_counter_ns()
        with self.pool.turn() as mine:
            fetching = Fetching(self.pool, self.watch, lambda: deadline - self.clock(), mine)
            fetching.run(jobs, call.jobs)
        took = perf_counter_ns() - began
        self.watch.spent("fetch", took)
        return took


@dataclass
class _Call:
    """What one call still has to read."""

    gathering: Gathering
    client: FhirClient | None
    references: Sequence[str]
    scope: str | None
    refusal: str
    most_references: int
    queries: Mapping[str, Query]
    further: Further | None = None
    needs: Sequence[str] = ()
    awaited: Counter[str] = field(default_factory=Counter)

    def need(self, keys: Iterable[str]) -> None:
        """Ask for query keys, too."""
        wanted = {*self.needs, *keys}
        self.needs = [key for key in self.queries if key in wanted]

    def jobs(self) -> list[Job]:
        """Return the fetches that can start now; what cannot be asked for becomes a hole."""
        jobs = self._startable()
        if self.further and self.awaited and not any(self.awaited[kind] for kind in _PAYING):
            further, self.further = self.further, None
            self.need(further(self.gathering.record()))
            jobs += self._startable()
        return jobs

    def _startable(self) -> list[Job]:
        jobs = [self._query_job(self.queries[key]) for key in self.needs if self._open(key)]
        self._await(jobs)
        references = [self._reference_job(ref) for ref in self._missing()]
        references += [self._role_job(self._new_practitioners())]
        self._await(references)
        return [job for job in (*jobs, *references) if job]

    def _await(self, jobs: Iterable[Job | None]) -> None:
        self.awaited.update(job.kind for job in jobs if job)

    def _open(self, key: str) -> bool:
        unread_patient = key == "patient" and not self.gathering.has_patient()
        unanswered = key not in self.gathering.asked or unread_patient
        return unanswered and key not in self.gathering.tried

    def _query_job(self, query: Query) -> Job | None:
        self.gathering.asked.add(query.key)
        self.gathering.tried.add(query.key)
        supply = self.gathering.unfinished.pop(query.key, None)
        client = self._allowed(query.resource_type)
        if client is None:
            reason = "truncated" if supply else self._refused()
            self.gathering.miss(query.key, query.hole(reason))
            return None
        forms = query.forms(self.gathering.patient_id)
        return Job(
            query.key,
            query.resource_type,
            lambda: _finish(client, supply, forms),
            lambda reading: self._take_query(query, reading),
        )

    def _take_query(self, query: Query, reading: Reading) -> None:
        self.awaited[query.resource_type] -= 1
        self.gathering.take(query.key, reading.entries)
        part = reads_in_part(self.scope, query.resource_type, query.categories)
        reason = reading.reason or ("not-authorised" if part else None)
        if query.key == "patient":
            reason = self._patient_reason(reason)
        if reason:
            log.debug("%s could not be read: %s", query.key, reason)
            self.gathering.miss(query.key, query.hole(reason))

    def _patient_reason(self, reason: str | None) -> str | None:
        if not self.gathering.has_patient():
            return reason or (None if self.gathering.lacks("patient") else "not-fhir")
        self.gathering.forget_holes("patient")
        return None

    def miss_all(self) -> None:
        """Name as holes what references lead to and was not read."""
        for reference in self._missing():
            self._miss_reference(literal_type(reference) or "", self._refused())

    def _missing(self) -> list[str]:
        people = self._people()
        roles = self._people_of_roles(people)
        names = [*self.references, *self._payors(), *people, *roles, *self._medicines()]
        wanted = [ref for ref in dict.fromkeys(names) if self._wanted(ref)]
        for reference in wanted[self.most_references :]:
            self.gathering.tried.add(relative(reference))
            self._miss_reference(literal_type(reference) or "", "too-many-references")
        return wanted[: self.most_references]

    def _people(self) -> list[str]:
        """Return who orders or treats: as the caller says, and in other orders that are active."""
        others = [
            reference
            for order in self.gathering.of_type("ServiceRequest").values()
            if order.get("status") == "active"
            for reference in references_in(order.get("performer"))
        ]
        found = dict.fromkeys([*self.references, *others])
        return [ref for ref in found if literal_type(ref) in _PROFESSIONALS]

    def _wanted(self, reference: str) -> bool:
        """Whether to ask for a resource by itself: no query under way may bring it."""
        resource_type = literal_type(reference)
        if resource_type is None or resource_type in _PERSONS or self.awaited[resource_type]:
            return False
        tried = relative(reference) in self.gathering.tried
        return not tried and not self.gathering.knows(reference)

    def _payors(self) -> Iterator[str]:
        for coverage in self.gathering.of_type("Coverage").values():
            if not retracted(coverage):
                for reference in references_in(coverage.get("payor")):
                    if literal_type(reference) == "Organization":
                        yield reference

    def _medicines(self) -> Iterator[str]:
        """Yield the medicines that orders only refer to, those that are running first."""
        if MEDICINES not in self.needs:
            return
        ordered = self.gathering.of_type("MedicationRequest").values()
        for order in sorted(ordered, key=lambda one: one.get("status") != "active"):
            if not retracted(order):
                yield from references_in(order.get("medicationReference"))

    def _people_of_roles(self, people: Iterable[str]) -> Iterator[str]:
        for reference in people:
            role = self.gathering.find(reference)
            if role and role.get("resourceType") == _ROLE and not _says_role(role):
                yield from references_in(role.get("practitioner"))

    def _reference_job(self, reference: str) -> Job | None:
        resource_type = literal_type(reference) or ""
        self.gathering.tried.add(relative(reference))
        client = self._allowed(resource_type)
        if client is None:
            self._miss_reference(resource_type, self._refused())
            return None
        form = reference if "://" in reference else relative(reference)
        return Job(
            REFERENCES,
            resource_type,
            lambda: client.fetch([form]),
            lambda reading: self._take_reference(reference, resource_type, reading),
        )

    def _take_reference(self, reference: str, resource_type: str, reading: Reading) -> None:
        self.awaited[resource_type] -= 1
        turned_away = self.gathering.take(REFERENCES, reading.entries)
        if not self.gathering.knows(reference) and (reading.reason or not turned_away):
            self._miss_reference(resource_type, reading.reason or "not-fhir")

    def _new_practitioners(self) -> list[str]:
        asked = {relative(ref) for ref in self._people() if literal_type(ref) == "Practitioner"}
        new = [name for name in sorted(asked) if f"roles of {name}" not in self.gathering.tried]
        self.gathering.tried.update(f"roles of {name}" for name in new)
        return new

    def _role_job(self, names: Sequence[str]) -> Job | None:
        if not names:
            return None
        client = self._allowed(_ROLE)
        if client is None:
            self._miss_reference(_ROLE, self._refused())
            return None
        ids = ",".join(quote(name.split("/")[1], safe="") for name in names)
        return Job(
            REFERENCES,
            _ROLE,
            lambda: client.fetch([f"PractitionerRole?practitioner={ids}"]),
            self._take_roles,
        )

    def _take_roles(self, reading: Reading) -> None:
        self.awaited[_ROLE] -= 1
        self.gathering.take(REFERENCES, reading.entries)
        if reading.reason:
            self._miss_reference(_ROLE, reading.reason)

    def _allowed(self, resource_type: str) -> FhirClient | None:
        return self.client if may_read(self.scope, resource_type) else None

    def _refused(self) -> str:
        return "not-authorised" if self.client else self.refusal

    def _miss_reference(self, resource_type: str, reason: str) -> None:
        log.debug("a resource that another refers to could not be read: %s", reason)
        key = MEDICINES if resource_type == "Medication" else REFERENCES
        self.gathering.miss(key, Hole(key, resource_type, reason))


def _finish(client: FhirClient, supply: Supply | None, forms: Sequence[str]) -> Reading:
    """Go on where an incomplete prefetch value stops; ask for all where that leads nowhere."""
    if supply is None or supply.next_url is None:
        return client.fetch(forms)
    reading = client.follow(supply.next_url, supply.matches)
    lost = not reading.entries and _ASK_AGAIN.fullmatch(reading.reason or "")
    return client.fetch(forms) if lost else reading


def record_of_bundle(
    patient_id: str, resources: Mapping[str, Any] | Sequence[Any], orders: Iterable[Resource] = ()
) -> PatientRecord:
    """Return the record that a Bundle, or a list of resources, holds, whole as it is.

    What no search would find in it is not there; what it or the orders refer to by name, and what
    is not in it, is a hole.
    """
    gathering = bundled(patient_id, resources)
    gathering.lend(orders)
    references = order_references(orders)
    queries = catalogue().queries
    most = Limits().max_references
    call = _Call(gathering, None, references, None, "absent", most, queries)
    call.need(queries)
    call.miss_all()
    return gathering.record()


def order_references(orders: Iterable[Any]) -> list[str]:
    """Return the literal references of draft orders that rules follow.

    Who orders, who treats, which coverage pays, and the reasons.
    """
    return [
        reference
        for order in orders
        if isinstance(order, dict)
        for name in _ORDER_FIELDS
        for reference in references_in(order.get(name))
        if literal_type(reference)
    ]


def references_in(value: Any) -> Iterator[str]:
    """Yield the reference texts of a Reference or a list of them."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict) and isinstance(item.get("reference"), str):
            yield item["reference"]


def literal_type(reference: Any) -> str | None:
    """Return the type a literal reference names; None for contained, logical and odd ones."""
    text = reference.split("/_history/")[0] if isinstance(reference, str) else ""
    match = _LITERAL.fullmatch(text)
    return match[1] if match else None


def unobtainable(record: PatientRecord) -> list[Hole]:
    """Return the holes for which a call cannot be answered (412); mostly none.

    They are those of the Patient, or those of all clinical data when every search of it failed and
    nothing was read.
    """
    if f"Patient/{record.patient_id}" not in record.by_reference:
        return list(record.holes_of(["patient"])) or [Hole("patient", "Patient", "absent")]
    keys = [
        key
        for key in catalogue().queries
        if key not in _CLINICAL_EXCEPT and key not in record.unasked
    ]
    if not keys or not all(record.holes.get(key) for key in keys) or _has_clinical_data(record):
        return []
    return list(record.holes_of(keys))


def _has_clinical_data(record: PatientRecord) -> bool:
    queries: Mapping[str, Query] = catalogue().queries
    types = {q.resource_type for key, q in queries.items() if key not in _CLINICAL_EXCEPT}
    return any(record.of_type(resource_type) for resource_type in types)


def _says_role(role: Resource) -> bool:
    return bool(role.get("code") or role.get("specialty"))
