"""How a raw value becomes a typed one: each parser raises ValueError with the remedy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

FAMILIES = ("review", "crd")
SECRET_LENGTH = 16
LOCAL = ("localhost", "127.0.0.1", "::1")

Parse = Callable[[object], Any]


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that no repr, no log and no error shows."""

    value: str = field(repr=False)


def number(low: float, high: float) -> Parse:
    """Return a parser of numbers from `low` to `high`."""
    remedy = f"write a number from {low:g} to {high:g}"

    def parse(raw: object) -> float:
        value = _read(float, raw, remedy)
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(remedy)
        return cast(float, value)

    return parse


def whole(low: int, high: int) -> Parse:
    """Return a parser of whole numbers from `low` to `high`."""
    remedy = f"write a whole number from {low} to {high}"

    def parse(raw: object) -> int:
        value = _read(int, raw, remedy)
        if not low <= value <= high:
            raise ValueError(remedy)
        return cast(int, value)

    return parse


def _read(kind: type, raw: object, remedy: str) -> Any:
    if isinstance(raw, bool) or (kind is int and isinstance(raw, float)):
        raise ValueError(remedy)
    try:
        return kind(raw)
    except (TypeError, ValueError):
        raise ValueError(remedy) from None


def zone(raw: object) -> ZoneInfo:
    """Return a time zone of the IANA database."""
    try:
        return ZoneInfo(str(raw))
    except (OSError, ValueError, KeyError):
        remedy = "write a name of the IANA time zone database, such as America/New_York"
        raise ValueError(remedy) from None


def file(raw: object) -> Path:
    """Return a file that exists."""
    path = Path(str(raw)).expanduser()
    if not path.is_file():
        raise ValueError("write the path of a file that exists")
    return path


def folder(raw: object) -> Path:
    """Return a folder that exists."""
    path = Path(str(raw)).expanduser()
    if not path.is_dir():
        raise ValueError("write the path of a folder that exists")
    return path


def url(raw: object) -> str:
    """Return an absolute http or https URL without a trailing slash."""
    text = str(raw).rstrip("/")
    if not _is_web(text) or urlsplit(text).query or urlsplit(text).fragment:
        raise ValueError("write an absolute URL such as https://cds.example.org")
    return text


def bases(raw: object) -> tuple[str, ...]:
    """Return base URLs, each without a trailing slash."""
    return tuple(_base(url(item)) for item in _list(raw))


def _base(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" and parts.hostname not in LOCAL:
        raise ValueError("write base URLs with https (http on this machine alone)")
    return text


def _is_web(text: str) -> bool:
    try:
        url = urlsplit(text)
        bad_port = url.port == 0
    except ValueError:
        return False
    clean = text.isprintable() and " " not in text and "@" not in url.netloc
    return url.scheme in ("http", "https") and bool(url.hostname) and clean and not bad_port


def origins(raw: object) -> tuple[str, ...]:
    """Return origins as browsers send them, in lower case."""
    return tuple(_origin(item) for item in _list(raw))


def _origin(text: str) -> str:
    url = urlsplit(text)
    if not _is_web(text) or text != f"{url.scheme}://{url.netloc}":
        raise ValueError("write origins such as https://ehr.example.org, without path; never *")
    return text.lower()


def state(raw: object) -> Path:
    """Return a folder that exists or can be made."""
    path = Path(str(raw)).expanduser()
    if path.exists() and not path.is_dir():
        raise ValueError("write the path of a folder; it is made where it is absent")
    return path


def database(raw: object) -> Secret:
    """Return the URL of a database of a kind we know."""
    text = str(raw)
    if not text.startswith(("sqlite:///", "postgresql://")):
        remedy = "sqlite:///path/of/file or postgresql://user:password@host/name"
        raise ValueError(f"write {remedy}")
    return Secret(text)


def secret(raw: object) -> Secret:
    """Return a secret, given as it is or as the file that holds it."""
    text = str(raw)
    try:
        file = Path(text).expanduser()
        text = file.read_text(encoding="utf-8").strip() if file.is_file() else text
    except (OSError, ValueError):
        raise ValueError("write a text, or the path of a file that can be read") from None
    if len(text) < SECRET_LENGTH:
        raise ValueError(f"write at least {SECRET_LENGTH} characters")
    return Secret(text)


def kept(raw: object) -> bool:
    """Return whether requests are kept whole."""
    if raw not in ("whole", "digest"):
        raise ValueError("write whole or digest")
    return raw == "whole"


def log_format(raw: object) -> str:
    """Return how log records are written."""
    return _one_of(("json", "plain"), raw)


def log_level(raw: object) -> str:
    """Return the least level that is logged."""
    return _one_of(("debug", "info", "warning", "error", "critical"), str(raw).lower())


def _one_of(words: tuple[str, ...], raw: object) -> str:
    if raw not in words:
        raise ValueError(f"write one of {', '.join(words)}")
    return str(raw)


def families(raw: object) -> tuple[str, ...]:
    """Return families of services, in our order."""
    chosen = _list(raw)
    if not chosen or set(chosen) - set(FAMILIES):
        raise ValueError(f"write one or more of {', '.join(FAMILIES)}")
    return tuple(family for family in FAMILIES if family in chosen)


def hook_version(raw: object) -> str:
    """Return a version of digits and dots."""
    text = str(raw)
    if not text or not all(part.isdigit() for part in text.split(".")):
        raise ValueError("write a version such as 1.0")
    return text


def _list(raw: object) -> list[str]:
    items = raw if isinstance(raw, list) else str(raw).split(",")
    return [str(item).strip() for item in items if str(item).strip()]
