"""What a site's own codes, words and questionnaires stand for, as evidence asks it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Coding = tuple[str | None, str]
"""A pair (system, code) as a record writes it."""
BARE = "urn:massage-cds:no-system"
"""Stands for the system of a site's codes that are written without one."""
WORDS = "urn:massage-cds:words"
"""Stands for the system of words that a site maps as if they were codes."""


@dataclass(frozen=True, slots=True)
class MappedItem:
    """A question of a site that asks what an item of one of our forms asks.

    `answers` gives its answers in one word (yes, no, unknown) by code or by words in lower case;
    None where answers are read as they come. `via` says which mapping it is.
    """

    item: str
    answers: Mapping[str, str] | None
    via: str


@dataclass(frozen=True, slots=True)
class MappedForm:
    """One of our forms as a site's questionnaire asks it: our items by the site's linkIds.

    `name` is the id of our form, `complete` whether all of its questions are there.
    """

    name: str
    complete: bool
    items: Mapping[str, MappedItem]


class Dialect(Protocol):
    """What one site's own codes, words and questionnaires stand for (made in room `local`)."""

    @property
    def phrases(self) -> Mapping[str, tuple[str, ...]]:
        """Phrases of the site by id of the phrase list they belong to."""

    @property
    def search(self) -> Mapping[str, tuple[str, ...]]:
        """Codes that the query of a key also asks for."""

    @property
    def measured(self) -> Sequence[tuple[str, frozenset[str]]]:
        """Codes of Observations, with the groups of what they measure."""

    def meant(self, codings: Sequence[Coding], words: Iterable[str]) -> list[Coding]:
        """Return the codings, and after them what they and the words stand for."""

    def via(self, codings: Iterable[Coding], words: Iterable[str]) -> str | None:
        """Say which mappings the codings and words go through; None when through none."""

    def forms(self, questionnaire: str) -> Sequence[MappedForm]:
        """Return our forms whose items a questionnaire asks, by its canonical."""

    def item(self, questionnaire: str, link: str) -> str:
        """Return the linkId by which we know an item: the code it stands for, else its own."""

    def via_item(self, questionnaire: str, link: str) -> str | None:
        """Say which mapping an item's answer goes through; None when through none."""

    def also_read(self, keys: Sequence[str]) -> Sequence[str]:
        """Return query keys, with those that bring the same facts at this site."""
