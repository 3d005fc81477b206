"""The demo's pages beside the EHR: what they ask, put together with the web."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from flask import Flask

from cds_service.exploring import Explorer
from cds_service.hooks.client import Client
from cds_service.services import reviewer_of
from cds_service.settings import Settings
from cds_service.store import Store
from cds_service.web.exploring import exploring_blueprint
from cds_service.web.navigation import navigation


def add_pages(
    app: Flask, settings: Settings, today: Callable[[], date], store: Store, client: Client
) -> None:
    """Add the pages; `client` is who the EHR's page calls as."""
    reviewer = reviewer_of(settings, today, store)
    explorer = Explorer(reviewer, client)
    app.context_processor(lambda: {"navigation": navigation()})
    app.register_blueprint(exploring_blueprint(explorer, max_body=settings.max_body))
