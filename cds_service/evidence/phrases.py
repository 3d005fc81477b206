"""Phrases that count in the words of an order; everything else in a note is not read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from cds_service.evidence.codings import data
from cds_service.terminology import Dialect

_CLAUSE = re.compile(r"[.;:,!?\n()]+")
_SENTENCE = re.compile(r"[.;:!?\n()]+")
_LISTED = re.compile(r"\b(?:or|nor)\b")
_ITEM = re.compile(r",|\b(?:or|nor)\b")
_SPACE = re.compile(r"[\s\-_/]+")


def phrase_lists() -> frozenset[str]:
    """Return the ids of the phrase lists."""
    return frozenset(data("phrases.yaml")["lists"])


def said(name: str, words: Mapping[str, Iterable[str]], site: Dialect | None = None) -> str | None:
    """Return the text in which a phrase of the list stands, None when it stands nowhere.

    `words` are the texts of an order by place: note, category, order-detail, instruction. `site`
    may add phrases of its own to the list.
    """
    entry = data("phrases.yaml")["lists"][name]
    wanted = _pattern(name, site.phrases.get(name, ()) if site else ())
    texts = [text for place in entry.get("reads", ("note",)) for text in words.get(place, ())]
    if entry.get("alone"):
        return _nothing_else(wanted, texts)
    passed = _any_of(tuple(entry.get("passes-over", ())))
    return next((text for text in texts if _says(wanted, passed, text)), None)


def _says(wanted: re.Pattern[str], passed: re.Pattern[str] | None, text: str) -> bool:
    sentences = _parts(_SENTENCE, text)
    read = (passed.sub(" ", one) if passed else one for one in sentences)
    return any(not _denied(one, match.start()) for one in read for match in wanted.finditer(one))


def _nothing_else(wanted: re.Pattern[str], texts: list[str]) -> str | None:
    clauses = [clause for text in texts for clause in _clauses(text)]
    if not clauses or not all(wanted.fullmatch(_bare(clause)) for clause in clauses):
        return None
    return texts[0]


def _clauses(text: str) -> list[str]:
    return _parts(_CLAUSE, text)


def _parts(ends: re.Pattern[str], text: str) -> list[str]:
    plain = text.lower().replace("\u2019", "'")
    parts = (_SPACE.sub(" ", part).strip() for part in ends.split(plain))
    return [part for part in parts if part]


def _bare(clause: str) -> str:
    fillers = data("phrases.yaml")["fillers"]
    return " ".join(word for word in clause.split() if word not in fillers)


def _denied(sentence: str, place: int) -> bool:
    """Whether a negation governs what stands at a place, also through a list joined by "or"."""
    before = sentence[:place]
    if not _LISTED.search(sentence):
        return _negated(before.rpartition(",")[2])
    for item in reversed(_ITEM.split(before)):
        if _negated(item):
            return True
        if len(item.split()) > _reach():
            return False
    return False


def _negated(before: str) -> bool:
    near = " ".join(before.split()[-_reach() :])
    return any(
        re.search(rf"\b{re.escape(word)}\b", near) for word in data("phrases.yaml")["negations"]
    )


def _reach() -> int:
    """Return how many words, the negation among them, it governs."""
    return int(data("phrases.yaml")["reach"]) + 1


@lru_cache(maxsize=256)
def _pattern(name: str, more: tuple[str, ...]) -> re.Pattern[str]:
    listed = (*data("phrases.yaml")["lists"][name]["phrases"], *more)
    return _compiled(listed)


@lru_cache(maxsize=256)
def _any_of(phrases: tuple[str, ...]) -> re.Pattern[str] | None:
    return _compiled(phrases) if phrases else None


def _compiled(phrases: Iterable[str]) -> re.Pattern[str]:
    return whole_words(_SPACE.sub(" ", one) for one in phrases)


def whole_words(words: Iterable[str]) -> re.Pattern[str]:
    """Return what finds any of the words, or of several words, where no letter stands beside it."""
    longest_first = sorted(map(re.escape, words), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)")
