"""The sandbox's resources in memory: by type, id and patient."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any
from uuid import uuid4

import orjson

from cds_service.sandbox.outcome import FhirError
from cds_service.sandbox.references import renamed_references, renaming, with_references

Resource = dict[str, Any]
Key = tuple[str, str]  # resource type, id
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")

PATIENT_ELEMENTS = ("subject", "patient", "beneficiary", "for")


def _now() -> datetime:
    return datetime.now(UTC)


class SandboxStore:
    """A thread-safe store that can go back to what it was loaded with.

    Resources are never changed in place: a write puts a new object, so what was handed out stays
    as it was. `requests` are CDS Hooks requests that go with the patients, `stories` a line of
    words about each, both by patient id.
    """

    def __init__(
        self,
        bundles: Iterable[Mapping[str, Any]] = (),
        requests: Iterable[Mapping[str, Any]] = (),
        clock: Callable[[], datetime] = _now,
    ) -> None:
        loaded = list(bundles)
        self._origin = [resource for bundle in loaded for resource in _resources(bundle)]
        self._told = dict(pair for bundle in loaded for pair in _story(bundle))
        self.requests = _by_patient(requests)
        self._clock = clock
        self._lock = RLock()
        self.reset()

    @classmethod
    def from_folder(cls, folder: str | Path) -> SandboxStore:
        """Load `patients/*.json` (Bundles) and `requests/*.json` (hook requests) of a folder.

        Raises ValueError naming the file that is no JSON object.
        """
        root = Path(folder)
        return cls(_load(root / "patients"), _load(root / "requests"))

    def reset(self) -> None:
        """Forget every write since loading."""
        with self._lock:
            self._by_type: dict[str, dict[str, Resource]] = {}
            self._by_patient: dict[Key, dict[str, None]] = {}
            self._deleted: set[Key] = set()
            self.stories = dict(self._told)
            for resource in self._origin:
                self._put(resource)

    def admit(self, entries: Iterable[Mapping[str, Any]], story: str) -> str:
        """Keep a patient with its record until the next reset; return the patient's id.

        `entries` are those of a Bundle with one Patient. An id that is taken is given anew, and
        references inside the Bundle follow, also those by full URL.
        """
        listed = list(entries)
        with self._lock:
            identities = [self._free_id(entry["resource"]) for entry in listed]
            names = renamed_references(zip(listed, identities, strict=True))
            rename = renaming(names, anywhere=True)
            for entry, identity in zip(listed, identities, strict=True):
                self._put({**with_references(entry["resource"], rename), "id": identity})
            patient = next(
                identity
                for entry, identity in zip(listed, identities, strict=True)
                if entry["resource"]["resourceType"] == "Patient"
            )
            self.stories[patient] = story
        return patient

    def _free_id(self, resource: Mapping[str, Any]) -> str:
        identity = resource.get("id")
        sound = isinstance(identity, str) and _ID.fullmatch(identity)
        if not sound or self.read(resource["resourceType"], str(identity)):
            return self.new_id()
        return str(identity)

    def read(self, kind: str, identity: str) -> Resource | None:
        """Return the resource, or None when there is none (any more)."""
        return self._by_type.get(kind, {}).get(identity)

    def was_deleted(self, kind: str, identity: str) -> bool:
        """Tell whether the id existed and was deleted."""
        return (kind, identity) in self._deleted

    def of_type(self, kind: str) -> list[Resource]:
        """Return all resources of a type, in the order they came."""
        with self._lock:
            return list(self._by_type.get(kind, {}).values())

    def of_patient(self, kind: str, patient: str) -> list[Resource]:
        """Return a patient's resources of a type, in the order they came."""
        with self._lock:
            held = self._by_type.get(kind, {})
            return [held[identity] for identity in self._by_patient.get((kind, patient), {})]

    def create(self, resource: Mapping[str, Any], identity: str | None = None) -> Resource:
        """Store a new resource under an id of the server's choice and return it."""
        return self._write({**resource, "id": identity or self.new_id()}, version=1)

    def update(self, resource: Mapping[str, Any]) -> tuple[Resource, bool]:
        """Store a resource under its own id; return it and whether it is new."""
        with self._lock:
            before = self.read(resource["resourceType"], resource["id"])
            return self._write({**resource}, version=_version(before) + 1), before is None

    def delete(self, kind: str, identity: str) -> bool:
        """Delete a resource; tell whether it was there."""
        with self._lock:
            resource = self.read(kind, identity)
            if resource is None:
                return False
            self._unlink(resource)
            self._deleted.add((kind, identity))
            return True

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all writes of the block, or none when it raises."""
        with self._lock:
            kept = (
                {kind: dict(held) for kind, held in self._by_type.items()},
                {key: dict(held) for key, held in self._by_patient.items()},
                set(self._deleted),
            )
            try:
                yield
            except BaseException:
                self._by_type, self._by_patient, self._deleted = kept
                raise

    @staticmethod
    def new_id() -> str:
        """Return an id that no resource has."""
        return str(uuid4())

    def _write(self, resource: Resource, version: int) -> Resource:
        meta = resource.get("meta")
        stamp = self._clock().isoformat(timespec="milliseconds")
        resource["meta"] = {
            **(meta if isinstance(meta, dict) else {}),
            "versionId": str(version),
            "lastUpdated": stamp,
        }
        with self._lock:
            self._put(resource)
        return resource

    def _put(self, resource: Resource) -> None:
        kind, identity = resource["resourceType"], resource["id"]
        before = self.read(kind, identity)
        self._forget_patient(before)
        self._by_type.setdefault(kind, {})[identity] = resource
        self._deleted.discard((kind, identity))
        patient = patient_of(resource)
        if patient:
            self._by_patient.setdefault((kind, patient), {})[identity] = None

    def _unlink(self, resource: Resource) -> None:
        self._forget_patient(resource)
        del self._by_type[resource["resourceType"]][resource["id"]]

    def _forget_patient(self, resource: Resource | None) -> None:
        patient = patient_of(resource) if resource else None
        if resource and patient:
            self._by_patient[resource["resourceType"], patient].pop(resource["id"], None)


def patient_of(resource: Mapping[str, Any]) -> str | None:
    """Return the id of the patient that a resource is about, a Patient's own id included."""
    if resource.get("resourceType") == "Patient":
        return resource.get("id")
    for element in PATIENT_ELEMENTS:
        value = resource.get(element)
        reference = value.get("reference") if isinstance(value, dict) else None
        if isinstance(reference, str) and "Patient/" in reference:
            return reference.rpartition("Patient/")[2].split("/")[0]
    return None


def _version(resource: Mapping[str, Any] | None) -> int:
    if resource is None:
        return 0
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    return int(version) if isinstance(version, str) and version.isdigit() else 1


def _resources(bundle: Mapping[str, Any]) -> Iterator[Resource]:
    for entry in bundle.get("entry", ()):
        resource = entry.get("resource")
        if isinstance(resource, dict) and resource.get("resourceType") and resource.get("id"):
            yield resource


def _story(bundle: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the words of the Bundle's first tag for each patient in it."""
    tags = bundle.get("meta", {}).get("tag") or [{}]
    words = tags[0].get("display")
    for resource in _resources(bundle):
        if words and resource["resourceType"] == "Patient":
            yield resource["id"], words


def _by_patient(requests: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for request in requests:
        patient = request.get("context", {}).get("patientId")
        if patient:
            grouped.setdefault(patient, []).append(request)
    return grouped


def _load(folder: Path) -> list[dict[str, Any]]:
    return [_read_object(path) for path in sorted(folder.glob("*.json"))]


def _read_object(path: Path) -> dict[str, Any]:
    try:
        data = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path.name} must hold one JSON object")
    return data


def checked(resource: Any, kind: str | None = None) -> Resource:
    """Return the body of a write when it is a resource (of that type).

    Raises FhirError 400 that names what is wrong.
    """
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise FhirError(400, "structure", "the body must be one FHIR resource with a resourceType")
    if kind and resource["resourceType"] != kind:
        text = f"the body is a {resource['resourceType']}, the address says {kind}"
        raise FhirError(400, "invalid", text)
    return resource
