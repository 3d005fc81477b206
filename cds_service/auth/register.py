"""The clients file: read, checked whole, made into clients."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from cds_service.auth.addresses import is_base, is_secure
from cds_service.auth.client import RECOMMENDED, Client
from cds_service.auth.keys import KINDS

FAMILIES = ("review", "crd")
MEMBERS = (
    "iss",
    "jku",
    "jwks",
    "fhir_servers",
    "tenants",
    "algorithms",
    "system_actions",
    "family",
)
_HEADER = re.compile(r"\s*\[\[\s*client\s*\]\]")


class ClientsError(ValueError):
    """Clients that cannot be used: every reason, with file, line, place and remedy."""


@dataclass(frozen=True)
class _Entry:
    """One `[[client]]` of the file."""

    place: int
    data: Mapping[str, Any]
    folder: Path


def read_clients(path: Path) -> list[Client]:
    """Return the clients of a TOML file; raises ClientsError."""
    text, document = _parsed(path)
    entries = document.get("client")
    if not _tables(entries) or set(document) != {"client"}:
        raise ClientsError(f"{path}:1: write one or more [[client]] tables and nothing beside them")
    listed = [_Entry(place, data, path.parent) for place, data in enumerate(entries)]
    problems = [
        f"{path}:{_line(text, entry.place, member)}: client {entry.place + 1}: {member}: {words}"
        for entry in listed
        for member, words in (*_problems(entry), *_twins(entry, listed))
    ]
    if problems:
        raise ClientsError("\n".join(problems))
    return [_client(entry) for entry in listed]


def _tables(entries: object) -> TypeGuard[list[dict[str, Any]]]:
    listed = isinstance(entries, list) and bool(entries)
    return listed and all(isinstance(entry, dict) for entry in entries)  # type: ignore[attr-defined]


def _parsed(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except (OSError, UnicodeDecodeError):
        raise ClientsError(f"{path}: cannot be read; name a TOML file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ClientsError(f"{path}: is no TOML: {error}") from None


def _line(text: str, place: int, member: str) -> int:
    """Return the line of a member of a client, or of the client's heading."""
    lines = text.splitlines()
    heads = [at for at, line in enumerate(lines) if _HEADER.match(line)]
    if place >= len(heads):
        return 1
    end = heads[place + 1] if place + 1 < len(heads) else len(lines)
    named = re.compile(rf"\s*[\"']?{re.escape(member)}[\"']?\s*=")
    inside = range(heads[place] + 1, end)
    return next((at for at in inside if named.match(lines[at])), heads[place]) + 1


def _problems(entry: _Entry) -> Iterator[tuple[str, str]]:
    data = entry.data
    yield from ((name, _unknown(name)) for name in data if name not in MEMBERS)
    if not _is_uri(data.get("iss")):
        yield "iss", 'write the issuer of its tokens, such as "https://ehr.example.org"'
    yield from _key_problems(entry)
    if not _all(data.get("fhir_servers", []), is_base):
        words = "write a list of base URLs with https (http on this machine alone), without query"
        yield "fhir_servers", words
    if not _all(data.get("tenants", []), bool):
        yield "tenants", "write a list of texts; [] lets any tenant in"
    if not _algorithms(data.get("algorithms", RECOMMENDED)):
        yield "algorithms", f"write a list of one or more of {', '.join(KINDS)}"
    if not isinstance(data.get("system_actions", True), bool):
        yield "system_actions", "write true or false"
    if data.get("family") not in (None, *FAMILIES):
        yield "family", f"write one of {', '.join(FAMILIES)}, or leave it out for all"


def _key_problems(entry: _Entry) -> Iterator[tuple[str, str]]:
    jku, jwks = entry.data.get("jku"), entry.data.get("jwks")
    if jku is None and jwks is None:
        yield "jku", "write the URL of its key set, or as jwks the path of a file with it"
    if jku is not None and not (isinstance(jku, str) and is_secure(jku) and "#" not in jku):
        yield "jku", "write a URL with https (http on this machine alone)"
    if jwks is not None and not (isinstance(jwks, str) and (entry.folder / jwks).is_file()):
        yield "jwks", f"write the path of a file that exists, relative to {entry.folder}"


def _twins(entry: _Entry, entries: Sequence[_Entry]) -> Iterator[tuple[str, str]]:
    for other in entries[: entry.place]:
        if entry.data.get("iss") == other.data.get("iss") is not None:
            yield "iss", f"client {other.place + 1} has the same; write each once"


def _unknown(name: str) -> str:
    close = get_close_matches(name, MEMBERS, 1)
    return f"is not known; write {close[0] if close else 'one of ' + ', '.join(MEMBERS)}"


def _is_uri(value: object) -> bool:
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return False
    try:
        return bool(urlsplit(value).scheme)
    except ValueError:
        return False


def _all(value: object, good: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and good(item) for item in value)


def _algorithms(value: object) -> bool:
    listed = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    return listed and bool(value) and set(value) <= KINDS.keys()  # type: ignore[call-overload]


def _client(entry: _Entry) -> Client:
    data = entry.data
    return Client(
        iss=data["iss"],
        jku=data.get("jku"),
        jwks=entry.folder / data["jwks"] if "jwks" in data else None,
        fhir_servers=tuple(data.get("fhir_servers", ())),
        tenants=tuple(data.get("tenants", ())),
        algorithms=tuple(data.get("algorithms", RECOMMENDED)),
        system_actions=data.get("system_actions", True),
        family=data.get("family"),
    )
