"""The query catalogue: which searches make a patient's record (`queries.yaml`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import yaml

from cds_service.record.model import Hole
from cds_service.terminology import Dialect, promis
from cds_service.terminology.measures import Loader, read_catalogue

PATIENT_TOKEN = "{{context.patientId}}"
_OTHERS = "others"
_SEPARATOR = re.compile(r"[\\,|$]")
REFERENCES = "references"
"""Key under which literal references that could not be read are named."""


@dataclass(frozen=True, slots=True)
class Query:
    """One search or read of the catalogue.

    `resource_type` is what it is after, `label` how people are told of it (type first, no patient
    id), `retry` the form asked once when the server answers 400 or 422 to `query`, `categories`
    those over which what it asks for is spread.
    """

    key: str
    resource_type: str
    label: str
    query: str
    retry: str | None
    prefetch: bool
    page_size: int | None
    categories: tuple[str, ...] = ()

    @property
    def is_read(self) -> bool:
        """Whether it reads one resource instead of searching."""
        return "?" not in self.query

    def template(self) -> str:
        """Return the prefetch template of CDS Hooks, with first-level tokens only."""
        return self.query.replace("{patient}", PATIENT_TOKEN)

    def forms(self, patient_id: str) -> list[str]:
        """Return the query for a patient, then its retry form if it has one."""
        written = [self._written(form, patient_id) for form in (self.query, self.retry) if form]
        return list(dict.fromkeys(written))

    def hole(self, reason: str) -> Hole:
        """Return the hole this query leaves."""
        return Hole(self.key, self.label, reason)

    def _written(self, form: str, patient_id: str) -> str:
        text = form.replace("{patient}", quote(patient_id, safe=""))
        return f"{text}&_count={self.page_size}" if self.page_size else text


@dataclass(frozen=True)
class Catalogue:
    """All queries by key, the types that belong to no patient, and what issues may be called.

    `harmless_issues` cost no data; `issue_types` are all that a server may give as its reason;
    `reduced` mark a resource that came without some of its data.
    """

    queries: Mapping[str, Query]
    shared_types: frozenset[str]
    harmless_issues: frozenset[str]
    issue_types: frozenset[str]
    reduced: frozenset[str]

    def keys_of(self, resource_type: str) -> tuple[str, ...]:
        """Return the keys whose query is after a resource type."""
        return tuple(k for k, query in self.queries.items() if query.resource_type == resource_type)


@cache
def catalogue() -> Catalogue:
    """Return the catalogue; parsed once."""
    data = _data()
    return _catalogue(data, _codes(data["queries"]))


def catalogue_of(site: Dialect | None) -> Catalogue:
    """Return the catalogue in which searches for measures also ask for a site's own codes."""
    if site is None:
        return catalogue()
    data = _data()
    codes = _codes(data["queries"], site.measured)
    for key, more in site.search.items():
        codes[key] = (*codes[key], *(_written(code) for code in more))
    unique = {key: tuple(dict.fromkeys(listed)) for key, listed in codes.items()}
    return _catalogue(data, unique)


def _data() -> dict[str, Any]:
    text = files("cds_service.record").joinpath("queries.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.load(text, Loader)
    return content


def _catalogue(data: Mapping[str, Any], codes: Mapping[str, Iterable[str]]) -> Catalogue:
    queries = {key: _query(key, entry, codes[key]) for key, entry in data["queries"].items()}
    lists = ("shared-types", "harmless-issues", "issue-types", "reduced")
    return Catalogue(queries, *(frozenset(data[name]) for name in lists))


def _written(code: str) -> str:
    """Return a code as a search writes it: separators of FHIR escaped, all else percent-encoded."""
    return quote(_SEPARATOR.sub(r"\\\g<0>", code), safe="")


def prefetch_templates(known: Catalogue | None = None) -> dict[str, str]:
    """Return the prefetch templates the service declares, by key."""
    queries = (known or catalogue()).queries
    return {key: query.template() for key, query in queries.items() if query.prefetch}


def _query(key: str, entry: Mapping[str, Any], codes: Iterable[str]) -> Query:
    text = entry["query"].replace("{codes}", ",".join(codes))
    return Query(
        key=key,
        resource_type=text.replace("?", "/").split("/")[0],
        label=entry["label"],
        query=text,
        retry=entry.get("retry"),
        prefetch=entry["prefetch"],
        page_size=entry.get("page-size"),
        categories=tuple(entry.get("categories", ())),
    )


def _codes(
    entries: Mapping[str, Mapping[str, Any]], local: Sequence[tuple[str, frozenset[str]]] = ()
) -> dict[str, tuple[str, ...]]:
    """Return the codes each query asks for: its own, then those of its groups of measures.

    `local` are codes of a site, with the groups of what they measure.
    """
    groups = {key: entry.get("code-groups", ()) for key, entry in entries.items()}
    named = {group for value in groups.values() if value != _OTHERS for group in value}
    measures = read_catalogue().measures.values()
    found: dict[str, tuple[str, ...]] = {}
    for key, value in groups.items():
        chosen = (m for m in measures if _asked(m.groups, value, named))
        of_measures = [code for measure in chosen for _, code in measure.codes]
        of_site = [_written(code) for code, kinds in local if _asked(kinds, value, named)]
        own = [*entries[key].get("codes", ()), *(promis.items() if value == _OTHERS else ())]
        found[key] = tuple(dict.fromkeys([*own, *of_measures, *of_site]))
    return found


def _asked(groups: frozenset[str], wanted: str | list[str], named: set[str]) -> bool:
    return not groups & named if wanted == _OTHERS else not groups.isdisjoint(wanted)
