"""The service with time to read a server that shares its machine with all other tests."""

import pytest

from cds_service.app import create_app
from cds_service.settings import load_settings
from tests.live import Service, serve

UNHURRIED = {"MASSAGE_CDS_DEADLINE": "30"}


@pytest.fixture(scope="session")
def unhurried():
    """The real service, whose answers depend on no clock."""
    app = create_app(load_settings(UNHURRIED), open_access=True, demo=False)
    with serve(app) as url:
        yield Service(url)
