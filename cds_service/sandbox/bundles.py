"""Transaction and batch Bundles against the sandbox's store."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cds_service.sandbox.outcome import FhirError
from cds_service.sandbox.references import (
    Rename,
    renamed_references,
    renaming,
    with_references,
)
from cds_service.sandbox.search import parameters_of, parse, search
from cds_service.sandbox.store import Resource, SandboxStore, checked

ORDER = ("DELETE", "POST", "PUT", "GET")
STATUS = {200: "200 OK", 201: "201 Created", 204: "204 No Content"}

Entry = Mapping[str, Any]


def process(store: SandboxStore, bundle: Any, base: str) -> Resource:
    """Carry out a transaction (all or nothing) or batch and return the response Bundle.

    Raises FhirError when the Bundle, or an entry of a transaction, cannot be carried out.
    """
    kind = checked(bundle, "Bundle").get("type")
    if kind not in {"transaction", "batch"}:
        raise FhirError(400, "invalid", f"Bundle.type must be transaction or batch, not {kind}")
    whole = kind == "transaction"
    with store.transaction() if whole else nullcontext():
        answers = _answers(store, _entries(bundle), base, whole)
    return {"resourceType": "Bundle", "type": f"{kind}-response", "entry": answers}


def _entries(bundle: Entry) -> list[Entry]:
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise FhirError(400, "structure", "Bundle.entry must be a list of objects")
    return entries


def _answers(store: SandboxStore, entries: list[Entry], base: str, whole: bool) -> list[Resource]:
    identities = {index: store.new_id() for index, _ in enumerate(entries)}
    created = ((entries[at], key) for at, key in identities.items() if _creates(entries[at]))
    rename = renaming(renamed_references(created))
    answers: dict[int, Resource] = {}
    for index in sorted(identities, key=lambda place: _rank(entries[place])):
        try:
            answers[index] = _carry_out(store, entries[index], identities[index], rename, base)
        except FhirError as error:
            if whole:
                raise FhirError(error.status, error.code, f"entry {index}: {error.text}") from error
            answers[index] = {"response": {"status": str(error.status), "outcome": error.outcome()}}
    return [answers[index] for index in sorted(answers)]


def _rank(entry: Entry) -> int:
    method, _ = _request(entry)
    return ORDER.index(method) if method in ORDER else len(ORDER)


def _request(entry: Entry) -> tuple[str, str]:
    request = entry.get("request")
    request = request if isinstance(request, dict) else {}
    return str(request.get("method", "")), str(request.get("url", ""))


def _creates(entry: Entry) -> bool:
    return _request(entry)[0] == "POST" and isinstance(entry.get("resource"), dict)


def _carry_out(
    store: SandboxStore, entry: Entry, identity: str, rename: Rename, base: str
) -> Resource:
    method, address = _request(entry)
    url = urlsplit(address.removeprefix(f"{base}/"))
    kind, _, target = url.path.strip("/").partition("/")
    if method == "GET":
        return _get(store, kind, target, url.query, base)
    if url.query:
        raise FhirError(400, "not-supported", f"conditional {method} is not supported: {address}")
    parameters_of(kind)
    body = with_references(entry.get("resource"), rename)
    if method == "POST" and not target:
        return _done(store.create(checked(body, kind), identity), 201)
    if method == "PUT" and target:
        resource, new = store.update({**checked(body, kind), "id": target})
        return _done(resource, 201 if new else 200)
    if method == "DELETE" and target:
        store.delete(kind, target)
        return {"response": {"status": STATUS[204]}}
    raise FhirError(400, "invalid", f"request not understood: {method} {address}")


def _get(store: SandboxStore, kind: str, target: str, query: str, base: str) -> Resource:
    if not target:
        asked = parse(kind, parse_qsl(query, keep_blank_values=True))
        return {"resource": search(store, asked, base), "response": {"status": STATUS[200]}}
    resource = store.read(kind, target)
    if resource is None:
        raise FhirError(404, "not-found", f"{kind}/{target} is not known")
    return {"resource": resource, "response": {"status": STATUS[200]}}


def _done(resource: Resource, status: int) -> Resource:
    meta = resource["meta"]
    location = f"{resource['resourceType']}/{resource['id']}/_history/{meta['versionId']}"
    return {
        "resource": resource,
        "response": {
            "status": STATUS[status],
            "location": location,
            "etag": f'W/"{meta["versionId"]}"',
            "lastModified": meta["lastUpdated"],
        },
    }
