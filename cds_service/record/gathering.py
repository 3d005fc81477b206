"""A record in the making: whose resources, which version of each, what is still missing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cds_service.record.bundle import Entry, is_reduced, page_of
from cds_service.record.model import Hole, PatientRecord, Resource, base_of, relative
from cds_service.record.prefetch import State, Supply
from cds_service.record.queries import catalogue

log = logging.getLogger(__name__)

ANOTHER_PATIENT = "another-patient"
NO_PATIENT = "no-patient"
MODIFIED = "modified"
_ERROR_STATUS = "entered-in-error"
_STATUS_FIELDS = ("status", "verificationStatus", "docStatus", "lifecycleStatus")
_PATIENT_FIELDS = ("subject", "patient", "beneficiary")


@dataclass(frozen=True, slots=True)
class _Index:
    """Resources by type and by reference, and those withdrawn by type."""

    by_type: Mapping[str, Sequence[Resource]]
    by_reference: Mapping[str, Resource]
    withdrawn: Mapping[str, Sequence[Resource]]


class Gathering:
    """Resources as they come in, one version of each, only this patient's.

    Retracted resources (entered-in-error) stay known here, so that nobody asks for them again, and
    are left out of the record. `server` is the base URL of the FHIR server, where one is known:
    the patient of that id on another server is somebody else.
    """

    def __init__(self, patient_id: str, server: str | None = None) -> None:
        self.patient_id = patient_id
        self.asked: set[str] = set()
        self.tried: set[str] = set()
        self.unfinished: dict[str, Supply] = {}
        self.drafts: dict[str, Resource] = {}
        self._base = base_of(f"{server.rstrip('/')}/Patient/{patient_id}") if server else None
        self._patient = f"Patient/{patient_id}"
        self._own = {self._patient}
        self._shared = catalogue().shared_types
        self._known: dict[str, dict[Any, Resource]] = {}
        self._aliases: dict[str, str] = {}
        self._holes: dict[str, dict[Hole, None]] = {}
        self._index: _Index | None = None

    def take(self, key: str, entries: Iterable[Entry]) -> int:
        """Add the entries that answer a query key; return how many were turned away."""
        turned_away = 0
        for entry in entries:
            resource = entry["resource"]
            resource_type = resource.get("resourceType")
            if not isinstance(resource_type, str):
                continue
            url = entry.get("fullUrl")
            refusal = self._foreign(resource_type, resource, url) or _not_understood(resource)
            if refusal is None:
                self._add(resource_type, resource, url)
            else:
                self._turn_away(key, resource_type, refusal)
                turned_away += 1
        return turned_away

    def receive(self, supplies: Mapping[str, Supply]) -> None:
        """Add what the client sent along, and note what of it is whole."""
        for key, supply in supplies.items():
            self.take(key, supply.entries)
            if supply.state is State.INCOMPLETE:
                self.unfinished[key] = supply
            elif supply.state is not State.ABSENT:
                self.asked.add(key)
            if supply.state is State.ERROR:
                self.miss(key, catalogue().queries[key].hole(f"outcome-{supply.reason}"))

    def lend(self, drafts: Iterable[Resource]) -> None:
        """Let references resolve to resources of the request that are not part of the record."""
        for resource in drafts:
            if isinstance(resource, dict) and isinstance(resource.get("id"), str):
                name = f"{resource.get('resourceType')}/{resource['id']}"
                if self.drafts.get(name) is not resource:
                    self.drafts[name], self._index = resource, None

    def own_urls(self, entries: Iterable[Entry]) -> None:
        """Learn under which fullUrl a Bundle files the patient."""
        for entry in entries:
            url, resource = entry.get("fullUrl"), entry["resource"]
            if isinstance(url, str) and self._is_the_patient(resource):
                self._own.add(url)

    def miss(self, key: str, hole: Hole) -> None:
        """Name data that could not be read."""
        self._holes.setdefault(key, {})[hole] = None

    def lacks(self, key: str) -> bool:
        """Whether a hole is known in a key."""
        return key in self._holes

    def forget_holes(self, key: str) -> None:
        """Take back the holes of a key that was read after all."""
        self._holes.pop(key, None)

    def has_patient(self) -> bool:
        """Whether the Patient itself was read."""
        return self._newest(self._patient) is not None

    def knows(self, reference: str) -> bool:
        """Whether the resource was read, retracted or not."""
        name = relative(reference)
        return name in self._aliases or name in self.drafts or self._newest(name) is not None

    def find(self, reference: str) -> Resource | None:
        """Return the newest version read of a resource."""
        name = relative(reference)
        return self._newest(self._aliases.get(name, name)) or self.drafts.get(name)

    def _newest(self, name: str) -> Resource | None:
        return self.of_type(name.partition("/")[0]).get(name)

    def of_type(self, resource_type: str) -> Mapping[Any, Resource]:
        """Return what was read of a type so far, by "Type/id" where it has an id."""
        return self._known.get(resource_type, {})

    def record(self) -> PatientRecord:
        """Return the record as it stands; its resources are sorted anew when more came in."""
        if self._index is None:
            self._index = self._sorted()
        holes = {key: tuple(found) for key, found in self._holes.items()}
        index = self._index
        return PatientRecord(
            self.patient_id,
            index.by_type,
            index.by_reference,
            holes,
            self._unasked(),
            retracted=index.withdrawn,
            gathering=self,
        )

    def _sorted(self) -> _Index:
        by_type: dict[str, list[Resource]] = {}
        by_reference = dict(self.drafts)
        withdrawn: dict[str, list[Resource]] = {}
        for resource_type, found in self._known.items():
            for name, resource in found.items():
                if retracted(resource):
                    withdrawn.setdefault(resource_type, []).append(resource)
                    continue
                by_type.setdefault(resource_type, []).append(resource)
                if isinstance(name, str):
                    by_reference[name] = resource
        for alias, name in self._aliases.items():
            if name in by_reference:
                by_reference[alias] = by_reference[name]
        return _Index(by_type, by_reference, withdrawn)

    def _unasked(self) -> dict[str, tuple[Hole, ...]]:
        return {
            key: (query.hole("not-asked"),)
            for key, query in catalogue().queries.items()
            if key not in self.asked
        }

    def _add(self, resource_type: str, resource: Resource, url: Any) -> None:
        self._index = None
        found = self._known.setdefault(resource_type, {})
        resource_id = resource.get("id")
        if not isinstance(resource_id, str):
            found[id(resource)] = resource
            return
        name = f"{resource_type}/{resource_id}"
        older = found.get(name)
        if older is None or supersedes(resource, older):
            found[name] = resource
        if isinstance(url, str) and url.startswith("urn:"):
            self._aliases[url] = name

    def _is_the_patient(self, resource: Resource) -> bool:
        return resource.get("resourceType") == "Patient" and resource.get("id") == self.patient_id

    def _foreign(self, resource_type: str, resource: Resource, url: Any) -> str | None:
        if resource_type in self._shared:
            return None
        if resource_type == "Patient":
            return None if self._is_the_patient(resource) else ANOTHER_PATIENT
        reference = _patient_reference(resource)
        if reference == self._patient:
            return None
        if reference is None:
            return NO_PATIENT
        mine = reference in self._own or relative(reference) in self._own
        return None if mine and self._here(reference, url) else ANOTHER_PATIENT

    def _here(self, reference: str, url: Any) -> bool:
        """Whether a reference leads to the server asked, or to where its entry says it is filed."""
        base = base_of(reference)
        if base is None or self._base in (None, base):
            return True
        return isinstance(url, str) and base_of(url) == base

    def _turn_away(self, key: str, resource_type: str, reason: str) -> None:
        # Without the type: it is whatever the sender wrote there.
        log.warning("%s: a resource was left out, %s", key, reason)
        query = catalogue().queries.get(key)
        if query is None:
            self.miss(key, Hole(key, resource_type, reason))
        elif resource_type == query.resource_type or reason != NO_PATIENT:
            self.miss(key, query.hole(reason))


def bundled(patient_id: str, resources: Mapping[str, Any] | Sequence[Any]) -> Gathering:
    """Return the complete record that a Bundle, or a list of resources, holds, in the making.

    What is not in it is not there: no key is a hole, save where a resource is another patient's.
    """
    gathering = Gathering(patient_id)
    gathering.asked.update(catalogue().queries)
    entries = _all_entries(resources)
    gathering.own_urls(entries)
    for entry in entries:
        resource_type = entry["resource"].get("resourceType")
        keys = catalogue().keys_of(resource_type) if isinstance(resource_type, str) else ()
        for key in keys or ("others",):
            gathering.take(key, (entry,))
            if keys and is_reduced(entry["resource"]):
                gathering.miss(key, catalogue().queries[key].hole("truncated"))
    return gathering


def _all_entries(resources: Mapping[str, Any] | Sequence[Any]) -> Sequence[Entry]:
    if isinstance(resources, Mapping):
        page = page_of(resources)
        return page.entries if page else ()
    return [{"resource": resource} for resource in resources if isinstance(resource, dict)]


def _not_understood(resource: Resource) -> str | None:
    """Say that a resource bears an extension that changes its meaning: we know none of them.

    FHIR lets nobody process such a resource as if the extension were not there. Of the Patient
    himself only who he is and his age count.
    """
    told = resource.get("modifierExtension") and resource.get("resourceType") != "Patient"
    return MODIFIED if told and not retracted(resource) else None


def retracted(resource: Resource) -> bool:
    """Whether a resource was entered in error (G-05)."""
    for name in _STATUS_FIELDS:
        status = resource.get(name)
        if status is not None and _says_error(status):
            return True
    return False


def status_in_words(said: str) -> str:
    """Return the code that a status in words stands for: "Entered in Error" is entered-in-error."""
    return "-".join(said.casefold().replace("-", " ").split())


def _says_error(status: Any) -> bool:
    if not isinstance(status, dict):
        return bool(status == _ERROR_STATUS)
    codings, said = status.get("coding"), status.get("text")
    if not codings and isinstance(said, str):
        return status_in_words(said) == _ERROR_STATUS
    return isinstance(codings, list) and any(
        isinstance(coding, dict) and coding.get("code") == _ERROR_STATUS for coding in codings
    )


def supersedes(one: Resource, other: Resource) -> bool:
    """Whether `one` is the newer version: by lastUpdated, else by version number.

    Where neither tells, what is whole stands before what is not, and a retraction is newer than
    what it retracts.
    """
    for key in (_last_updated, _version):
        mine, theirs = key(one), key(other)
        if mine is not None and theirs is not None and mine != theirs:
            return mine > theirs
    if is_reduced(one) is not is_reduced(other):
        return is_reduced(other)
    return retracted(one)


def _meta(resource: Resource, name: str) -> Any:
    meta = resource.get("meta")
    return meta.get(name) if isinstance(meta, dict) else None


def _last_updated(resource: Resource) -> float | None:
    try:
        return datetime.fromisoformat(_meta(resource, "lastUpdated")).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _version(resource: Resource) -> float | None:
    try:
        return float(int(_meta(resource, "versionId")))
    except (TypeError, ValueError, OverflowError):
        return None


def _patient_reference(resource: Resource) -> str | None:
    for name in _PATIENT_FIELDS:
        value = resource.get(name)
        reference = value.get("reference") if isinstance(value, dict) else None
        if isinstance(reference, str):
            return reference
    return None
