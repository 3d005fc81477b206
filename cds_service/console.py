"""What the commands share: errors in one line, and the database of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from cds_service.auth.register import ClientsError
from cds_service.guidance import setup_of
from cds_service.local import SiteError
from cds_service.policies.commands import UnknownPolicyError
from cds_service.policies.routing import PayersError
from cds_service.policies.source import PolicyError
from cds_service.server import AddressError
from cds_service.settings import SettingsError, load_settings
from cds_service.store import StoreError

if TYPE_CHECKING:
    from cds_service.store.database import Database

TOLD = (
    ClientsError,
    SettingsError,
    PayersError,
    PolicyError,
    SiteError,
    AddressError,
    StoreError,
    UnknownPolicyError,
)


def told(command: Callable[..., None]) -> Callable[..., None]:
    """Turn what the user can mend into one line and exit code 1."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except TOLD as error:
            raise click.ClickException(str(error)) from None

    return run


@contextmanager
def kept() -> Iterator[Database]:
    """Give the database that the settings name, and close it."""
    # Imported here: SQLAlchemy would make every other command slower to start.
    from cds_service.store.opening import database_of  # noqa: PLC0415

    database = database_of(setup_of(load_settings()))
    try:
        yield database
    finally:
        database.close()
