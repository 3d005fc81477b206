"""A WSGI application behind granian's RSGI: a call is taken in whole before a thread answers it.

Under granian's own WSGI a thread waits for a body as long as its client likes, so that a few dozen
slow clients stop a worker. Here the event loop waits, for so long and no longer.
"""

from __future__ import annotations

import sys
from asyncio import get_running_loop, timeout
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from time import monotonic
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestTimeout
from werkzeug.exceptions import ServiceUnavailable as Unavailable

if TYPE_CHECKING:
    from flask import Flask
    from granian._granian import RSGIHTTPProtocol as HTTPProtocol
    from granian.rsgi import Scope

Headers = list[tuple[str, str]]

BODILESS = ("GET", "HEAD", "OPTIONS")
CROWDED = "More is being sent than the service can hold: try again in a moment."
_OWN_NAMES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class Unread:
    """A body that did not come: whoever reads it learns why, as an HTTP error."""

    def __init__(self, error: HTTPException) -> None:
        self._error = error

    def read(self, *_: object) -> bytes:
        """Raise the error."""
        raise self._error

    readline = readlines = __iter__ = read


@dataclass
class Gateway:
    """Serves an application.

    `threads` calls are answered at the same time. A body has to arrive within `seconds`; of a
    longer one than `most` bytes the application sees `most` + 1 of them. All bodies on their way
    hold at most `threads` times `most` bytes: beyond that their calls are refused with 503. `note`
    is the name in the WSGI environment that tells when a call was there, as time.monotonic().
    """

    app: Flask
    threads: int
    most: int
    seconds: float
    note: str = "arrived"
    held: int = 0
    _pool: ThreadPoolExecutor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="call")

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer one call."""
        body = BytesIO() if scope.method in BODILESS else await self._taken_in(scope, protocol)
        environ = environ_of(scope, body) | {self.note: monotonic()}
        await get_running_loop().run_in_executor(self._pool, self._answer, environ, protocol)

    async def _taken_in(self, scope: Scope, protocol: HTTPProtocol) -> BytesIO | Unread:
        length = _length(scope)
        if length is not None and length > self.most:
            return BytesIO()  # the application refuses it by its length, so nobody need send it
        chunks: list[bytes] = []
        try:
            async with timeout(self.seconds):
                await self._receive(protocol, chunks)
        except TimeoutError:
            return Unread(RequestTimeout())
        except HTTPException as error:
            return Unread(error)
        finally:
            self.held -= sum(map(len, chunks))
        body = b"".join(chunks)
        return BytesIO(body) if length in (None, len(body)) else Unread(ClientDisconnected())

    async def _receive(self, protocol: HTTPProtocol, chunks: list[bytes]) -> None:
        left = self.most + 1
        async for chunk in protocol:
            chunks.append(bytes(chunk[:left]))
            left -= len(chunks[-1])
            self.held += len(chunks[-1])
            if self.held > self.threads * self.most:
                raise Unavailable(CROWDED, retry_after=1)
            if not left:
                return

    def _answer(self, environ: dict[str, Any], protocol: HTTPProtocol) -> None:
        head: list[tuple[int, Headers]] = []

        def start(status: str, headers: Headers, _: Any = None) -> Any:
            head.append((int(status.split(" ", 1)[0]), headers))

        try:
            body = _whole(self.app(environ, start))
        except Exception:
            # Flask answers its own errors; this is what even it did not foresee.
            protocol.response_empty(500, [])
            raise
        protocol.response_bytes(*head[-1], body)


def environ_of(scope: Scope, body: BytesIO | Unread) -> dict[str, Any]:
    """Return the WSGI environment of a call (PEP 3333)."""
    host, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if scope.authority:
        environ["HTTP_HOST"] = scope.authority
    for name, value in scope.headers.items():
        key = _OWN_NAMES.get(name) or f"HTTP_{name.replace('-', '_').upper()}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def _length(scope: Scope) -> int | None:
    told = scope.headers.get("content-length", "")
    return int(told) if told.isdecimal() else None


def _whole(answer: Iterable[bytes]) -> bytes:
    try:
        return b"".join(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()
