"""The command `massage-cds crd`: what the CRD services gave, for metrics and for disputes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click
import orjson

from cds_service.console import kept, told
from cds_service.crd.metrics import KeptCall, metric_of
from cds_service.crd.options import HOOKS, service_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from cds_service.store.database import Database

T = TypeVar("T")
SERVICES = tuple(service_of(hook)["id"] for hook in HOOKS)
SHOWN = ("given", "client", "service", "hook_instance", "orders", "policies", "determinations")


@click.group()
def crd() -> None:
    """Tell what the services of Da Vinci CRD gave. Each look is noted in the store."""


@crd.command()
@click.option("--days", type=click.IntRange(1), default=30, show_default=True, help="How far back.")
@told
def metrics(days: int) -> None:
    """Print one CRDMetricData for each call, as JSON, one a line."""
    since = datetime.now(UTC) - timedelta(days=days)

    def lines(database: Database) -> list[bytes]:
        return database.run(lambda connection: [*metric_lines(connection, since)])

    for line in _looked_at("crd metrics", f"{days} days", lines):
        click.echo(line)


@crd.command()
@click.argument("name", metavar="ID")
@click.option("--json", "whole", is_flag=True, help="Print the calls whole, as JSON.")
@told
def trace(name: str, whole: bool) -> None:
    """Show which call first gave the coverage assertion, or the card, ID."""
    from cds_service.store.given import giving  # noqa: PLC0415

    found = _looked_at("crd trace", name, lambda one: one.run(lambda it: giving(it, name)))
    if not found:
        raise click.ClickException(f"nothing of id {name} was given, or it was pruned")
    for call in found:
        click.echo(orjson.dumps(call).decode() if whole else _shown(call))


def metric_lines(connection: Connection, since: datetime) -> Iterator[bytes]:
    """Yield the metrics of the calls since a moment, each as JSON."""
    from cds_service.store.given import calls  # noqa: PLC0415

    for call in calls(connection, SERVICES, since):
        yield orjson.dumps(metric_of(_kept(connection, call)))


def _kept(connection: Connection, call: Mapping[str, Any]) -> KeptCall:
    from cds_service.store.given import outcomes  # noqa: PLC0415

    cards = [card["uuid"] for card in call["response"].get("cards", ())]
    return KeptCall(
        hook=call["hook"],
        hook_instance=call["hook_instance"],
        given=call["given"],
        orders=tuple(call["orders"]),
        request=call["request"] or {},
        response=call["response"],
        outcomes=outcomes(connection, call["client"], cards),
    )


def _looked_at(action: str, detail: str, work: Callable[[Database], T]) -> T:
    """Do something with the database and note who looked."""
    from cds_service.store.upkeep import note_access  # noqa: PLC0415

    with kept() as database:
        database.recover()
        found = work(database)
        note_access(database, action, detail)
    return found


def _shown(call: Mapping[str, Any]) -> str:
    return "\n".join(f"{name:15}  {_text(call[name])}" for name in SHOWN)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
