"""How we call other servers: to addresses that may be called, and within one deadline each.

A server's name is checked before (`auth/addresses.py`); here its address is, at the moment of the
connection, so that a name that is made to point elsewhere leads nowhere. And a server that sends
its headers drop by drop holds nobody longer than one that is silent.
"""

from __future__ import annotations

import logging
import re
import select
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import Lock
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import certifi
import pycurl

from cds_service.failure import failure

log = logging.getLogger(__name__)

LOCAL = "localhost"
_NAT64 = ip_network("64:ff9b::/96")
# Where clouds tell a machine its own secrets, beside 169.254.169.254, which is link-local.
_METADATA = frozenset(
    map(
        ip_address,
        (
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
        ),
    )
)

Address = IPv4Address | IPv6Address

_IN_URLS = "!#$%&'()*+,/:;=?@[]~"
_UNPRINTABLE = re.compile(r"[^ -~]")
_STATUS = re.compile(rb"HTTP/[\d.]+ (\d{3})(?!\d)")
_STOP = -1
_QUICK_EXIT = 322  # CURLOPT_QUICK_EXIT, which pycurl does not name: wait for no look-up of a name
_TLS_FAULTS = frozenset(
    {
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CACERT_BADFILE,
    }
)
_ALWAYS: Mapping[int, Any] = {
    _QUICK_EXIT: 1,
    pycurl.MAXCONNECTS: 1,
    pycurl.ACCEPT_ENCODING: "gzip, deflate",
    pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
    pycurl.NOSIGNAL: 1,  # which only a main thread could take
    pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
    pycurl.PROXY: "",  # not one of the environment either
    pycurl.USERAGENT: "massage-cds",
}
_CALLED = (pycurl.OPENSOCKETFUNCTION, pycurl.HEADERFUNCTION, pycurl.WRITEFUNCTION)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: a body only with status 200, `location` where it sends us instead."""

    status: int
    body: bytes
    location: str | None = None


Reason = Literal["timeout", "not-allowed", "too-large", "truncated", "connection"]
"""Why there is no answer: "not-allowed" where the name leads to an address that may not be called,
"truncated" where it ended too early."""


class TransportError(Exception):
    """A request that brought no answer."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class Session:
    """Asks with GET over connections that it keeps, and adds nothing of its own.

    No cookie, no proxy, no .netrc, and no redirect is followed. `ca_file` is the path of the
    certificates that other servers' are checked with; without it they are certifi's. At most
    `connections` wait for their next use.
    """

    def __init__(
        self,
        connections: int = 32,
        ca_file: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._most_idle = connections
        self._ca_file = ca_file or certifi.where()
        self._headers = dict(headers or {})
        self._idle: list[_Line] = []
        self._lock = Lock()

    def get(
        self,
        url: str,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        *,
        most_bytes: int,
    ) -> Answer:
        """Return the answer; raises TransportError.

        `timeout` are the seconds for connection and answer together, `most_bytes` how long a body
        may be, unpacked.
        """
        parts = urlsplit(url)
        line = self._line(f"{parts.scheme}://{parts.netloc}")
        try:
            return line.get(url, timeout, {**self._headers, **(headers or {})}, most_bytes)
        finally:
            self._keep(line)

    def _line(self, origin: str) -> _Line:
        while line := self._waiting(origin):
            if line.is_quiet():
                return line
            line.close()
        return _Line(origin, self._ca_file)

    def _waiting(self, origin: str) -> _Line | None:
        """Return the line of an origin used last: its connection is the likeliest to be open."""
        with self._lock:
            places = range(len(self._idle) - 1, -1, -1)
            place = next((one for one in places if self._idle[one].origin == origin), None)
            return None if place is None else self._idle.pop(place)

    def _keep(self, line: _Line) -> None:
        with self._lock:
            self._idle.append(line)
            oldest = self._idle.pop(0) if len(self._idle) > self._most_idle else None
        if oldest:
            oldest.close()


class _Line:
    """A handle of libcurl with its connection to one origin, for one request at a time."""

    def __init__(self, origin: str, ca_file: str) -> None:
        self.origin = origin
        self._curl = pycurl.Curl()
        for option, value in _ALWAYS.items():
            self._curl.setopt(option, value)
        self._curl.setopt(pycurl.CAINFO, ca_file)

    def is_quiet(self) -> bool:
        """Whether nobody speaks on the connection unasked.

        What a server sends too much would be taken for the answer to the next query: libcurl looks
        only at connections that have been idle for a while.
        """
        number = self._curl.getinfo(pycurl.ACTIVESOCKET)
        if number < 0:
            return True
        waiting = select.poll()
        waiting.register(number, select.POLLIN)
        return not waiting.poll(0)

    def get(self, url: str, timeout: float, headers: Mapping[str, str], most: int) -> Answer:
        asked = _Asked(urlsplit(url).hostname or "", most)
        try:
            self._prepare(url, timeout, headers, asked)
            self._curl.perform()
        except pycurl.error as error:
            code = int(error.args[0])
            if code in _TLS_FAULTS:
                log.warning("%s: TLS failed (libcurl error %d)", self.origin, code)
            if asked.wants_body:
                raise TransportError(asked.reason(code)) from None
        finally:  # the next request gets nothing of this one
            self._curl.setopt(pycurl.URL, "")
            for option in (pycurl.HTTPHEADER, *_CALLED):
                self._curl.unsetopt(option)
        return asked.answer()

    def _prepare(self, url: str, timeout: float, headers: Mapping[str, str], asked: _Asked) -> None:
        self._curl.setopt(pycurl.URL, quote(url, safe=_IN_URLS))
        self._curl.setopt(pycurl.HTTPHEADER, [_header(*one) for one in headers.items()])
        self._curl.setopt(pycurl.TIMEOUT_MS, max(1, round(timeout * 1000)))
        for option, called in zip(
            _CALLED, (asked.open, asked.take_header, asked.take), strict=True
        ):
            self._curl.setopt(option, called)

    def close(self) -> None:
        self._curl.close()


def may_connect(host: str, address: str) -> bool:
    """Whether a host, as it is listed, may be reached at an address.

    A host that is itself an address may be, for it is listed as such. A name may lie in a private
    network, where hospitals have their servers; it never leads to this machine (save "localhost",
    which leads nowhere else), to link-local or multicast addresses, or to a cloud's metadata.
    """
    if _address(host.strip("[]")) is not None:
        return True
    found = _address(address.partition("%")[0])
    if found is None:
        return False
    if host.lower().rstrip(".") == LOCAL:
        return found.is_loopback
    special = found.is_loopback or found.is_link_local or found.is_unspecified
    return not (special or found.is_multicast or found in _METADATA)


def _address(text: str) -> Address | None:
    """Return an address, and of one that stands for another in IPv6 that other one."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv4Address):
        return found
    if found in _NAT64:
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found


class _Asked:
    """One request under way, as libcurl tells of it."""

    def __init__(self, host: str, most: int) -> None:
        self._host, self._most = host, most
        self._status = 0
        self._body = bytearray()
        self._location: str | None = None
        self._fault: Reason | None = None

    @property
    def wants_body(self) -> bool:
        """Whether the answer is of use with its whole body only."""
        return self._status <= 200

    def open(self, _: int, to: tuple[int, int, int, tuple[Any, ...]]) -> socket.socket | int:
        *kind, address = to
        if not may_connect(self._host, _text(address[0])):
            log.warning("%s leads to an address that may not be called", self._host)
            self._fault = "not-allowed"
            return pycurl.SOCKET_BAD
        try:
            made = socket.socket(*kind)
        except OSError as error:
            log.error("no connection can be made: %s", failure(error))
            return pycurl.SOCKET_BAD
        self._fault = None  # whatever became of other addresses of the name
        return made

    def take_header(self, line: bytes) -> int | None:
        name, _, value = line.partition(b":")
        if status := _STATUS.match(line):
            self._status = int(status[1])
        elif name.lower() == b"location":
            self._location = value.strip().decode("utf-8", "replace")
        elif not line.strip() and not self.wants_body:
            return _STOP
        return None

    def take(self, part: bytes) -> int | None:
        self._body += part
        if len(self._body) > self._most:
            self._fault = "too-large"
            return _STOP
        return None

    def reason(self, code: int) -> Reason:
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return "timeout"
        cut = self._body or code == pycurl.E_PARTIAL_FILE
        return self._fault or ("truncated" if cut else "connection")

    def answer(self) -> Answer:
        return Answer(self._status, bytes(self._body), self._location)


def _text(address: str | bytes) -> str:
    return address if isinstance(address, str) else address.decode("ascii")


def _header(name: str, value: str) -> str:
    if _UNPRINTABLE.search(value):
        raise TransportError("not-allowed")
    return f"{name}: {value}"
