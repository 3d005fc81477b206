"""The demo: an EHR's page over a sandbox FHIR server, beside the services it calls."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from flask import Flask, Response, g

import fhir_fixtures
from cds_service.auth.addresses import is_base, is_loopback, lies_under
from cds_service.auth.signer import Signer
from cds_service.record.client import fhir_session
from cds_service.sandbox import SandboxStore, sandbox_blueprint
from cds_service.services import certificates
from cds_service.settings import Settings
from cds_service.web import Outside, web_blueprint

ISS = "https://massage-cds.example.org/demo-ehr"
"""Who the page's tokens are from; never a client of `serve`."""


def add_demo(app: Flask, settings: Settings, signer: Signer) -> None:
    """Add page and sandbox to an application that knows the signer's key."""
    store = SandboxStore.from_folder(Path(fhir_fixtures.__file__).parent)
    app.register_blueprint(sandbox_blueprint(store))
    page = web_blueprint(
        store, sign=signer.token, outside=_outside(settings), largest=settings.max_body
    )
    app.register_blueprint(page)
    _tell_time(app)


def _outside(settings: Settings) -> Outside:
    named = settings.demo_fhir_servers

    def allowed(base: str) -> bool:
        known = is_loopback(base) or any(lies_under(base, server) for server in named)
        return known and is_base(base)

    return Outside(fhir_session(ca_file=certificates(settings)), allowed, named)


def _tell_time(app: Flask) -> None:
    """Tell in each answer how long the server took, so that the page can set it apart."""

    @app.before_request
    def start() -> None:
        g.demo_started = perf_counter()

    @app.after_request
    def told(response: Response) -> Response:
        if "demo_started" in g:
            spent = (perf_counter() - g.demo_started) * 1000
            response.headers["Server-Timing"] = f"server;dur={spent:.1f}"
        return response
