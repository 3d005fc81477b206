"""References inside a Bundle, once its resources get ids of this server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Entry = Mapping[str, Any]
Rename = Callable[[str], str]


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


def renaming(renamed: Mapping[str, str], *, anywhere: bool = False) -> Rename:
    """Return what gives a reference its new name; `anywhere` also those by a server's full URL."""

    def rename(reference: str) -> str:
        if reference in renamed or not anywhere:
            return renamed.get(reference, reference)
        local = "/".join(reference.split("/_history/", maxsplit=1)[0].split("/")[-2:])
        return renamed.get(local, reference)

    return rename


def with_references(value: Any, rename: Rename) -> Any:
    """Return a copy of a resource whose references are renamed."""
    if isinstance(value, list):
        return [with_references(item, rename) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {name: with_references(item, rename) for name, item in value.items()}
    reference = copy.get("reference")
    if isinstance(reference, str):
        copy["reference"] = rename(reference)
    return copy
