"""Every setting: from an environment variable or a TOML file, checked before anything starts.

`python -m cds_service.settings` prints docs/settings.md.
"""

# ruff: noqa: RUF009  (`setting` is called once for each field, at import, as `field` is)

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cds_service.settings import values

PREFIX = "MASSAGE_CDS_"
CONFIG = f"{PREFIX}CONFIG"


class SettingsError(ValueError):
    """A bad value: one line that names variable, value and remedy."""


def setting(
    default: Any, parse: values.Parse, kind: str, about: str, *, hidden: bool = False
) -> Any:
    """Return a field of Settings.

    `default` is written as in the environment (None: not set), `parse` turns a raw value into the
    typed one and raises ValueError with the remedy, `kind` and `about` go to the documentation. A
    `hidden` value is not told when it cannot be used.
    """
    value = None if default is None else parse(default)
    about_it = {"parse": parse, "kind": kind, "about": about, "default": default}
    metadata = about_it | {"hidden": hidden}
    return field(default=value, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process; `docs/settings.md` is made from them."""

    timezone: ZoneInfo = setting(
        "America/New_York",
        values.zone,
        "IANA time zone",
        "Time zone of the site: a dateTime in UTC counts on the calendar day it falls on here, and "
        "an order without a date is taken as signed today, here.",
    )
    deadline: float = setting(
        "4",
        values.number(0.1, 60),
        "seconds",
        "Total time that one call may spend on reading the FHIR server. What has not arrived by "
        "then is a hole that the card names.",
    )
    fetch_workers: int = setting(
        "16",
        values.whole(1, 256),
        "threads",
        "Size of the one pool that reads FHIR servers for all calls of a worker process.",
    )
    max_body: int = setting(
        "10485760",
        values.whole(1024, 1 << 30),
        "bytes",
        "Largest hook request that is accepted; a longer one gets HTTP 413.",
    )
    max_pages: int = setting(
        "50",
        values.whole(1, 1000),
        "pages",
        "Most pages read of one FHIR search. What lies beyond is a hole, never an absence.",
    )
    max_response: int = setting(
        "16777216",
        values.whole(1024, 1 << 30),
        "bytes",
        "Largest answer of a FHIR server that is read; a longer one is a hole.",
    )
    public_url: str | None = setting(
        None,
        values.url,
        "URL",
        "Base URL under which callers reach this service: for links, canonical addresses and the "
        "`aud` of callers' tokens. The request's own Host header is never trusted for it. Not set, "
        "it is the address that the server listens on.",
    )
    clients: Path | None = setting(
        None,
        values.file,
        "path of a TOML file",
        "Clients file: who may call, with which keys, and which FHIR servers may be read for each. "
        "See docs/security.md.",
    )
    jwks_grace: float = setting(
        "21600",
        values.number(0, 604800),
        "seconds",
        "How long a client's keys serve on when its key server cannot be reached, after the 10 "
        "minutes that they are fresh.",
    )
    ca_file: Path | None = setting(
        None,
        values.file,
        "path of a PEM file",
        "Certificate authorities that the FHIR servers and key servers of the site are checked "
        "with, in place of the public ones.",
    )
    canonical_base: str | None = setting(
        None,
        values.url,
        "URL",
        "Where canonical URLs of our Questionnaires and CodeSystems live. A site that publishes "
        "them under its own name sets its own.",
    )
    payers: Path | None = setting(
        None,
        values.file,
        "path of a YAML file",
        "Routes a Coverage to a policy, in place of the payers.yaml that comes with the package.",
    )
    policies: Path | None = setting(
        None,
        values.folder,
        "path of a folder",
        "Policy files that stand beside those of the package.",
    )
    site: Path | None = setting(
        None,
        values.file,
        "path of a TOML or YAML file",
        "Site file: maps the codes, questionnaires, document types and phrases that one site has "
        "of its own to our facts. See docs/site-file.md.",
    )
    cors_origins: tuple[str, ...] = setting(
        "",
        values.origins,
        "origins, separated by commas",
        "Web pages that may call the service from a browser, each matched exactly. The demo also "
        "allows pages served from this machine.",
    )
    demo_fhir_servers: tuple[str, ...] = setting(
        "",
        values.bases,
        "base URLs, separated by commas",
        "FHIR R4 servers that the demo's page may read patients from, beside those on this "
        "machine. They are read without a token and never written to. Only the demo looks at this.",
    )
    families: tuple[str, ...] = setting(
        "review,crd",
        values.families,
        "review, crd",
        "Families of services that discovery lists: `review` answers with cards, `crd` serves Da "
        "Vinci Coverage Requirements Discovery.",
    )
    hook_version: str = setting(
        "1.0",
        values.hook_version,
        "version",
        "`hookVersion` that discovery shows for services that name none of their own.",
    )
    log_format: str | None = setting(
        None,
        values.log_format,
        "json or plain",
        "How log records are written to stderr: as one JSON object a line, or for the eyes of a "
        "developer. Not set, `serve` writes json and the demo plain. See docs/operations.md.",
    )
    log_level: str = setting(
        "info",
        values.log_level,
        "debug, info, warning, error or critical",
        "The least level that is logged. The line of each call is info, error where it failed.",
    )
    threads: int = setting(
        "16",
        values.whole(1, 256),
        "threads",
        "Calls that one worker process answers at the same time. Three quarters of them may wait "
        "for FHIR servers; a call beyond that answers at once, as if its queries had failed.",
    )
    state: Path = setting(
        ".state",
        values.state,
        "path of a folder",
        "Where the service keeps what it must not lose: the spool of each worker, and the database "
        "and the secret where those are not set. Made where it is absent. The demo uses a folder "
        "that goes with it, unless this is set.",
    )
    database_url: values.Secret | None = setting(
        None,
        values.database,
        "sqlite:///path or postgresql://user:password@host/name",
        "Database of guidance, feedback and used tokens. Not set, it is the SQLite file "
        "massage-cds.sqlite in the state folder. Several machines need PostgreSQL.",
        hidden=True,
    )
    secret: values.Secret | None = setting(
        None,
        values.secret,
        "text, or path of a file that holds it",
        "Key of the hash that stands for a patient in the database. Not set, it is made once and "
        "kept in the state folder; machines that share a database must share it. A new one makes "
        "acknowledgements given before it unknown.",
        hidden=True,
    )
    keep_requests: bool = setting(
        "digest",
        values.kept,
        "whole or digest",
        "What is kept of a request beside the answer: its SHA-256, or all of it without its token. "
        "The CRD services always keep it whole.",
    )
    retention: int = setting(
        "400",
        values.whole(1, 36500),
        "days",
        "How long guidance and feedback are kept; one worker deletes once a day what is older. "
        "Acknowledgements of safety findings stay as long as they act.",
    )
    insight_least: int = setting(
        "5",
        values.whole(1, 1000),
        "a count",
        "Smallest count that `massage-cds store insight` tells; one below it shows as fewer than "
        "that. Someone who compares ranges of days may still work out more. The demo's page tells "
        "every count, for its patients are invented.",
    )
    spool_limit: int = setting(
        "1073741824",
        values.whole(1 << 20, 1 << 40),
        "bytes",
        "Most that may wait in the files of one worker while the database is down. Beyond it "
        "guidance goes on without being kept, and the log says so aloud.",
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
        told = "the value" if about["hidden"] else repr(value)
        raise SettingsError(f"{variable}: {told} cannot be used: {error}.") from None


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
