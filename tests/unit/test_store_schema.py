"""Migrations: from nothing to the tables of the code, by several at once, never from the future."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from cds_service.store import StoreError
from cds_service.store.database import Database
from cds_service.store.schema import migrate
from cds_service.store.tables import METADATA
from cds_service.store.upkeep import status
from tests.unit.store_help import opened


def test_they_build_the_tables_of_the_code(database_url):
    database = Database(database_url)
    assert database.behind()
    migrate(database.engine)
    assert database.behind() == []
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    database.close()


def test_several_may_ask_at_once(database_url):
    databases = [Database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda database: migrate(database.engine), databases))
    assert set(METADATA.tables) < set(inspect(databases[0].engine).get_table_names())
    for database in databases:
        database.close()


def test_status_tells_how_far_behind(database_url):
    database = Database(database_url)
    assert status(database) == {"revisions behind": 2}
    migrate(database.engine)
    assert status(database)["revisions behind"] == 0
    database.close()


def test_a_database_of_a_newer_version_stops_the_start(database_url, tmp_path):
    database = Database(database_url)
    migrate(database.engine)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(StoreError, match=r"newer version.*9999"), opened(tmp_path, database_url):
        pass


def test_one_cut_short_leaves_nothing_behind(database_url, monkeypatch):
    upgrade = command.upgrade

    def die(*arguments):
        upgrade(*arguments)
        raise KeyboardInterrupt

    database = Database(database_url)
    monkeypatch.setattr(command, "upgrade", die)
    with pytest.raises(KeyboardInterrupt):
        migrate(database.engine)
    assert inspect(database.engine).get_table_names() == []
    monkeypatch.undo()
    migrate(database.engine)
    assert database.behind() == []
    database.close()
