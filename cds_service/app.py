"""The application: puts the rooms together, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

import fhir_fixtures
from cds_service.guidance import caller_of
from cds_service.hooks import cors, errors
from cds_service.hooks.blueprint import blueprint
from cds_service.hooks.documents import documents
from cds_service.hooks.errors import HookError
from cds_service.hooks.feedback import FeedbackEntry, FeedbackSink
from cds_service.hooks.servers import is_loopback, no_server
from cds_service.hooks.service import Registry
from cds_service.questionnaires import CANONICAL_BASE, questionnaire_blueprint
from cds_service.services import build_services
from cds_service.settings import Settings
from cds_service.store import NullStore, Store

PACKAGE = "massage-cds"


def create_app(
    settings: Settings, *, open_access: bool, demo: bool, store: Store | None = None
) -> Flask:
    """Return the WSGI application; without a store nothing that was answered is kept.

    `open_access` and `demo` need no token, may read loopback FHIR servers and are reached from this
    machine alone; `demo` adds the page and the sandbox FHIR server. Without both no FHIR server may
    be read: what prefetch lacks is a hole.
    """
    app = Flask("cds_service", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    local = open_access or demo
    if local:
        app.before_request(_refuse_other_names)
    errors.install(app)
    cors.install(app, allowed_origin(settings, demo=demo))
    kept = store or NullStore()
    registry = _add_hooks(app, settings, is_loopback if local else no_server, kept)
    app.register_blueprint(documents(registry, version=version(PACKAGE), open_access=local))
    app.register_blueprint(questionnaire_blueprint(settings.canonical_base or CANONICAL_BASE))
    _add_health(app, kept)
    if demo:
        _add_demo(app)
    return app


def allowed_origin(settings: Settings, *, demo: bool) -> Callable[[str], bool]:
    """Return which web pages may read answers: the settings' own, in the demo local ones too."""
    listed = frozenset(settings.cors_origins)
    return lambda origin: origin.lower() in listed or (demo and is_loopback(origin))


def today_at(settings: Settings) -> Callable[[], date]:
    """Return the clock of the site."""
    return lambda: datetime.now(settings.timezone).date()


def _add_hooks(
    app: Flask, settings: Settings, allowed_server: Callable[[str], bool], store: Store
) -> Registry:
    today = today_at(settings)
    services = build_services(settings, today, allowed_server=allowed_server, store=store)
    registry = Registry(services)
    app.register_blueprint(
        blueprint(
            registry,
            max_body=settings.max_body,
            hook_version=settings.hook_version,
            feedback=_feedback_into(store),
        )
    )
    return registry


def _feedback_into(store: Store) -> FeedbackSink:
    def keep(service: str, client: Any, entries: Sequence[FeedbackEntry]) -> None:
        store.feedback(service, caller_of(client), entries)

    return keep


def _add_demo(app: Flask) -> None:
    # Imported here so that a production server never loads the demo.
    from cds_service.sandbox import SandboxStore, sandbox_blueprint  # noqa: PLC0415
    from cds_service.web import web_blueprint  # noqa: PLC0415

    store = SandboxStore.from_folder(Path(fhir_fixtures.__file__).parent)
    app.register_blueprint(sandbox_blueprint(store))
    app.register_blueprint(web_blueprint(store))


def _refuse_other_names() -> None:
    """A web page elsewhere may point its own name at 127.0.0.1: it must not reach an open service.

    Flask's TRUSTED_HOSTS would do, if it knew IPv6 addresses.
    """
    if not is_loopback(f"http://{request.host}/"):
        words = "This service is open to its own machine alone: call it as 127.0.0.1 or localhost."
        raise HookError(403, "forbidden", words)


def _add_health(app: Flask, store: Store) -> None:
    """Liveness, and readiness with the store's health: guidance goes on while it is degraded."""

    def plain(told: Callable[[], str]) -> Callable[[], Response]:
        return lambda: Response(f"{told()}\n", content_type="text/plain")

    app.add_url_rule("/livez", "/livez", plain(lambda: "ok"))
    app.add_url_rule("/readyz", "/readyz", plain(store.health))
