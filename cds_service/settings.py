"""Every setting: from an environment variable or a TOML file, checked before anything starts.

`python -m cds_service.settings` prints docs/settings.md.
"""

# ruff: noqa: RUF009  (`setting` is called once for each field, at import, as `field` is)

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

PREFIX = "MASSAGE_CDS_"
CONFIG = f"{PREFIX}CONFIG"
FAMILIES = ("review", "crd")

Parse = Callable[[object], Any]


class SettingsError(ValueError):
    """A bad value: one line that names variable, value and remedy."""


def setting(default: Any, parse: Parse, kind: str, about: str) -> Any:
    """Return a field of Settings.

    `default` is written as in the environment (None: not set), `parse` turns a raw value into the
    typed one and raises ValueError with the remedy, `kind` and `about` go to the documentation.
    """
    value = None if default is None else parse(default)
    metadata = {"parse": parse, "kind": kind, "about": about, "default": default}
    return field(default=value, metadata=metadata)


def _number(low: float, high: float) -> Parse:
    remedy = f"write a number from {low:g} to {high:g}"

    def parse(raw: object) -> float:
        value = _read(float, raw, remedy)
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(remedy)
        return cast(float, value)

    return parse


def _whole(low: int, high: int) -> Parse:
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


def _zone(raw: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(raw))
    except (OSError, ValueError, KeyError):
        remedy = "write a name of the IANA time zone database, such as America/New_York"
        raise ValueError(remedy) from None


def _file(raw: object) -> Path:
    path = Path(str(raw)).expanduser()
    if not path.is_file():
        raise ValueError("write the path of a file that exists")
    return path


def _folder(raw: object) -> Path:
    path = Path(str(raw)).expanduser()
    if not path.is_dir():
        raise ValueError("write the path of a folder that exists")
    return path


def _url(raw: object) -> str:
    text = str(raw).rstrip("/")
    if not _is_web(text) or urlsplit(text).query or urlsplit(text).fragment:
        raise ValueError("write an absolute URL such as https://cds.example.org")
    return text


def _is_web(text: str) -> bool:
    try:
        url = urlsplit(text)
        bad_port = url.port == 0
    except ValueError:
        return False
    clean = text.isprintable() and " " not in text and "@" not in url.netloc
    return url.scheme in ("http", "https") and bool(url.hostname) and clean and not bad_port


def _origins(raw: object) -> tuple[str, ...]:
    return tuple(_origin(item) for item in _list(raw))


def _origin(text: str) -> str:
    url = urlsplit(text)
    if not _is_web(text) or text != f"{url.scheme}://{url.netloc}":
        raise ValueError("write origins such as https://ehr.example.org, without path; never *")
    return text.lower()


def _families(raw: object) -> tuple[str, ...]:
    chosen = _list(raw)
    if not chosen or set(chosen) - set(FAMILIES):
        raise ValueError(f"write one or more of {', '.join(FAMILIES)}")
    return tuple(family for family in FAMILIES if family in chosen)


def _hook_version(raw: object) -> str:
    text = str(raw)
    if not text or not all(part.isdigit() for part in text.split(".")):
        raise ValueError("write a version such as 1.0")
    return text


def _list(raw: object) -> list[str]:
    items = raw if isinstance(raw, list) else str(raw).split(",")
    return [str(item).strip() for item in items if str(item).strip()]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process; `docs/settings.md` is made from them."""

    timezone: ZoneInfo = setting(
        "America/New_York",
        _zone,
        "IANA time zone",
        "Time zone of the site: a dateTime in UTC counts on the calendar day it falls on here, and "
        "an order without a date is taken as signed today, here.",
    )
    deadline: float = setting(
        "4",
        _number(0.1, 60),
        "seconds",
        "Total time that one call may spend on reading the FHIR server. What has not arrived by "
        "then is a hole that the card names.",
    )
    fetch_workers: int = setting(
        "16",
        _whole(1, 256),
        "threads",
        "Size of the one pool that reads FHIR servers for all calls of a worker process. Beyond it "
        "a call answers as if its queries had timed out.",
    )
    max_body: int = setting(
        "10485760",
        _whole(1024, 1 << 30),
        "bytes",
        "Largest hook request that is accepted; a longer one gets HTTP 413.",
    )
    max_pages: int = setting(
        "50",
        _whole(1, 1000),
        "pages",
        "Most pages read of one FHIR search. What lies beyond is a hole, never an absence.",
    )
    max_response: int = setting(
        "16777216",
        _whole(1024, 1 << 30),
        "bytes",
        "Largest answer of a FHIR server that is read; a longer one is a hole.",
    )
    public_url: str | None = setting(
        None,
        _url,
        "URL",
        "Base URL under which callers reach this service, for links and canonical addresses. The "
        "request's own Host header is never trusted for it. Not set, it is the address that the "
        "server listens on.",
    )
    canonical_base: str | None = setting(
        None,
        _url,
        "URL",
        "Where canonical URLs of our Questionnaires and CodeSystems live. A site that publishes "
        "them under its own name sets its own.",
    )
    payers: Path | None = setting(
        None,
        _file,
        "path of a YAML file",
        "Routes a Coverage to a policy, in place of the payers.yaml that comes with the package.",
    )
    policies: Path | None = setting(
        None,
        _folder,
        "path of a folder",
        "Policy files that stand beside those of the package.",
    )
    site: Path | None = setting(
        None,
        _file,
        "path of a TOML or YAML file",
        "Site file: maps the codes, questionnaires, document types and phrases that one site has "
        "of its own to our facts. See docs/site-file.md.",
    )
    cors_origins: tuple[str, ...] = setting(
        "",
        _origins,
        "origins, separated by commas",
        "Web pages that may call the service from a browser, each matched exactly. The demo also "
        "allows pages served from this machine.",
    )
    families: tuple[str, ...] = setting(
        "review,crd",
        _families,
        "review, crd",
        "Families of services that discovery lists: `review` answers with cards, `crd` serves Da "
        "Vinci Coverage Requirements Discovery.",
    )
    hook_version: str = setting(
        "1.0",
        _hook_version,
        "version",
        "`hookVersion` that discovery shows for services that name none of their own.",
    )
    threads: int = setting(
        "16",
        _whole(1, 256),
        "threads",
        "Calls that one worker process answers at the same time.",
    )


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings; a variable of the environment wins over the file.

    Raises SettingsError for a bad value, an unreadable file or a name the file should not hold.
    """
    variables = os.environ if environ is None else environ
    path = variables.get(CONFIG)
    raw = _from_file(Path(path).expanduser()) if path else {}
    for name, about in _by_name().items():
        if PREFIX + name.upper() in variables:
            raw[name] = (PREFIX + name.upper(), variables[PREFIX + name.upper()])
        elif about["default"] is not None:
            raw.setdefault(name, (name, about["default"]))
    return Settings(**{name: _parsed(name, *given) for name, given in raw.items()})


def _by_name() -> dict[str, Mapping[str, Any]]:
    return {item.name: item.metadata for item in fields(Settings)}


def _parsed(name: str, variable: str, value: object) -> Any:
    about = _by_name()[name]
    if value == "" and about["default"] in (None, ""):
        return None if about["default"] is None else about["parse"]("")
    try:
        return about["parse"](value)
    except ValueError as error:
        raise SettingsError(f"{variable}: {value!r} cannot be used: {error}.") from None


def _from_file(path: Path) -> dict[str, tuple[str, object]]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        words = f"{CONFIG}: {str(path)!r} cannot be read: write the path of a TOML file."
        raise SettingsError(words) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: is no TOML: {error}.") from None
    for name in table:
        _refuse_unknown(name, path)
    return {name: (f"{path}: {name}", value) for name, value in table.items()}


def _refuse_unknown(name: str, path: Path) -> None:
    known = list(_by_name())
    if name in known:
        return
    close = get_close_matches(name, known, 1)
    remedy = f"write {close[0]}" if close else f"settings are {', '.join(known)}"
    raise SettingsError(f"{path}: {name!r} is no setting: {remedy}.")


def documentation() -> str:
    """Return docs/settings.md."""
    head = (
        "# Settings\n\n"
        "Made by `python -m cds_service.settings > docs/settings.md`; do not edit.\n\n"
        f"Set a variable of the environment, or name a TOML file in `{CONFIG}` that holds the same "
        f"settings by their names without `{PREFIX}`, in lower case. The environment wins. A bad "
        "value stops the start with one line that names it.\n"
    )
    return head + "".join(_paragraph(name, about) for name, about in _by_name().items())


def _paragraph(name: str, about: Mapping[str, Any]) -> str:
    default = f"`{about['default']}`" if about["default"] else "not set"
    return (
        f"\n## {PREFIX}{name.upper()}\n\n{about['about']}\n\n"
        f"- value: {about['kind']}\n- default: {default}\n- in the file: `{name}`\n"
    )


if __name__ == "__main__":
    print(documentation(), end="")
