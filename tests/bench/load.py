"""A driver for HTTP load, in a process of its own: `python -m tests.bench.load`, told by stdin.

Each connection is a thread with a socket that is kept open: it sends a whole request, reads the
whole answer, and goes on at once. The service is called by `wrk` instead where that is installed.
"""

import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import orjson

HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
SCRIPT = """
local file = io.open("{body}", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "application/json"
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{{"calls":%d,"seconds":%f,"p50":%f,"p99":%f,"errors":%d}}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


class Connection(threading.Thread):
    """Sends requests until the time is over; `taken` are milliseconds of each."""

    def __init__(self, address, requests):
        super().__init__()
        self.requests, self.end = requests, 0.0
        self.taken, self.errors = [], 0
        self.socket = socket.create_connection(address, timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self):
        for request in self.requests:
            if time.monotonic() >= self.end:
                return
            start = time.perf_counter()
            self.socket.sendall(request)
            good = self._answered()
            self.taken.append((time.perf_counter() - start) * 1000)
            self.errors += not good

    def _answered(self):
        held = b""
        while HEAD_END not in held:
            held += self._more()
        head, _, body = held.partition(HEAD_END)
        left = int(LENGTH.search(head)[1]) - len(body)
        while left > 0:
            left -= len(self._more())
        return head.startswith(b"HTTP/1.1 200")

    def _more(self):
        part = self.socket.recv(1 << 16)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part


def forever(request):
    while True:
        yield request


def request_bytes(url, body, token=None):
    """Return a whole HTTP request."""
    parts = urlsplit(url)
    head = [
        f"POST {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join(head).encode() + HEAD_END + body


def drive(url, body, connections, seconds, tokens=()):
    """Return calls, seconds, p50, p99 in milliseconds and errors; each token serves one call."""
    parts = urlsplit(url)
    plain = request_bytes(url, body)
    own = [[request_bytes(url, body, one) for one in tokens[at::connections]] for at in range(16)]
    threads = [
        Connection((parts.hostname, parts.port), own[at] if tokens else forever(plain))
        for at in range(connections)
    ]
    start = time.monotonic()
    for thread in threads:
        thread.end = start + seconds
        thread.start()
    for thread in threads:
        thread.join()
    return figures(threads, time.monotonic() - start)


def figures(threads, seconds):
    taken = sorted(one for thread in threads for one in thread.taken)
    if not taken:
        return {"calls": 0, "seconds": seconds, "p50": 0.0, "p99": 0.0, "errors": 0}
    errors = sum(thread.errors for thread in threads)
    p50, p99 = statistics.median(taken), taken[min(len(taken) - 1, len(taken) * 99 // 100)]
    return {"calls": len(taken), "seconds": seconds, "p50": p50, "p99": p99, "errors": errors}


def loaded(url, body, connections, seconds, tokens=()):
    """Drive a service from another process, by wrk where it is installed and no token is needed."""
    if shutil.which("wrk") and not tokens:
        return _by_wrk(url, body, connections, seconds)
    told = {"url": url, "connections": connections, "seconds": seconds, "tokens": list(tokens)}
    given = orjson.dumps(told) + b"\n" + body
    command = [sys.executable, "-m", __name__]
    return json.loads(subprocess.run(command, input=given, capture_output=True, check=True).stdout)


def _by_wrk(url, body, connections, seconds):
    with TemporaryDirectory() as folder:
        script = Path(folder, "call.lua")
        Path(folder, "body.json").write_bytes(body)
        script.write_text(SCRIPT.format(body=Path(folder, "body.json")), encoding="utf-8")
        asked = [f"-d{max(1, round(seconds))}s", "-t1", f"-c{connections}", "--timeout", "60s"]
        told = subprocess.run(
            ["wrk", *asked, "-s", script, url], capture_output=True, check=True, text=True
        )
    return json.loads(told.stdout[told.stdout.rindex("{") :])


def main():
    told, _, body = sys.stdin.buffer.read().partition(b"\n")
    asked = orjson.loads(told)
    found = drive(asked["url"], body, asked["connections"], asked["seconds"], asked["tokens"])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
