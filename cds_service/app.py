"""The application: puts the rooms together, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from importlib.metadata import version
from typing import Any

from flask import Flask, request

from cds_service.auth.addresses import is_loopback
from cds_service.auth.client import OpenClient
from cds_service.auth.guard import Guard, OpenDoor, UnknownCallerError, WrongTenantError
from cds_service.auth.opening import Trust, bases_of, demo_door, guard_of
from cds_service.auth.register import ClientsError
from cds_service.auth.signer import Signer
from cds_service.crd.cards import Page
from cds_service.crd_pages import PREFIX, address, policy_pages
from cds_service.crd_services import CRD
from cds_service.guidance import caller_of
from cds_service.hooks import cors, errors
from cds_service.hooks.blueprint import blueprint
from cds_service.hooks.client import Client
from cds_service.hooks.documents import documents
from cds_service.hooks.errors import HookError
from cds_service.hooks.feedback import FeedbackEntry, FeedbackSink
from cds_service.hooks.service import Registry
from cds_service.observe import correlation
from cds_service.observing import Observation, known, watched
from cds_service.questionnaires import CANONICAL_BASE, questionnaire_blueprint
from cds_service.reviewer import Reviewer
from cds_service.services import build_services, certificates, reviewer_of
from cds_service.settings import Settings
from cds_service.store import NullStore, Store

PACKAGE = "massage-cds"
NO_CLIENTS = (
    "no client is registered, so every call would be refused: name a clients file in "
    "MASSAGE_CDS_CLIENTS, or start with --open, which needs no token and is reached from this "
    "machine alone"
)
NO_PUBLIC_URL = (
    "MASSAGE_CDS_PUBLIC_URL is not set: write the URL under which clients call, which their tokens "
    "must name as aud"
)

Door = Guard | OpenDoor


def create_app(
    settings: Settings, *, open_access: bool, demo: bool, store: Store | None = None
) -> Flask:
    """Return the WSGI application; without a store nothing that was answered is kept.

    `open_access` and `demo` need no token, may read loopback FHIR servers and are reached from this
    machine alone; `demo` adds the page and the sandbox FHIR server. Without both the settings name
    who may call and which FHIR servers may be read for each.

    Raises ClientsError when that is not said, or its files cannot be used.
    """
    local = open_access or demo
    app = _bare_app(allowed_origin(settings, demo=demo), local=local)
    kept = store or NullStore()
    signer = _signer() if demo else None
    door = _door(settings, kept, open_access=open_access, signer=signer)
    release = version(PACKAGE)
    observation = Observation(kept, release)
    reviewer = reviewer_of(settings, today_at(settings), kept)
    services = build_services(settings, reviewer, _policy_page(settings, local))
    registry = Registry(map(watched, services))
    _add_hooks(app, settings, registry, _caller_at(door, settings, observation), kept)
    bases = _bases(settings)
    app.register_blueprint(documents(registry, version=release, open_access=local, bases=bases))
    library = reviewer.rules.library
    if CRD in settings.families:
        app.register_blueprint(policy_pages(library))
    app.register_blueprint(questionnaire_blueprint(settings.canonical_base or CANONICAL_BASE))
    observation.install(app, [service.id for service in registry], library.ids())
    if signer:
        _add_demo(app, settings, signer, reviewer)
    return app


def _bare_app(allowed: Callable[[str], bool], *, local: bool) -> Flask:
    """Return an application without routes, with errors and origins answered as CDS Hooks asks."""
    app = Flask("cds_service", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    if local:
        app.before_request(_refuse_other_names)
    errors.install(app, correlation)
    cors.install(app, allowed)
    return app


def allowed_origin(settings: Settings, *, demo: bool) -> Callable[[str], bool]:
    """Return which web pages may read answers: the settings' own, in the demo local ones too."""
    listed = frozenset(settings.cors_origins)
    return lambda origin: origin.lower() in listed or (demo and is_loopback(origin))


def today_at(settings: Settings) -> Callable[[], date]:
    """Return the clock of the site."""
    return lambda: datetime.now(settings.timezone).date()


def _door(settings: Settings, store: Store, *, open_access: bool, signer: Signer | None) -> Door:
    trust = Trust(settings.jwks_grace, certificates(settings))
    if signer:
        return demo_door(trust, store.remember, signer, settings.demo_fhir_servers)
    if open_access:
        return OpenDoor()
    if settings.clients is None:
        raise ClientsError(NO_CLIENTS)
    if settings.public_url is None:
        raise ClientsError(NO_PUBLIC_URL)
    return guard_of(settings.clients, trust, store.remember)


def _caller_at(door: Door, settings: Settings, observation: Observation) -> Callable[..., Client]:
    """Return who made the current call, by the token for one of the paths it is given."""
    bases = bases_of(settings.public_url or "")

    def caller(*paths: str) -> Client:
        audience = [f"{base}{path}" for path in paths for base in bases]
        try:
            return known(door.authenticate(request.headers.get("Authorization"), audience))
        except UnknownCallerError as error:
            observation.refused(error.reason)
            words = "This call needs a valid token of a registered client."
            challenge = {"WWW-Authenticate": "Bearer"}
            raise HookError(401, "login", words, headers=challenge) from None
        except WrongTenantError:
            observation.refused("tenant")
            words = "This client is not registered for the tenant of its token."
            raise HookError(403, "forbidden", words) from None

    return caller


def _bases(settings: Settings) -> Mapping[str, str]:
    """Return the families of services that have a base URL of their own too, by its path."""
    return {PREFIX: CRD} if CRD in settings.families else {}


def _add_hooks(
    app: Flask,
    settings: Settings,
    registry: Registry,
    caller: Callable[..., Client],
    store: Store,
) -> None:
    for path, family in {"": None, **_bases(settings)}.items():
        offered = (one for one in registry if family in (None, one.family))
        routes = blueprint(
            Registry(offered),
            max_body=settings.max_body,
            hook_version=settings.hook_version,
            feedback=_feedback_into(store),
            guard=caller,
            name=f"hooks{path.replace('/', '-')}",
        )
        app.register_blueprint(routes, url_prefix=path or None)


def _policy_page(settings: Settings, local: bool) -> Page:
    """Return where a policy's page is; the Host header counts on this machine alone."""

    def page(policy: str) -> str | None:
        base = settings.public_url or (request.host_url if local else None)
        return address(base, policy) if base else None

    return page


def _feedback_into(store: Store) -> FeedbackSink:
    def keep(service: str, client: Any, entries: Sequence[FeedbackEntry]) -> None:
        store.feedback(service, caller_of(client), entries)

    return keep


def _signer() -> Signer:
    # Imported here so that a production server never loads the demo.
    from cds_service.demo import ISS  # noqa: PLC0415

    return Signer(ISS)


def _add_demo(app: Flask, settings: Settings, signer: Signer, reviewer: Reviewer) -> None:
    from cds_service.demo import add_demo  # noqa: PLC0415
    from cds_service.demo_pages import add_pages  # noqa: PLC0415

    add_demo(app, settings, signer)
    client = OpenClient(signer.iss, fhir_servers=settings.demo_fhir_servers)
    add_pages(app, settings, reviewer, client)


def _refuse_other_names() -> None:
    """A web page elsewhere may point its own name at 127.0.0.1: it must not reach an open service.

    Flask's TRUSTED_HOSTS would do, if it knew IPv6 addresses.
    """
    if not is_loopback(f"http://{request.host}/"):
        words = "This service is open to its own machine alone: call it as 127.0.0.1 or localhost."
        raise HookError(403, "forbidden", words)
