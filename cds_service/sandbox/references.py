"""References inside a Bundle, once its resources get ids of this server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Entry = Mapping[str, Any]


def renamed_references(created: Iterable[tuple[Entry, str]]) -> dict[str, str]:
    """Map what a Bundle calls its resources to their references here.

    `created` are entries with the ids that their resources get.
    """
    renamed: dict[str, str] = {}
    for entry, identity in created:
        resource = entry["resource"]
        real = f"{resource.get('resourceType')}/{identity}"
        renamed |= dict.fromkeys(_names(entry, resource), real)
    return renamed


def _names(entry: Entry, resource: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(entry.get("fullUrl"), str):
        yield entry["fullUrl"]
    if isinstance(resource.get("id"), str):
        yield f"{resource.get('resourceType')}/{resource['id']}"


def with_references(value: Any, renamed: Mapping[str, str]) -> Any:
    """Return a copy of a resource whose references are renamed."""
    if isinstance(value, list):
        return [with_references(item, renamed) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {name: with_references(item, renamed) for name, item in value.items()}
    reference = copy.get("reference")
    if isinstance(reference, str) and reference in renamed:
        copy["reference"] = renamed[reference]
    return copy
