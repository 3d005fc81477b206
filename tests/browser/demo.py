"""The real `massage-cds demo` in a process of its own, for as long as a block lasts."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from tests.live import free_port, http

PATIENCE = 60
PAUSE = 0.05


@contextmanager
def running_demo():
    """Give the base URL of a demo on a free loopback port, with a store of its own."""
    port = free_port()
    command = [Path(sys.executable).with_name("massage-cds"), "demo", "--port", str(port)]
    with tempfile.TemporaryFile() as told, tempfile.TemporaryDirectory() as state:
        process = subprocess.Popen(
            command, stdout=told, stderr=subprocess.STDOUT, env=environment(state)
        )
        try:
            await_answer(f"http://127.0.0.1:{port}", process, told)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


def environment(state):
    """The settings of a newcomer: whatever else is set here is not theirs."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("MASSAGE_CDS_")}
    return own | {"MASSAGE_CDS_STATE": state}


def await_answer(url, process, told):
    deadline = time.monotonic() + PATIENCE
    session = http()
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if session.get(f"{url}/livez", timeout=1).ok:
                return
        except OSError:
            time.sleep(PAUSE)
    told.seek(0)
    raise AssertionError(f"the demo did not start: {told.read().decode()}")
