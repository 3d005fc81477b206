"""Patients of another FHIR server: read for the page, never written to."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import quote, urlencode

from cds_service.record.client import FhirClient, Limits, Reading
from cds_service.transport import Session

Resource = dict[str, Any]

SECONDS = 5.0
MOST_FOUND = 20
MOST_PAGES = 20
_REASONS = {
    "connection": "could not be reached",
    "timeout": f"did not answer within {SECONDS:g} seconds",
    "not-json": "answered something other than JSON",
    "not-fhir": "answered something other than FHIR",
    "not-allowed": "sent us elsewhere, where we do not go",
    "http-401": "asks for a token; only open servers can be read here",
    "http-403": "does not let us read that",
    "http-404": "does not know that",
}


class OutsideError(Exception):
    """A server that may not or cannot be read; its words say why."""


@dataclass(frozen=True)
class Outside:
    """The FHIR servers that the page may read.

    `allowed` tells of a base URL whether it may; `named` are those offered by name.
    """

    session: Session
    allowed: Callable[[str], bool]
    named: Sequence[str] = ()

    def server(self, base: str) -> Server:
        """Return a server by its base URL; raises OutsideError for one that may not be read."""
        plain = base.strip().rstrip("/")
        if not self.allowed(plain):
            raise OutsideError(self._refused(plain))
        return Server(plain, self.session)

    def _refused(self, base: str) -> str:
        also = f": {', '.join(self.named)}" if self.named else ""
        return (
            f"{base or 'That'} is not read from here. Give the base URL of a FHIR server on this "
            "machine, such as http://127.0.0.1:8090/fhir, or one named in "
            f"MASSAGE_CDS_DEMO_FHIR_SERVERS{also}."
        )

    def by_token(self, token: str) -> Server:
        """Return the server that a path of this page stands for; raises OutsideError."""
        try:
            base = urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        except ValueError:
            raise OutsideError("This address stands for no server.") from None
        return self.server(base)


@dataclass(frozen=True)
class Server:
    """One server as a chart of one patient at a time.

    All its readings share one deadline, `ends`. `unread` has the types that could not be read, with
    the reason.
    """

    base: str
    session: Session
    ends: float = field(default_factory=lambda: monotonic() + SECONDS)
    unread: dict[str, str] = field(default_factory=dict)
    requests: Mapping[str, Any] = field(default_factory=dict)
    stories: Mapping[str, str] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """Return what stands for the server in a path."""
        return urlsafe_b64encode(self.base.encode()).decode().rstrip("=")

    def fetch(self, form: str, pages: int = MOST_PAGES) -> Reading:
        """Return what the server has under a path and query below its base."""
        limits = Limits(max_pages=pages)
        client = FhirClient(self.base, None, self.session, self.ends, limits)
        return client.fetch([form])

    def patients(self, words: str) -> list[Resource]:
        """Return the first patients whose name or id fits; raises OutsideError."""
        name = {"name": words} if words else {}
        found = self._first(f"Patient?{_form({**name, '_count': str(MOST_FOUND)})}")
        if not found and words:
            found = self._first(f"Patient?{_form({'_id': words})}")
        return [one for one in found if one.get("resourceType") == "Patient" and one.get("id")]

    def _first(self, form: str) -> list[Resource]:
        reading = self.fetch(form, pages=1)
        if reading.reason not in (None, "too-many-pages", "truncated"):
            raise OutsideError(self.told(reading.reason))
        return _resources(reading)[:MOST_FOUND]

    def told(self, reason: str | None) -> str:
        """Return why a reading brought nothing, in words."""
        return f"{self.base} {_REASONS.get(str(reason), f'answered: {reason}')}."

    def patient(self, identity: str) -> Resource | None:
        """Return a patient; None when there is none, OutsideError when that cannot be told."""
        reading = self.fetch(f"Patient/{quote(identity, safe='')}")
        if reading.reason and reading.reason not in ("http-404", "http-410"):
            raise OutsideError(self.told(reading.reason))
        return next(iter(_resources(reading)), None)

    def read(self, kind: str, identity: str) -> Resource | None:
        """Return a resource, or None when it cannot be had."""
        return next(iter(_resources(self.fetch(f"{kind}/{quote(identity, safe='')}"))), None)

    def of_type(self, kind: str) -> list[Resource]:
        """Return the first resources of a type."""
        found = _resources(self.fetch(f"{kind}?_count={MOST_FOUND}", pages=1))
        return [one for one in found if one.get("resourceType") == kind][:MOST_FOUND]

    def of_patient(self, kind: str, patient: str) -> list[Resource]:
        """Return a patient's resources of a type, as far as they can be had."""
        reading = self.fetch(f"{kind}?patient={quote(patient, safe='')}")
        if reading.reason:
            self.unread[kind] = reading.reason
        found = _resources(reading)
        return [one for one in found if one.get("resourceType") == kind]


def _form(parameters: Mapping[str, str]) -> str:
    return urlencode(parameters, quote_via=quote)


def _resources(reading: Reading) -> list[Resource]:
    return [dict(entry["resource"]) for entry in reading.entries]


def as_answer(reading: Reading, form: str) -> tuple[Resource, int]:
    """Return a reading as the FHIR answer that the page gets, and its HTTP status.

    A search comes whole, all its pages as one; one that could not be read to its end is an error.
    """
    if reading.reason:
        issue = {"severity": "error", "code": "transient", "diagnostics": reading.reason}
        known = reading.reason.removeprefix("http-")
        status = int(known) if known.isdigit() else 502
        return {"resourceType": "OperationOutcome", "issue": [issue]}, status
    if "?" not in form and len(reading.entries) == 1:
        return _resources(reading)[0], 200
    entries = [dict(entry) for entry in reading.entries]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}, 200
