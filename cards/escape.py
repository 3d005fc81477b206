"""Text for readers: values of a record cannot become Markdown, HTML, links or new lines."""

from __future__ import annotations

import html
import re
from datetime import date
from fractions import Fraction

SUMMARY_LIMIT = 139

_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+")
_TAG = re.compile(r"<[A-Za-z/!?][^<>]*>?")
_LINK = re.compile(r"(?i)\b(?P<scheme>[a-z][a-z0-9+.-]*:)(?=//)|\b(?P<www>www)\.")
_SCRIPT = re.compile(r"(?i)\b(javascript|vbscript|data|mailto|xmpp):(?=\S)")
_MAIL = re.compile(r"(?<=[\w.+-])@(?=\w)")
_SYNTAX = re.compile(r"([\\`*_\[\]|~])")
_BLOCK = re.compile(r"^(?:(?P<number>\d{1,9})(?P<dot>[.)])(?=\s|$)|(?P<mark>[-+#=]))")
_LONGEST = 300
# Words and numbers in which nothing acts but, perhaps, an address.
_HARMLESS = re.compile(
    r"[A-Za-z(][A-Za-z0-9 ,.()%/';-]{0,200}"
    r"|(?!\d{1,9}[.)](?: |$))(?=.{1,200}$)\d[A-Za-z0-9,.()%/';-]*(?: [A-Za-z0-9,.()%/';-]+)*"
)


class Marked(str):
    """Markdown of ours, in which the texts of a record have been escaped."""

    __slots__ = ()


def text_of(value: object) -> str:
    """Return a value as one line: dates in ISO form, whole numbers without a point, None as ""."""
    if value is None:
        return ""
    if isinstance(value, Fraction):
        return _number(value)
    if isinstance(value, date):
        return value.isoformat()[:10]
    return _INVISIBLE.sub(" ", str(value)).strip()


def plain(value: object) -> str:
    """Return one line of plain text for summaries and labels, without anything like a tag."""
    if isinstance(value, str) and _harmless(value):
        return value.strip()
    return " ".join(_TAG.sub(" ", text_of(value)).split())


def markdown(value: object) -> str:
    """Return text that GitHub-flavoured Markdown and HTML show as it is; our own is kept."""
    if isinstance(value, Marked):
        return value
    text = value if isinstance(value, str) else text_of(value)
    return text if _harmless(text) else _escaped(text)


def _harmless(text: str) -> bool:
    """Whether a text needs no escaping, whatever stands around it, as most do not."""
    if not _HARMLESS.fullmatch(text):
        return False
    return "www." not in text.lower() or not _LINK.search(text)


def _escaped(text: str) -> str:
    shown = html.escape(_without_links(fit(text_of(text), _LONGEST)), quote=False)
    return _BLOCK.sub(_escape_block, _SYNTAX.sub(r"\\\1", shown))


def fit(text: str, room: int) -> str:
    """Return the text cut at a word to at most `room` characters, with an ellipsis when cut.

    A bracket that would stay open is left out whole.
    """
    if len(text) <= room:
        return text
    cut = text[: max(room - 1, 0)]
    head, _, _ = cut.rpartition(" ")
    kept = head if len(head) > room // 2 else cut
    opened = kept.rfind("(")
    if opened > room // 3 and ")" not in kept[opened:]:
        kept = kept[:opened]
    return kept.rstrip(" ,;:-(") + "…"


def sentence(lead: str, step: str = "", joint: str = " - ") -> str:
    """Return "lead - step" in at most 139 characters; a long lead leaves room for the step."""
    lead, step = plain(lead), plain(step)
    if not step:
        return fit(lead, SUMMARY_LIMIT)
    reserved = min(len(step), SUMMARY_LIMIT // 3)
    lead = fit(lead, SUMMARY_LIMIT - reserved - len(joint))
    return lead + joint + fit(step, SUMMARY_LIMIT - len(lead) - len(joint))


def short(text: str) -> str:
    """Return the head of an item's text: up to a bracket, dash, semicolon or full stop."""
    head = re.split(r"\s*[(;]|\s-\s|\.\s", text, maxsplit=1)[0]
    return head.rstrip(" .") or text


def bare(text: str) -> str:
    """Return the text without closing punctuation, for use inside a sentence."""
    return text.rstrip(" .;")


def _without_links(text: str) -> str:
    text = _LINK.sub(lambda found: f"{found['scheme'] or 'www .'} ", text)
    return _MAIL.sub(" (at) ", _SCRIPT.sub(r"\1: ", text))


def _escape_block(found: re.Match[str]) -> str:
    return rf"\{found['mark']}" if found["mark"] else rf"{found['number']}\{found['dot']}"


def _number(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.4g}"
