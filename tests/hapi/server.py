"""One HAPI FHIR JPA server for all processes of a test run, loaded once.

The server reads a named pipe that each process holds open for writing. When the last of them has
ended, however it ended, the pipe ends and the server with it.
"""

import fcntl
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from tests.hapi.charts import charts
from tests.java_tools import command
from tests.live import http

PATIENCE = 240  # seconds, on a machine that does much else
BATCH = 400  # resources of one transaction


class Hapi:
    """What a process knows of the server in a folder that all processes share."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.session = http()
        self.url = ""
        self._held = None

    def start(self):
        """Start the server, or join the one that runs; does not wait for it."""
        with self._alone():
            self._held = self._joined()
            if self._held is None:
                self._launch()

    def ready(self):
        """Wait until every chart is on the server; `url` is its base URL from then on."""
        if self._held is None:
            self.start()
        self.url = self._said()
        with self._alone():
            if not self._path("loaded").exists():
                self._load()
                self._path("loaded").touch()

    def leave(self):
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _path(self, name):
        return self.folder / name

    @contextmanager
    def _alone(self):
        with self._path("lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _joined(self):
        try:
            return os.open(self._path("pipe"), os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # no pipe yet, or nobody reads it any more
            return None

    def _launch(self):
        for name in ("pipe", "loaded"):
            self._path(name).unlink(missing_ok=True)
        os.mkfifo(self._path("pipe"))
        reading = os.open(self._path("pipe"), os.O_RDONLY | os.O_NONBLOCK)
        self._held = os.open(self._path("pipe"), os.O_WRONLY)
        os.set_blocking(reading, True)
        with self._path("out").open("wb") as out, self._path("log").open("wb") as log:
            subprocess.Popen(
                ["nice", "-n", "5", *command("HapiServer", "1500m")],
                stdin=reading,
                stdout=out,
                stderr=log,
                start_new_session=True,
            )
        os.close(reading)

    def _said(self):
        """Return the URL that the server prints when it is ready."""
        ends = time.monotonic() + PATIENCE
        while not (said := self._path("out").read_text()).endswith("\n"):
            assert self._runs(), self._complaint()
            assert time.monotonic() < ends, self._complaint()
            time.sleep(0.1)
        return said.strip()

    def _runs(self):
        try:
            os.write(self._held, b"\n")
        except BrokenPipeError:
            return False
        return True

    def _complaint(self):
        tail = self._path("log").read_text(errors="replace")[-3000:]
        return f"HAPI did not start within {PATIENCE} s:\n{tail}"

    def _load(self):
        for resources in charts():
            for first in range(0, len(resources), BATCH):
                self.put(resources[first : first + BATCH])

    def put(self, resources):
        """Store resources under their own ids."""
        entries = [{"resource": one, "request": _put(one)} for one in resources]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        answer = self.session.post(self.url, json=bundle, timeout=120)
        assert answer.ok, f"{answer.status_code} {answer.text[:2000]}"

    def delete(self, name):
        """Delete `Type/id`; a read of it is answered with 410 from then on."""
        answer = self.session.delete(f"{self.url}/{name}", timeout=30)
        assert answer.ok, f"{answer.status_code} {answer.text[:2000]}"


def _put(resource):
    return {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
