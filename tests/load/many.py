"""Many calls at once without a thread for each, and a server that never answers."""

import json
import selectors
import socket
import threading
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

BACKLOG = 1024


@contextmanager
def silent_server():
    """Give the base URL of a FHIR server that never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/fhir"


def as_bytes(url, body):
    """Return a whole HTTP request for one hook call."""
    parts, data = urlsplit(url), json.dumps(body).encode()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class Answers:
    """Calls that have all been sent; `found` holds (seconds, status) of each answer so far."""

    def __init__(self, url, bodies):
        self.found = []
        self._began = time.perf_counter()
        self._open = selectors.DefaultSelector()
        self._heads = {}
        address = (urlsplit(url).hostname, urlsplit(url).port)
        for body in bodies:
            self._send(address, as_bytes(url, body))
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _send(self, address, message):
        connection = socket.create_connection(address)
        connection.sendall(message)
        connection.setblocking(False)
        self._heads[connection] = b""
        self._open.register(connection, selectors.EVENT_READ)

    def _read(self):
        while self._heads:
            for key, _ in self._open.select(1):
                self._take(key.fileobj)

    def _take(self, connection):
        try:
            told = connection.recv(65536)
        except ConnectionError:
            told = b""
        self._heads[connection] += told
        if not told:
            head = self._heads.pop(connection)
            status = int(head.split(b" ", 2)[1]) if head else 0
            self.found.append((time.perf_counter() - self._began, status))
            self._open.unregister(connection)
            connection.close()

    @property
    def waiting(self):
        return self._reader.is_alive()

    def all(self):
        """Wait for the rest and return what came."""
        self._reader.join()
        return self.found
