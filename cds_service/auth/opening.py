"""Makes the door of a service from what its site sets up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic, time

import orjson

from cds_service.auth.addresses import is_loopback, web_parts
from cds_service.auth.client import Client
from cds_service.auth.guard import Guard, OpenDoor, Registered, Remember
from cds_service.auth.keys import SANDBOX_FILE, Keys, KeysError, SandboxKeyError, read_keys
from cds_service.auth.register import ClientsError, read_clients
from cds_service.auth.signer import Signer
from cds_service.auth.sources import KeySource, Load, SourceError, from_file, from_url

log = logging.getLogger(__name__)

_TOGETHER = 8
_ONLY_DEMO = "only the demo trusts that; take the client out"
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Trust:
    """How keys are had.

    `grace` are the seconds that old ones serve, `ca_file` is as in `transport.Session`; the clocks
    give seconds since 1970 and seconds that never jump.
    """

    grace: float
    ca_file: str | None = None
    now: Callable[[], float] = time
    clock: Callable[[], float] = monotonic


def guard_of(path: Path, trust: Trust, remember: Remember) -> Guard:
    """Return the guard of the clients in a file, with their keys read.

    A key server that cannot be reached now is logged and asked again when its client calls. Raises
    ClientsError for a file that cannot be used, a key file that cannot, and the key of the sandbox.
    """
    found = [Registered(client, _source(client, trust)) for client in read_clients(path)]
    with ThreadPoolExecutor(_TOGETHER) as pool:
        problems = [told for told in pool.map(_first_look, found) if told]
    if problems:
        raise ClientsError("\n".join(f"{path}: {told}" for told in problems))
    return Guard({one.client.iss: one for one in found}, remember, trust.now)


def demo_door(
    trust: Trust,
    remember: Remember,
    page: Signer | None = None,
    fhir_servers: Sequence[str] = (),
) -> OpenDoor:
    """Return the door of the demo: open, and it knows the CDS Hooks Sandbox by its public key.

    It also knows the demo's own page, for which it may read `fhir_servers` beside those on this
    machine.
    """
    about = _sandbox()
    client = Client(about["iss"], jku=about["jku"], jwks=SANDBOX_FILE)
    known = [_known(client, from_file(SANDBOX_FILE), trust)]
    if page:
        own = Client(page.iss, fhir_servers=tuple(fhir_servers))
        known.append(_known(own, page.key_set, trust))
    return OpenDoor(Guard({one.client.iss: one for one in known}, remember, trust.now))


def _known(client: Client, load: Load, trust: Trust) -> Registered:
    read = partial(read_keys, algorithms=client.algorithms, public=True)
    source = KeySource(client.iss, load, read, trust.grace, trust.clock)
    source.refresh()
    return Registered(client, source)


def _sandbox() -> dict[str, str]:
    about = orjson.loads(SANDBOX_FILE.read_bytes())
    assert isinstance(about, dict)
    return about


def bases_of(public_url: str) -> Sequence[str]:
    """Return the URLs a service is known by: its public one, and on this machine all local names.

    So a page that says "localhost" and one that says 127.0.0.1 call the same demo.
    """
    parts = web_parts(public_url)
    if parts is None or not is_loopback(public_url):
        return (public_url,)
    port = f":{parts.port}" if parts.port else ""
    named = (f"{parts.scheme}://{host}{port}{parts.path}" for host in _LOCAL_HOSTS)
    return tuple(dict.fromkeys((public_url, *named)))


def _source(client: Client, trust: Trust) -> KeySource:
    if client.jwks:
        load = from_file(client.jwks)
    else:
        assert client.jku
        load = from_url(client.jku, ca_file=trust.ca_file)
    return KeySource(client.iss, load, _reader(client), trust.grace, trust.clock)


def _reader(client: Client) -> Callable[[bytes], Keys]:
    return partial(read_keys, algorithms=client.algorithms)


def _first_look(found: Registered) -> str | None:
    """Load the keys of a client; return why the service must not start with it."""
    client, source = found.client, found.source
    if client.jku == _sandbox()["jku"]:
        return f"{client.iss}: jku is that of the CDS Hooks Sandbox: {_ONLY_DEMO}"
    try:
        source.use(source.load())
    except SandboxKeyError as error:
        return f"{client.iss}: its key set {error}: {_ONLY_DEMO}"
    except (SourceError, KeysError) as error:
        if client.jwks:
            return f"{client.iss}: {client.jwks.name}: {error}; write a JSON Web Key Set"
        log.warning("keys of %s cannot be used yet: %s", client.iss, error)
    return None
