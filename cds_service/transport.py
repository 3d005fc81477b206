"""How we call other servers: to addresses that may be called, and within one deadline each.

A server's name is checked before (`auth/addresses.py`); here its address is, at the moment of the
connection, so that a name that is made to point elsewhere leads nowhere. And a server that sends
its headers drop by drop holds nobody longer than one that is silent.
"""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Mapping
from functools import partial
from http.client import HTTPResponse
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from time import monotonic
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from requests.utils import default_headers
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.util import Timeout

log = logging.getLogger(__name__)

LOCAL = "localhost"
_NAT64 = ip_network("64:ff9b::/96")
# Where clouds tell a machine its own secrets, beside 169.254.169.254, which is link-local.
_METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")))

Address = IPv4Address | IPv6Address


class Session:
    """Asks with GET over pooled connections, and adds nothing of its own.

    No cookie, no proxy, no .netrc, and no redirect is followed: a `requests.Session` that is told
    all that still spends most of its time on finding out, and reads the whole body of a redirect,
    however long it is and however slowly it comes. `verify` is as in requests: True, or the path of
    a CA bundle.
    """

    def __init__(
        self,
        connections: int = 32,
        verify: bool | str = True,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        # below, urllib3 logs URLs with patient ids
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        self._verify = verify
        self._headers = {**default_headers(), **(headers or {})}
        self._adapter = GuardedAdapter(pool_connections=connections, pool_maxsize=connections)

    def get(
        self, url: str, timeout: float, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """Return the answer with its body still to be read; raises requests.RequestException.

        `timeout` are the seconds for connection and answer together.
        """
        asked = requests.PreparedRequest()
        asked.prepare_method("GET")
        asked.prepare_url(url, None)
        asked.prepare_headers({**self._headers, **(headers or {})})
        together: Any = Timeout(total=timeout)
        return self._adapter.send(asked, stream=True, timeout=together, verify=self._verify)

    def close(self) -> None:
        """End all connections that wait in the pool."""
        self._adapter.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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


class RefusedAddressError(NewConnectionError):
    """A name that leads to an address that may not be called."""


class _Bounded(io.RawIOBase):
    """What a socket sends until a moment of `time.monotonic()`; then TimeoutError."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, ends: float) -> None:
        self._raw, self._sock, self._ends = raw, sock, ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends - monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    """An answer whose headers and body together have to arrive by `ends`."""

    def __init__(self, sock: socket.socket, *args: Any, ends: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Bounded(self.fp.detach(), sock, ends))


class _Guarded(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        if may_connect(self.host, sock.getpeername()[0]):
            return sock
        sock.close()
        log.warning("%s leads to an address that may not be called", self.host)
        raise RefusedAddressError(self, "the name leads to an address that may not be called")

    def getresponse(self) -> Any:
        # Each read has a timeout of its own in the standard library: a drop at a time beats it.
        if isinstance(self.timeout, int | float):
            ends = monotonic() + self.timeout
            bounded: Any = partial(_BoundedResponse, ends=ends)
            self.response_class = bounded
        return super().getresponse()


class _GuardedTls(_Guarded, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTls


class GuardedAdapter(HTTPAdapter):
    """Connects to addresses that may be called."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def is_refused(error: requests.ConnectionError) -> bool:
    """Whether a connection failed because its address may not be called."""
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), RefusedAddressError)
