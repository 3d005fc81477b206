"""A Bundle that a visitor brings along: read, or refused with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import yaml

from cds_service.evidence.fields import items, text

RELEASES = Path(__file__).with_name("releases.yaml")
LARGEST = 10 * 1024 * 1024
"""Bytes of a Bundle where nothing else is said; thousands of resources stay far below."""

SHOWN = 3
_LOOKS = {"list": list, "text": str, "any": object}

Entry = Mapping[str, Any]


class UploadError(ValueError):
    """A Bundle that cannot be taken; its words say what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One patient's record: its Bundle entries, each with a resource, and what was left out."""

    entries: Sequence[Entry]
    left_out: int = 0

    @property
    def story(self) -> str:
        """Return a line about the record."""
        rest = f"; {self.left_out} without resource or type left out" if self.left_out else ""
        count = len(self.entries)
        kept = "1 resource" if count == 1 else f"{count} resources"
        return f"Brought along: {kept}, kept in memory until the reset{rest}"


def read_upload(body: bytes, largest: int = LARGEST) -> Upload:
    """Return the record in a Bundle of at most `largest` bytes.

    Raises UploadError for what is no R4 Bundle of one patient.
    """
    if len(body) > largest:
        raise UploadError(too_large(len(body), largest))
    entries, left_out = _entries(_bundle(body))
    resources = [entry["resource"] for entry in entries]
    _check_patients(resources)
    _check_release(resources)
    return Upload(entries, left_out)


def too_large(size: int, largest: int) -> str:
    """Return the words for a Bundle of too many bytes."""
    return (
        f"The Bundle has {_megabytes(size)} MB; at most {_megabytes(largest)} MB are taken. "
        "Leave out what a massage order does not need, such as images and attachments."
    )


def _megabytes(size: int) -> str:
    return f"{size / (1024 * 1024):.3g}"


def _bundle(body: bytes) -> Entry:
    document = _json(body)
    kind = document.get("resourceType") if isinstance(document, dict) else None
    if not isinstance(document, dict) or kind != "Bundle":
        found = f"a {kind}" if isinstance(kind, str) else "no FHIR resource"
        raise UploadError(
            f"This is {found}, not a Bundle. Put the Patient and the patient's resources into one "
            "Bundle, as Patient/$everything answers."
        )
    return document


def _json(body: bytes) -> Any:
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        raise UploadError("There is nothing in it. Choose a file, or paste a Bundle.")
    if start.startswith(b"<"):
        raise UploadError("This is XML. Send the Bundle as FHIR JSON.")
    try:
        return orjson.loads(start)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UploadError(f"This is not JSON: {error.msg} ({place}). Mend it there.") from None


def _entries(bundle: Entry) -> tuple[list[Entry], int]:
    listed = bundle.get("entry")
    if not isinstance(listed, list) or not listed:
        raise UploadError("The Bundle has no entries. Put the patient's resources into entry.")
    kept = [entry for entry in listed if _holds_resource(entry)]
    return kept, len(listed) - len(kept)


def _holds_resource(entry: object) -> bool:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    return isinstance(resource, dict) and bool(text(resource, "resourceType"))


def _check_patients(resources: Sequence[Entry]) -> None:
    patients = [one for one in resources if one["resourceType"] == "Patient"]
    if not patients:
        raise UploadError("The Bundle has no Patient. Add the one whose record this is.")
    if len(patients) > 1:
        named = ", ".join(_name(patient) for patient in patients[:SHOWN])
        more = f" and {len(patients) - SHOWN} more" if len(patients) > SHOWN else ""
        raise UploadError(
            f"The Bundle has {len(patients)} patients: {named}{more}. Bring one patient at a time."
        )


def _name(patient: Entry) -> str:
    names = (text(name, "text") or text(name, "family") for name in items(patient, "name"))
    return next(filter(None, names), None) or str(patient.get("id", "one without a name"))


@cache
def _releases() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(RELEASES.read_text(encoding="utf-8"))
    return data


def _check_release(resources: Sequence[Entry]) -> None:
    for release, signs in _releases().items():
        found = [*_signs(resources, signs)]
        if found:
            shown = "; ".join(dict.fromkeys(found[:SHOWN]))
            raise UploadError(
                f"This looks like FHIR {release}: {shown}. The service reads R4 (4.0.1): export "
                "the record as R4."
            )


def _signs(resources: Sequence[Entry], signs: Mapping[str, Any]) -> Iterator[str]:
    for resource in resources:
        kind = resource["resourceType"]
        if kind in signs["types"]:
            yield f"{kind} is no type of R4"
        for name, look in signs["elements"].get(kind, {}).items():
            if resource.get(name) is not None and isinstance(resource[name], _LOOKS[look]):
                yield f"{kind}.{name} is not so in R4"
