"""FHIR search over the sandbox's store: parameters in, searchset Bundle out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, uuid5

from cds_service.sandbox.matching import matcher, span, tokens
from cds_service.sandbox.outcome import FhirError, outcome
from cds_service.sandbox.parameters import Parameter, catalogue
from cds_service.sandbox.store import Resource, SandboxStore

PAGE = 50
LARGEST_PAGE = 200
TOLERATED = frozenset({"_format", "_pretty", "_elements", "_total", "_summary"})
PATIENT_PARAMETERS = frozenset({"patient", "subject", "beneficiary"})

Pair = tuple[str, str]


@dataclass
class Query:
    """A search as it was asked, sorted into what filters, what steers and what is not known."""

    kind: str
    pairs: Sequence[Pair]
    filters: list[tuple[Parameter, str, str]] = field(default_factory=list)
    includes: list[tuple[Parameter, str]] = field(default_factory=list)
    sort: list[tuple[Parameter, bool]] = field(default_factory=list)
    count: int = PAGE
    offset: int = 0
    only_total: bool = False
    unknown: list[str] = field(default_factory=list)


def parameters_of(kind: str) -> dict[str, Parameter]:
    """Return the search parameters of a type; FhirError 404 when it is not served."""
    known = catalogue().get(kind)
    if known is None:
        raise FhirError(404, "not-supported", f"resource type {kind} is not served here")
    return known


def parse(kind: str, pairs: Sequence[Pair], strict: bool = False) -> Query:
    """Return the query; FhirError 400 for a bad value or, when strict, an unknown parameter."""
    query = Query(kind, [pair for pair in pairs if pair[0] != "_offset"])
    known = parameters_of(kind)
    for name, text in pairs:
        _sort_in(query, known, name, text)
    if strict and query.unknown:
        names = ", ".join(query.unknown)
        raise FhirError(400, "not-supported", f"unknown search parameter for {kind}: {names}")
    return query


def _sort_in(query: Query, known: dict[str, Parameter], name: str, text: str) -> None:
    plain, _, modifier = name.partition(":")
    if plain in known:
        query.filters.append((known[plain], modifier, text))
    elif name in {"_count", "_offset"}:
        setattr(query, name[1:], _whole(name, text))
    elif plain == "_include":
        _include(query, text)
    elif plain == "_sort":
        _sort(query, known, text)
    elif name in TOLERATED:
        query.only_total = query.only_total or (name, text) == ("_summary", "count")
    else:
        query.unknown.append(name)


def _whole(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise FhirError(400, "value", f"{name} must be a whole number, not {text!r}")
    return int(text) if name == "_offset" else min(int(text), LARGEST_PAGE)


def _include(query: Query, text: str) -> None:
    kind, _, rest = text.partition(":")
    name, _, target = rest.partition(":")
    parameter = catalogue().get(kind, {}).get(name)
    if kind == query.kind and parameter and parameter.kind == "reference":
        query.includes.append((parameter, target))
    else:
        query.unknown.append(f"_include={text}")


def _sort(query: Query, known: dict[str, Parameter], text: str) -> None:
    for part in text.split(","):
        parameter = known.get(part.lstrip("-"))
        if parameter:
            query.sort.append((parameter, part.startswith("-")))
        else:
            query.unknown.append(f"_sort={part}")


def search(store: SandboxStore, query: Query, base: str) -> Resource:
    """Return one page of matches with what they include, as a searchset Bundle."""
    found = _found(store, query)
    size = 0 if query.only_total else query.count
    page = found[query.offset : query.offset + size]
    entries = [_entry(base, resource, "match") for resource in page]
    entries += [_entry(base, resource, "include") for resource in _included(store, query, page)]
    entries += _remark(query)
    bundle: Resource = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(found),
        "link": _links(query, base, bool(size) and query.offset + size < len(found)),
    }
    return bundle | ({"entry": entries} if entries else {})


def _found(store: SandboxStore, query: Query) -> list[Resource]:
    tests = [matcher(*asked) for asked in query.filters]
    found = [
        resource for resource in _candidates(store, query) if all(test(resource) for test in tests)
    ]
    for parameter, descending in reversed(query.sort):
        found.sort(key=lambda resource: _sort_key(parameter, resource), reverse=descending)
    return found


def _candidates(store: SandboxStore, query: Query) -> list[Resource]:
    """Narrow by the patient index where one patient is asked for by id."""
    for parameter, modifier, text in query.filters:
        narrow = parameter.name in PATIENT_PARAMETERS and "," not in text
        if narrow and parameter.paths[0][0] != "participant" and modifier in {"", "Patient"}:
            return store.of_patient(query.kind, text.rpartition("/")[2])
    return store.of_type(query.kind)


def _sort_key(parameter: Parameter, resource: Resource) -> str:
    value = next(parameter.values(resource), None)
    if parameter.kind == "date":
        held = span(value)
        return held[0].isoformat() if held else ""
    if isinstance(value, dict) and parameter.kind == "reference":
        return str(value.get("reference", ""))
    return next((code for _, code in tokens(value)), "")


def _included(store: SandboxStore, query: Query, page: Iterable[Resource]) -> Iterable[Resource]:
    found: dict[tuple[str, str], Resource] = {}
    for resource in page:
        for parameter, target in query.includes:
            for value in parameter.values(resource):
                kind, identity = _local(value)
                held = store.read(kind, identity)
                if held and target in {"", kind}:
                    found[kind, identity] = held
    return found.values()


def _local(value: Any) -> Pair:
    reference = value.get("reference") if isinstance(value, dict) else None
    parts = reference.split("/_history/")[0].split("/") if isinstance(reference, str) else []
    return (parts[-2], parts[-1]) if len(parts) > 1 else ("", "")


def _remark(query: Query) -> list[Resource]:
    if not query.unknown:
        return []
    text = f"ignored, not known for {query.kind}: {', '.join(query.unknown)}"
    remark = outcome("warning", "not-supported", text)
    url = uuid5(NAMESPACE_URL, text).urn
    return [{"fullUrl": url, "resource": remark, "search": {"mode": "outcome"}}]


def _links(query: Query, base: str, more: bool) -> list[Resource]:
    def link(relation: str, offset: int) -> Resource:
        pairs = [*query.pairs, *([("_offset", str(offset))] if offset else [])]
        tail = f"?{urlencode(pairs)}" if pairs else ""
        return {"relation": relation, "url": f"{base}/{query.kind}{tail}"}

    links = [link("self", query.offset)]
    return links + ([link("next", query.offset + query.count)] if more else [])


def _entry(base: str, resource: Resource, mode: str) -> Resource:
    url = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}
