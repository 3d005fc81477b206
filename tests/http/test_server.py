"""The real command on a real port: it starts soon, stops soon and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from tempfile import TemporaryDirectory, TemporaryFile

import pytest

from tests.callers import Ehr, clients_file
from tests.live import free_port, http

COMMAND = [sys.executable, "-c", "from cds_service.cli import main; main()"]
SECONDS = 60


def answers(url):
    try:
        return http().get(url, timeout=1).status_code == 200
    except OSError:
        return False


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.05)


@contextmanager
def started(*arguments, **variables):
    with TemporaryDirectory() as state, TemporaryFile("w+", encoding="utf-8") as log:
        yield from _started(arguments, {"STATE": state} | variables, log)


def said(process):
    """Return what a process has written, whether it still runs or not."""
    process.log.seek(0)
    return process.log.read()


def _started(arguments, variables, log):
    port = free_port()
    environ = {k: v for k, v in os.environ.items() if not k.startswith("MASSAGE_CDS_")}
    environ |= {f"MASSAGE_CDS_{name}": str(value) for name, value in variables.items()}
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--port", str(port)],
        env=environ,
        stdout=log,  # a pipe that nobody empties stops the process when it is full
        stderr=subprocess.STDOUT,
    )
    process.log = log
    try:
        wait_for(lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}/readyz"))
        assert process.poll() is None, said(process)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(timeout=SECONDS)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_demo_starts_and_stops(how):
    with started("demo") as (process, url):
        assert answers(f"{url}/cds-services")
        assert answers(f"{url}/fhir/metadata")
        process.send_signal(how)
        process.wait(timeout=SECONDS)
        assert process.returncode == 0
        assert f"{url}/" in said(process)
        assert not answers(f"{url}/livez")


def test_the_open_server_has_no_sandbox():
    with started("serve", "--open", "--workers", "2") as (_, url):
        assert answers(f"{url}/cds-services")
        assert not answers(f"{url}/fhir/metadata")


def test_workers_end_with_a_killed_supervisor():
    with started("serve", "--open") as (process, url):
        process.kill()
        process.wait()
        wait_for(lambda: not answers(f"{url}/livez"))


def test_registered_clients_are_served_and_others_not(tmp_path):
    ehr = Ehr()
    path = clients_file(tmp_path, ehr)
    with started("serve", "--workers", "2", CLIENTS=path) as (_, url):
        address = f"{url}/cds-services"
        assert not answers(address)
        headers = ehr.bearer(address)
        statuses = [http().get(address, headers=headers, timeout=5).status_code for _ in range(6)]
        assert statuses == [200] + [401] * 5
        long = {"Authorization": f"Bearer {'x' * 1_000_000}"}
        assert refuses(address, long)
        assert http().get(address, headers=ehr.bearer(address), timeout=5).status_code == 200


def refuses(url, headers):
    """Whether a call is answered with 4xx, or its connection is closed on it."""
    try:
        return 400 <= http().get(url, headers=headers, timeout=5).status_code < 500
    except OSError:
        return True
