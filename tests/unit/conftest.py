"""Databases to keep things in, of each kind that a store knows."""

import pytest

from cds_service.store.opening import FILE
from tests.unit.store_help import opened


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """The URL of a database without tables; a store finds that of SQLite by itself."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / FILE}"
    return request.getfixturevalue("postgresql").new_database()


@pytest.fixture
def store(tmp_path, database_url):
    with opened(tmp_path, database_url) as made:
        yield made
