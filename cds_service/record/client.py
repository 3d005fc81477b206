"""FHIR client: reads and searches within one base URL and one deadline; never raises.

Every failure is a short reason beside the data read before it.
"""

from __future__ import annotations

import logging
from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import orjson

from cds_service import transport
from cds_service.failure import failure
from cds_service.record.bundle import Entry, Page, page_of

log = logging.getLogger(__name__)

ACCEPT = "application/fhir+json"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_RETRY_FORM = ("http-400", "http-422")
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one call may cost: bytes of one body, pages of one search, references followed."""

    max_bytes: int = 16 * 1024 * 1024
    max_pages: int = 50
    max_references: int = 40


@dataclass(frozen=True, slots=True)
class Reading:
    """What a query brought: the entries, and why they are not all (None: they are)."""

    entries: Sequence[Entry] = ()
    reason: str | None = None


class FetchError(Exception):
    """A request that brought nothing; its text is the short reason."""


def fhir_session(connections: int = 32, ca_file: str | None = None) -> transport.Session:
    """Return the session the process shares; `ca_file` is as in `transport.Session`."""
    # HAPI answers a repeated search from memory for a minute unless told not to
    headers = {"Accept": ACCEPT, "Cache-Control": "no-cache"}
    return transport.Session(connections, ca_file, headers)


@dataclass(frozen=True)
class FhirClient:
    """One FHIR server for one call.

    `deadline` is in seconds of `clock`; no request outlives it. `token` is sent to this server's
    base URL only, and never kept.
    """

    base: str
    token: str | None = field(repr=False)
    session: transport.Session
    deadline: float
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], float] = monotonic

    def fetch(self, forms: Sequence[str]) -> Reading:
        """Return the answer to the first form; the next one is asked on 400 and 422 only."""
        reading = Reading()
        for form in forms:
            reading = self.follow(form)
            if reading.reason not in _RETRY_FORM:
                break
        return reading

    def follow(self, link: str, matches: int = 0) -> Reading:
        """Return all entries from a page on, through its `next` links.

        `matches` is how many of the search's total came with the pages before.
        """
        entries: list[Entry] = []
        seen: set[str] = set()
        next_url: str | None = link
        reduced = False
        while next_url:
            url = self._url(next_url)
            if url in seen or len(seen) >= self.limits.max_pages:
                return Reading(entries, "too-many-pages")
            seen.add(url)
            page, reason = self._page(url)
            if page is None:
                return Reading(entries, _cut_short(reason) if entries else reason)
            entries.extend(page.entries)
            matches += page.matches
            reduced = reduced or page.reduced
            if page.fault:
                return Reading(entries, f"outcome-{page.fault}")
            next_url, total = page.next_url, page.total or 0
        return Reading(entries, "truncated" if reduced or matches < total else None)

    def within(self, url: str) -> bool:
        """Whether a URL lies at or under the base, on the same origin."""
        try:
            base, target = urlsplit(self.base), urlsplit(url)
            if _origin(base) != _origin(target) or target.username is not None:
                return False
        except ValueError:
            return False
        path, root = unquote(target.path), unquote(base.path).rstrip("/")
        steps = unquote(path).replace("\\", "/").split("/")
        climbs = any(step.split(";")[0] in (".", "..") for step in steps)
        hides = "%2f" in target.path.removeprefix(base.path.rstrip("/")).lower()
        return not (climbs or hides) and (path.rstrip("/") == root or path.startswith(root + "/"))

    def _url(self, form: str) -> str:
        return _joined(self.base.rstrip("/") + "/", form)

    def _page(self, url: str) -> tuple[Page | None, str | None]:
        try:
            page = _answer_to(url, self._json(url))
        except FetchError as error:
            return None, str(error)
        except Exception as error:  # an unforeseen server must not cost the whole answer
            # Without message and traceback: both may hold the URL, which holds the patient's id.
            log.error("FHIR request failed unexpectedly: %s", failure(error))
            return None, "connection"
        return page, None if page else "not-fhir"

    def _json(self, url: str) -> Any:
        body = self._body(url).removeprefix(BOM_UTF8)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            text = body.strip()
            cut = text.startswith(b"{") and not text.endswith(b"}")
            raise FetchError("truncated" if cut else "not-json") from None

    def _body(self, url: str) -> bytes:
        for _ in range(2):
            answer = self._answer(url)
            if answer.status == 200:
                return answer.body
            if answer.status not in _REDIRECTS:
                raise FetchError(f"http-{answer.status}")
            url = _joined(url, answer.location or "")
        raise FetchError("not-allowed")

    def _answer(self, url: str) -> transport.Answer:
        if not self.within(url):
            raise FetchError("not-allowed")
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        most = self.limits.max_bytes
        try:
            return self.session.get(url, self._left(), headers, most_bytes=most)
        except transport.TransportError as error:
            raise FetchError(error.reason) from None

    def _left(self) -> float:
        left = self.deadline - self.clock()
        if left <= 0:
            raise FetchError("timeout")
        return left


def _answer_to(url: str, value: Any) -> Page | None:
    """Return the page a URL brought; a search has to bring a Bundle."""
    resource_type = value.get("resourceType") if isinstance(value, dict) else None
    if "?" in url and resource_type not in ("Bundle", "OperationOutcome"):
        return None
    return page_of(value)


def _joined(base: str, link: str) -> str:
    try:
        return urljoin(base, link)
    except ValueError:
        return link


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _DEFAULT_PORTS.get(url.scheme)


def _cut_short(reason: str | None) -> str:
    """Return the reason of a search whose later page failed: what stopped it, if it is telling."""
    return reason if reason in ("timeout", "not-allowed", "too-large") else "truncated"
