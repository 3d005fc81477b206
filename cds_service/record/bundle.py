"""What a FHIR answer holds: entries, next page, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.record.queries import catalogue

Entry = Mapping[str, Any]
"""A Bundle entry; `resource` is known to be an object."""

_MILD = ("information", "warning")


@dataclass(frozen=True, slots=True)
class Page:
    """One Bundle, or one resource seen as a Bundle of one.

    `matches` counts the entries that count towards `total` (not included ones), whether they are
    readable or not. `fault` is the code of an OperationOutcome that says data is lacking, `reduced`
    tells whether a resource came without some of its data.
    """

    entries: Sequence[Entry]
    matches: int
    total: int | None = None
    next_url: str | None = None
    fault: str | None = None
    reduced: bool = False


def page_of(resource: Any) -> Page | None:
    """Return the page behind a JSON value; None when it is no FHIR resource we can use.

    Entries that are no objects are passed over, unless a Bundle holds nothing else.
    """
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        return None
    if resource["resourceType"] == "OperationOutcome":
        return Page((), 0, fault=issue_code(resource))
    if resource["resourceType"] != "Bundle":
        return Page(({"resource": resource},), 1, reduced=is_reduced(resource))
    entries = resource.get("entry")
    if entries is not None and not isinstance(entries, list):
        return None
    return _bundle_page(resource, entries or [])


def _bundle_page(bundle: Mapping[str, Any], entries: Sequence[Any]) -> Page | None:
    data: list[Entry] = []
    outcomes: list[Any] = []
    matches = 0
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        resource, search = entry.get("resource"), entry.get("search")
        mode = search.get("mode") if isinstance(search, dict) else None
        if mode == "outcome":
            outcomes.append(resource)
        elif isinstance(resource, dict):
            if resource.get("resourceType") == "OperationOutcome":
                outcomes.append(resource)
            else:
                data.append(entry)
                matches += mode != "include"
    if entries and not data and not outcomes:
        return None
    fault = next(filter(None, map(loss, outcomes)), None)
    reduced = any(is_reduced(entry["resource"]) for entry in data)
    return Page(data, matches, _total(bundle), next_link(bundle), fault, reduced)


def is_reduced(resource: Mapping[str, Any]) -> bool:
    """Whether a resource says that it came without some of its data."""
    meta = resource.get("meta")
    if not isinstance(meta, dict) or not ("tag" in meta or "security" in meta):
        return False
    listed = [labels for name in ("tag", "security") if isinstance(labels := meta.get(name), list)]
    codes = (label.get("code") for labels in listed for label in labels if isinstance(label, dict))
    return any(isinstance(code, str) and code in catalogue().reduced for code in codes)


def _total(bundle: Mapping[str, Any]) -> int | None:
    total = bundle.get("total")
    return total if isinstance(total, int) and not isinstance(total, bool) else None


def next_link(bundle: Mapping[str, Any]) -> str | None:
    """Return the URL of the next page as the Bundle writes it."""
    links = bundle.get("link")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("relation") == "next":
            url = link.get("url")
            return url if isinstance(url, str) and url else None
    return None


def loss(outcome: Any) -> str | None:
    """Return the issue code by which an OperationOutcome says that data is lacking, if any.

    Servers also put harmless notes into a search result ("parameter ignored", "nothing found").
    """
    issues = list(_issues(outcome))
    if issues and all(_harmless(issue) for issue in issues):
        return None
    return issue_code(outcome)


def issue_code(outcome: Any) -> str:
    """Return the code of the first grave issue, "error" where it is none that FHIR knows."""
    issues = sorted(_issues(outcome), key=lambda issue: issue.get("severity") in _MILD)
    code = issues[0].get("code") if issues else None
    return code if isinstance(code, str) and code in catalogue().issue_types else "error"


def _issues(outcome: Any) -> Iterator[Mapping[str, Any]]:
    issues = outcome.get("issue") if isinstance(outcome, dict) else None
    for issue in issues if isinstance(issues, list) else ():
        if isinstance(issue, dict):
            yield issue


def _harmless(issue: Mapping[str, Any]) -> bool:
    return issue.get("severity") in _MILD and issue.get("code") in catalogue().harmless_issues
