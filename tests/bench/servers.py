"""Servers under test, each with its worker processes: how soon ready, how much CPU and memory."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cds_service.settings import PREFIX
from tests.live import free_port, http

OURS = "from cds_service.cli import main; main()"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PATIENCE = 60


@dataclass(frozen=True)
class Server:
    """A running server; `ready` are the seconds from its start to its first answer."""

    url: str
    process: int
    ready: float

    def workers(self):
        """Return the process ids of the workers, which do the work."""
        listed = Path(f"/proc/{self.process}/task/{self.process}/children")
        return [int(pid) for pid in listed.read_text(encoding="ascii").split()]

    def cpu(self):
        """Return CPU seconds that all workers have used."""
        return sum(_cpu(pid) for pid in self.workers())

    def memory(self):
        """Return the resident megabytes of the largest worker."""
        return max(_pages(pid) for pid in self.workers()) * PAGE / 1e6


def _cpu(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _pages(pid):
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])


@contextmanager
def floor(workers):
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.floor", str(port), str(workers)]
    with _running(command, port, {}) as server:
        yield server


@contextmanager
def slow_fhir():
    """Run the FHIR server that takes its time."""
    port = free_port()
    with _running([sys.executable, "-m", "tests.bench.slow_fhir", str(port)], port, {}) as server:
        yield server


@contextmanager
def service(*options, workers=1, **variables):
    """Run `massage-cds serve` with its store in a folder of its own."""
    port = free_port()
    given = ["serve", *options, "--workers", str(workers), "--port", str(port)]
    with TemporaryDirectory() as state:
        named = {f"{PREFIX}{name}": str(value) for name, value in variables.items()}
        told = {f"{PREFIX}STATE": state} | named
        with _running([sys.executable, "-c", OURS, *given], port, told) as server:
            yield server


@contextmanager
def _running(command, port, variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    start = time.monotonic()
    process = subprocess.Popen(
        command, env=kept | variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _await(process, f"{url}/readyz")
        yield Server(url, process.pid, time.monotonic() - start)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def _await(process, url):
    session, end = http(), time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            if session.get(url, timeout=1).ok:
                return
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"{url} did not answer: start it by hand to see why")
