"""A caller: who it is, and what it may ask of us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cds_service.auth.addresses import is_loopback, lies_under

RECOMMENDED = ("ES384", "RS384")
"""The algorithms that CDS Hooks recommends; a client may be given others."""

OPEN = "open"


@dataclass(frozen=True, slots=True)
class Client:
    """A registered caller.

    `iss` names it. Its keys are in the file `jwks`, else at the URL `jku`. `fhir_servers` are base
    URLs that may be called for it, `tenants` those it may name (empty: any, or none), `family` the
    only family of services it may call (None: all). Without `system_actions` it gets none. `tenant`
    is the one that a call speaks for, where its token names one.
    """

    iss: str
    jku: str | None = None
    jwks: Path | None = None
    fhir_servers: Sequence[str] = ()
    tenants: Sequence[str] = ()
    algorithms: Sequence[str] = RECOMMENDED
    system_actions: bool = True
    family: str | None = None
    tenant: str | None = None

    def may_call(self, url: str) -> bool:
        """Whether a FHIR base URL is one of its servers, or lies below one."""
        return any(lies_under(url, server) for server in self.fhir_servers)


@dataclass(frozen=True, slots=True)
class OpenClient:
    """Whoever calls an open service: it may name FHIR servers on this machine.

    A caller that proved who it is may also name its own `fhir_servers`.
    """

    iss: str = OPEN
    system_actions: bool = True
    family: str | None = None
    fhir_servers: Sequence[str] = ()
    tenant: str | None = None

    def may_call(self, url: str) -> bool:
        """Whether a URL leads to this machine, or is one of its servers or lies below one."""
        return is_loopback(url) or any(lies_under(url, server) for server in self.fhir_servers)
