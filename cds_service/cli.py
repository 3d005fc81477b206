"""The command massage-cds.

Exit codes: 0 good, 1 the input is bad or a check failed, 2 wrong usage.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import orjson

from cds_service import server
from cds_service.auth.addresses import is_loopback_host
from cds_service.console import kept, told
from cds_service.crd_report import crd
from cds_service.evaluation import Evaluation
from cds_service.hooks.errors import HookError
from cds_service.hooks.request import HookRequest, parse_json, parse_request
from cds_service.policies import commands
from cds_service.policy_tests import stories
from cds_service.reasoning import outline
from cds_service.services import explain as review_once
from cds_service.services import rules_of, site_of
from cds_service.settings import load_settings

DEMO_HOST = "127.0.0.1"
PORT = click.IntRange(1, 65535)
DAY = click.DateTime(["%Y-%m-%d"])
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

port_option = click.option(
    "--port",
    type=PORT,
    default=8080,
    envvar="PORT",
    show_default=True,
    show_envvar=True,
    help="Port to listen on.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="massage-cds")
def main() -> None:
    """Decision support for massage-therapy orders over CDS Hooks."""


main.add_command(crd)


@main.command()
@port_option
@told
def demo(port: int) -> None:
    """Start page, services and sandbox FHIR server on this machine, open to it alone."""
    url = server.base_url(DEMO_HOST, port)
    greeting = f"massage-cds demo: {url}/  (services {url}/cds-services, FHIR {url}/fhir)"
    # What a demo keeps goes with it: yesterday's acknowledgement would puzzle today's visitor.
    with TemporaryDirectory(prefix="massage-cds-") as folder:
        os.environ.setdefault(server.STATE, folder)
        server.run("demo_app", DEMO_HOST, port, greeting=greeting)


@main.command()
@click.option("--host", default=DEMO_HOST, show_default=True, help="Address to listen on.")
@port_option
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Worker processes, each with a thread for each call; one for each core serves best.",
)
@click.option(
    "--open",
    "open_access",
    is_flag=True,
    help="Need no token and read FHIR servers on this machine; listens on loopback alone.",
)
@told
def serve(host: str, port: int, workers: int, open_access: bool) -> None:
    """Start the services for production, without page and sandbox."""
    url = server.base_url(host, port)
    if not open_access:
        greeting = f"massage-cds: {url}/cds-services, for registered clients"
        server.run("client_app", host, port, greeting=greeting, workers=workers)
        return
    if not is_loopback_host(host):
        words = f"--open serves this machine alone and {host} is reached from others: "
        raise click.UsageError(words + f"leave --host out or write {DEMO_HOST}")
    greeting = f"massage-cds: {url}/cds-services, open to this machine"
    server.run("open_app", host, port, greeting=greeting, workers=workers)


@main.command()
@click.argument("request", type=FILE)
@click.option("--record", type=FILE, help="Bundle with the patient's record, in place of a server.")
@click.option("--json", "as_json", is_flag=True, help="Print the evaluations as JSON.")
@told
def explain(request: Path, record: Path | None, as_json: bool) -> None:
    """Show the whole reasoning about one hook request in the file REQUEST."""
    found = review_once(_hook_request(request), _bundle(record) if record else None)
    click.echo(_as_json(found) if as_json else outline(found) or "No order is in scope.")


def _hook_request(path: Path) -> HookRequest:
    try:
        return parse_request(path.read_bytes())
    except HookError as error:
        place = f" at {error.expression}" if error.expression else ""
        raise click.ClickException(f"{path}{place}: {error.diagnostics}") from None


def _bundle(path: Path) -> dict[str, Any]:
    try:
        bundle = parse_json(path.read_bytes())
    except HookError as error:
        raise click.ClickException(f"{path}: {error.diagnostics}") from None
    if bundle.get("resourceType") != "Bundle":
        words = "resourceType is not Bundle: write the patient's resources into one Bundle."
        raise click.ClickException(f"{path}: {words}")
    return bundle


def _as_json(evaluations: list[Evaluation]) -> str:
    shown = [evaluation.as_json() for evaluation in evaluations]
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()


@main.group()
def policies() -> None:
    """List, show, check and test the policies."""


@policies.command("list")
@told
def list_policies() -> None:
    """List all policies, their versions and how many numbers await a sign-off."""
    click.echo(commands.listing(rules_of(load_settings()).library))


@policies.command()
@click.argument("policy", metavar="ID")
@click.option("--version", help="One version; the newest where this is left out.")
@told
def show(policy: str, version: str | None) -> None:
    """Show the policy ID: its rules with citations, its numbers and where they come from."""
    library = rules_of(load_settings()).library
    click.echo(commands.shown(commands.chosen(library, policy, version)))


@policies.command()
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=FILE)
@told
def check(paths: tuple[Path, ...]) -> None:
    """Check policy files; say for each problem where it is and what to write instead."""
    found = commands.checked(paths)
    for name, problems in found.items():
        click.echo("\n".join(map(str, problems)) if problems else f"{name}: ok")
    _fail_if(sum(map(len, found.values())), "problem", "problems")


@policies.command()
@click.argument("policy", metavar="[ID]", required=False)
@told
def test(policy: str | None) -> None:
    """Run the stories beside the policies, or beside the policy ID, and show what differs."""
    settings = load_settings()
    rules = rules_of(settings)
    tests = stories.read_tests(stories.story_files(settings.policies), policy)
    if not tests:
        raise click.ClickException(f"no stories for {policy or 'any policy'} in library/tests")
    failed = [run for one in tests if (run := stories.run_test(one, rules)).differences]
    for run in failed:
        click.echo(stories.told(run) + "\n")
    click.echo(f"{len(tests)} stories, {len(tests) - len(failed)} as expected")
    _fail_if(len(failed), "story failed", "stories failed")


@main.group()
def site() -> None:
    """Work on the file that maps a site's own codes."""


@site.command("check")
@click.argument("path", metavar="FILE", type=FILE)
@told
def check_site(path: Path) -> None:
    """Check the site file FILE; say for each problem where it is and what to write instead."""
    found = site_of(load_settings(), path)
    click.echo(f"{path}: ok, {found.told}")


def _fail_if(count: int, one: str, several: str) -> None:
    if count:
        raise click.ClickException(f"{count} {one if count == 1 else several}")


@main.group()
def store() -> None:
    """Bring the store up to date, count what is in it, delete what is old."""


@store.command("migrate")
@told
def migrate_store() -> None:
    """Bring the tables up to date; the service does so itself when it starts."""
    with kept() as database:
        database.recover()
    click.echo("the tables are up to date")


@store.command("status")
@told
def store_status() -> None:
    """Count what is kept."""
    from cds_service.store.upkeep import note_access, status  # noqa: PLC0415

    with kept() as database:
        found = status(database)
        click.echo(_table(found))
        if not found["revisions behind"]:
            note_access(database, "status", "")


@store.command("access")
@click.option("--most", type=click.IntRange(1), default=100, show_default=True, help="Lines.")
@told
def store_access(most: int) -> None:
    """List who looked at or removed what is kept, newest first."""
    from cds_service.store.upkeep import accesses, note_access  # noqa: PLC0415

    with kept() as database:
        database.recover()
        for moment, actor, action, detail in accesses(database, most):
            click.echo(f"{moment:%Y-%m-%d %H:%M:%S}Z  {actor}  {action}  {detail}".rstrip())
        note_access(database, "access", "")


@store.command("prune")
@click.option("--days", type=click.IntRange(1), help="In place of the setting RETENTION.")
@told
def prune_store(days: int | None) -> None:
    """Delete what is older than the retention; acknowledgements stay as long as they act."""
    from cds_service.store.upkeep import prune  # noqa: PLC0415

    settings = load_settings()
    before = datetime.now(UTC) - timedelta(days=days or settings.retention)
    with kept() as database:
        database.recover()
        click.echo(_table(prune(database, before)))


@store.command("insight")
@click.option("--from", "first", type=DAY, help="First day, at the site.")
@click.option("--to", "last", type=DAY, help="Last day, included.")
@click.option("--service", help="One service; all where this is left out.")
@click.option("--csv", "as_table", is_flag=True, help="Print one table as CSV.")
@told
def store_insight(
    first: datetime | None, last: datetime | None, service: str | None, as_table: bool
) -> None:
    """Tell what many answers came to: determinations, missing items, red flags, overrides, time.

    Counts only, and none below the setting INSIGHT_LEAST.
    """
    from cds_service import insight as tables  # noqa: PLC0415
    from cds_service.store.insight import insight, span_of  # noqa: PLC0415
    from cds_service.store.upkeep import note_access  # noqa: PLC0415

    settings = load_settings()
    days = (moment.date() if moment else None for moment in (first, last))
    span = span_of(*days, service=service, zone=settings.timezone)
    teller = tables.Teller(rules_of(settings).library, settings.insight_least)
    with kept() as database:
        database.recover()
        found = database.run(lambda connection: insight(connection, span))
        note_access(database, "insight", f"{first or ''} to {last or ''} {service or ''}".strip())
    sections = teller.sections(found)
    click.echo(tables.as_csv(sections) if as_table else teller.text(found, sections), nl=False)


def _table(counts: Mapping[str, int]) -> str:
    width = max(map(len, counts))
    return "\n".join(f"{name:{width}}  {count}" for name, count in counts.items())
