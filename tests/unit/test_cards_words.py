"""Every reason for which something was not read has plain words."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

import cds_service.record
from cards.words import WORDS, reason
from cds_service import transport
from cds_service.record.queries import catalogue

ROOM = Path(cds_service.record.__file__).parent
TELLING = {"FetchError", "Reading", "hole", "Hole", "_miss_reference", "_turn_away"}
WORD = re.compile(r"[a-z]+(-[a-z]+)+|timeout|busy|connection|absent|truncated|incomplete")


def named(call):
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def reasons():
    """Return the reasons that the record room gives, as they stand in its code."""
    found = set()
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and named(node) in TELLING:
                parts = [part for argument in [*node.args, *(k.value for k in node.keywords)]
                         for part in ast.walk(argument)]  # fmt: skip
                texts = [p.value for p in parts if isinstance(p, ast.Constant)]
                found |= {t for t in texts if isinstance(t, str) and WORD.fullmatch(t)}
    return found | set(get_args(transport.Reason))


REASONS = sorted(
    reasons()
    | {"another-patient", "no-patient", "modified"}
    | {"too-many-pages", "too-many-references", "incomplete"}
    | {"http-500", "outcome-security", "not-allowed", "not-authorised", "connection", "timeout"}
)


def test_the_code_was_read():
    assert {"busy", "too-large", "not-json", "not-fhir"} <= reasons()


@pytest.mark.parametrize("word", REASONS)
def test_a_reason_is_said_in_words(word):
    assert reason(word) != word
    assert "{" not in reason(word)


@pytest.mark.parametrize("key", sorted(catalogue().queries))
def test_a_query_is_said_in_words(key):
    assert WORDS["records"][key]


def test_a_server_error_keeps_its_number():
    assert reason("http-503") == "server error 503"
