"""Runs the application in granian: one supervisor, worker processes, a thread for each call."""

from __future__ import annotations

import gc
import multiprocessing
import os
import socket
from multiprocessing.util import Finalize
from threading import Thread
from typing import TYPE_CHECKING

from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from cds_service.app import create_app
from cds_service.gateway import Gateway
from cds_service.guidance import setup_of
from cds_service.hooks.blueprint import ARRIVED
from cds_service.observe import logs
from cds_service.observe.folder import shared_folder
from cds_service.observing import OBSERVATION
from cds_service.settings import PREFIX, Settings, load_settings
from cds_service.store import StoreError

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess as ParentProcess

GC_THRESHOLD = 50_000
STOP_SECONDS = 3
HEAD_SECONDS = 10
BODY_SECONDS = 10
PUBLIC_URL = f"{PREFIX}PUBLIC_URL"
STATE = f"{PREFIX}STATE"
CLOSE = "massage-cds.close"
MEASUREMENTS = "metrics"


class AddressError(OSError):
    """An address that cannot be listened on: one line that says why and what to do."""


def demo_app() -> Gateway:
    """Return the demo's application; each worker process makes its own."""
    return _application(demo=True)


def open_app() -> Gateway:
    """Return the application of `serve --open`."""
    return _application()


def client_app() -> Gateway:
    """Return the application of `serve`, for registered clients."""
    return _application(open_access=False)


def _application(*, open_access: bool = True, demo: bool = False) -> Gateway:
    # Imported here: SQLAlchemy would make every other command slower to start.
    from cds_service.store.opening import open_store  # noqa: PLC0415

    settings = load_settings()
    store = open_store(setup_of(settings))
    app = create_app(settings, open_access=open_access, demo=demo, store=store)
    store.start()
    # What ends a worker process runs these, not atexit.
    app.extensions[CLOSE] = Finalize(None, store.close, exitpriority=1)
    return served(app, settings)


def served(app: Flask, settings: Settings) -> Gateway:
    """Prepare a worker process around its application; the supervisor stays as it is."""
    supervisor = multiprocessing.parent_process()
    if supervisor:
        Thread(target=_end_with, args=(supervisor,), daemon=True).start()
        if observation := app.extensions.get(OBSERVATION):
            observation.start()
        # Policies and value sets live as long as the process: collecting them again and again
        # makes single calls ten times slower.
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
    return Gateway(app, settings.threads, settings.max_body, BODY_SECONDS, note=ARRIVED)


def _end_with(supervisor: ParentProcess) -> None:
    """End the worker when its supervisor was killed: an orphan would hold the port."""
    supervisor.join()
    os._exit(1)


FACTORIES = {"demo_app": demo_app, "open_app": open_app, "client_app": client_app}


def check_address(host: str, port: int) -> None:
    """Raise AddressError unless the address is free.

    granian itself shares a port with another process in silence (SO_REUSEPORT), so that a second
    server would get some of the first one's calls.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        words = f"cannot listen on {host}:{port} ({error.strerror}): choose another with --port"
        raise AddressError(words) from None


def run(factory: str, host: str, port: int, *, greeting: str, workers: int = 1) -> None:
    """Serve a factory of this module until SIGTERM or ctrl-C, then stop within 3 seconds.

    `greeting` is printed once nothing stands in the way of the start.

    A worker that dies is replaced.

    Raises AddressError when the address is taken, SettingsError for a bad setting, ClientsError for
    bad clients, StoreError for a store that cannot be used: all before any worker starts.
    """
    settings = load_settings()
    form = settings.log_format or ("plain" if factory == "demo_app" else "json")
    logs.install(form, settings.log_level)
    check_address(host, port)
    if not is_anywhere(host):
        os.environ.setdefault(PUBLIC_URL, base_url(host, port))
    try:
        with shared_folder(settings.state / MEASUREMENTS):
            _serve(factory, host, port, greeting, workers)
    except OSError as error:
        if error.filename is None:  # of no file, so of nothing in the state folder
            raise
        words = f"{error.filename}: {error.strerror}: make it writable or set {STATE}"
        raise StoreError(words) from None


def _serve(factory: str, host: str, port: int, greeting: str, workers: int) -> None:
    # Built here once so that what cannot start fails in one place, not in every worker; closed, for
    # workers are forked from here and neither threads nor connections survive that.
    FACTORIES[factory]().app.extensions[CLOSE]()
    print(greeting, flush=True)
    serve(f"{__name__}:{factory}", host, port, workers)


def serve(target: str, host: str, port: int, workers: int) -> None:
    """Run the worker processes of a factory of a Gateway ("module:name")."""
    server = Granian(
        target,
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        workers=workers,
        http=HTTPModes.http1,  # over HTTP/2 neither the time nor the size of a head would be held
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_SECONDS * 1000),
        factory=True,
        websockets=False,
        workers_kill_timeout=STOP_SECONDS,
        respawn_failed_workers=True,
        log_level=LogLevels.error,
        log_dictconfig=logs.SERVER_CONFIG,
    )
    server.serve()


def is_anywhere(host: str) -> bool:
    """Whether a host stands for all addresses of this machine, and so is none to call it by."""
    return host.strip("[]") in ("0.0.0.0", "::")


def base_url(host: str, port: int) -> str:
    """Return the URL under which a local address is reached."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
