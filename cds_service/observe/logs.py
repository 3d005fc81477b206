"""Log records as lines that hold nothing of a patient.

Our own words are written with care (a refusal's text names places, never values), and the
formatters add what care may miss: an exception shows its type and its frames, never its message,
and what a library logs is named by its place alone, for URLs and SQL hold identifiers.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

import orjson

from cds_service.failure import failure
from cds_service.observe.call import current

OURS = ("cds_service", "cards")
SERVER = "_granian"

SERVER_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {},
    "loggers": {
        SERVER: {"handlers": [], "propagate": True},
        "granian.access": {"handlers": [], "propagate": False, "level": "CRITICAL"},
    },
}
"""For the server, so that what it logs goes the way of all records. Its access log stays off: it
would hold query strings."""

log = logging.getLogger(__name__)


def install(form: str, level: str) -> None:
    """Send all log records of the process to stderr as "json" or "plain" lines.

    `level` counts for our own loggers; of libraries only warnings and worse are told.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else PlainLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    logging.captureWarnings(True)
    # Not told in any line, and not free.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    sys.excepthook = lambda kind, error, trace: _died("process", error)
    threading.excepthook = lambda told: _died("thread", told.exc_value)
    sys.unraisablehook = lambda told: _died("cleanup", told.exc_value)


def _died(what: str, error: BaseException | None) -> None:
    if not isinstance(error, KeyboardInterrupt | SystemExit):
        log.critical("a %s ended by an exception: %s", what, failure(error))


class JsonLines(logging.Formatter):
    """One JSON object a record: time (UTC), level, event, call, and its fields or its words."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return orjson.dumps(told(record), default=lambda value: type(value).__name__).decode()


class PlainLines(logging.Formatter):
    """The same for the eyes of a developer."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = told(record)
        head = f"{fields.pop('time')[11:19]} {fields.pop('level'):8}"
        return " ".join([head, *(f"{name}={_plain(value)}" for name, value in fields.items())])


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return text.replace("\n", " ")


def told(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record tells, by name."""
    moment = datetime.fromtimestamp(record.created, UTC)
    line: dict[str, Any] = {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "event": getattr(record, "event", "log"),
    }
    if call := current():
        line["call"] = call.id
    fields = getattr(record, "fields", None)
    if isinstance(fields, Mapping):
        return line | dict(fields)
    line |= {"logger": record.name, "message": _words(record)}
    if record.exc_info and record.exc_info[1]:
        line["error"] = failure(record.exc_info[1])
    return line


def _words(record: logging.LogRecord) -> str:
    if record.name.split(".")[0] in OURS:
        return _message(record)
    if record.name == SERVER and "\n" not in (text := record.getMessage()):
        return text
    return f"words of a library left out ({PurePath(record.pathname).name}:{record.lineno})"


def _message(record: logging.LogRecord) -> str:
    args = record.args
    if isinstance(args, tuple):
        args = tuple(_harmless(value) for value in args)
    try:
        return str(record.msg) % args if args else str(record.msg)
    except (TypeError, ValueError):
        return f"words that do not fit their values ({record.module}:{record.lineno})"


def _harmless(value: object) -> object:
    """Return an exception as what may be told of it: our own have been written for the log."""
    if not isinstance(value, BaseException):
        return value
    if type(value).__module__.split(".")[0] in OURS:
        return str(value)
    if isinstance(value, OSError) and value.strerror:
        return f"{type(value).__name__} ({value.strerror})"
    return type(value).__name__
