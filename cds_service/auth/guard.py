"""The door: from a call's Authorization header to the client that made it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import time

from cds_service.auth.client import Client, OpenClient
from cds_service.auth.sources import KeySource
from cds_service.auth.token import Token, TokenError, check_tenant, check_token, read_token

log = logging.getLogger(__name__)

TOLD = 120

Remember = Callable[[str, str, datetime], bool]


class UnknownCallerError(Exception):
    """A call without a valid token; what is wrong with it is in the log alone.

    `reason` is one of few words, for counting.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WrongTenantError(Exception):
    """A proven client that speaks for a tenant it is not registered with."""


@dataclass(frozen=True)
class Registered:
    """A client and its keys."""

    client: Client
    source: KeySource


@dataclass(frozen=True)
class Guard:
    """Tells who calls.

    `remember(iss, jti, expires)` tells whether a token is new; `now` gives seconds since 1970.
    """

    clients: Mapping[str, Registered]
    remember: Remember
    now: Callable[[], float] = field(default=time)

    def authenticate(self, authorization: str | None, audience: Collection[str]) -> Client:
        """Return the client that made a call to one of the URLs in `audience`.

        Raises UnknownCallerError for a token that is missing, wrong or used, WrongTenantError.
        """
        token = None
        try:
            token = read_token(authorization)
            known = self._known(token)
            check_token(token, known.client, known.source, audience, self.now())
            return self._admitted(token, known.client)
        except TokenError as error:
            _tell(token, str(error))
            raise UnknownCallerError(error.reason) from None

    def _known(self, token: Token) -> Registered:
        known = self.clients.get(token.iss)
        if known is None:
            raise TokenError("iss", "iss is not registered")
        return known

    def _admitted(self, token: Token, client: Client) -> Client:
        if not check_tenant(token, client):
            _tell(token, "tenant is not one of this client's")
            raise WrongTenantError
        if not self.remember(client.iss, token.jti, token.expires):
            raise TokenError("replay", "jti was used before")
        return replace(client, tenant=token.tenant) if token.tenant else client


@dataclass(frozen=True)
class OpenDoor:
    """Lets everybody in; a caller that proves who it is, is known by its own name."""

    guard: Guard | None = None
    everybody: OpenClient = field(default_factory=OpenClient)

    def authenticate(
        self, authorization: str | None, audience: Collection[str]
    ) -> Client | OpenClient:
        """Return who calls, or whoever it may be; refuses nobody."""
        if self.guard is None or authorization is None:
            return self.everybody
        try:
            named = self.guard.authenticate(authorization, audience)
        except (UnknownCallerError, WrongTenantError):
            return self.everybody
        rights = (named.system_actions, named.family, named.fhir_servers, named.tenant)
        return OpenClient(named.iss, *rights)


def _tell(token: Token | None, reason: str) -> None:
    """Log a refusal: who the token says it is from, and its name; never the token."""
    iss, jti = (_shown(token.iss), _shown(token.jti)) if token else ("-", "-")
    log.warning("token refused: %s (iss %s, jti %s)", reason, iss, jti)


def _shown(text: str) -> str:
    return ascii(text[:TOLD])
