"""A caller's token: what it says, and whether that holds.

The checks are those of CDS Hooks and its best practices. The first one that fails is named to the
log; the caller is told nothing but that it failed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from jwt import PyJWKError, PyJWS, PyJWTError, decode_complete

from cds_service.auth.client import Client
from cds_service.auth.sources import KeySource

LONGEST_TOKEN = 8192
LONGEST_LIFE = 3600
SKEW = 60
LONGEST_JTI = 255

_JWS = PyJWS()


class TokenError(Exception):
    """A token that proves nothing.

    `reason` is one of few words, for counting; the text is for the log and never holds the token.
    """

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it came: `header` and `claims` are what it says, not yet what is so."""

    text: str = field(repr=False)
    header: Mapping[str, Any] = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)

    @property
    def iss(self) -> str:
        """Who it says it is from; "" when it does not say."""
        return _text(self.claims.get("iss"))

    @property
    def jti(self) -> str:
        """Its own name; "" when it has none."""
        return _text(self.claims.get("jti"))

    @property
    def tenant(self) -> str | None:
        """The tenant it speaks for."""
        tenant = self.claims.get("tenant")
        return None if tenant is None else _text(tenant)

    @property
    def expires(self) -> datetime:
        """The end of a token that has been checked."""
        return datetime.fromtimestamp(self.claims["exp"], UTC)


def read_token(authorization: str | None) -> Token:
    """Return the token of an Authorization header, unchecked; raises TokenError."""
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenError("missing", "no bearer token")
    text = text.strip()
    if len(text) > LONGEST_TOKEN:
        raise TokenError("malformed", f"longer than {LONGEST_TOKEN} characters")
    try:
        parts = decode_complete(text, options={"verify_signature": False})
    except (PyJWTError, ValueError, TypeError, RecursionError):
        raise TokenError("malformed", "no JWT") from None
    return Token(text, parts["header"], parts["payload"])


def check_token(
    token: Token, client: Client, source: KeySource, audience: Collection[str], now: float
) -> None:
    """Raise TokenError unless a token is this client's, for this endpoint and for now.

    `audience` holds the URLs one of which it must be meant for, `now` is in seconds since 1970.
    """
    _check_header(token.header, client)
    _check_claims(token.claims, client, audience, now)
    _check_signature(token, source)


def _check_header(header: Mapping[str, Any], client: Client) -> None:
    if header.get("alg") not in client.algorithms:
        raise TokenError("alg", "alg is not one of this client's")
    if _text(header.get("typ")).upper() != "JWT":
        raise TokenError("typ", "typ is not JWT")
    if not _text(header.get("kid")):
        raise TokenError("kid", "kid is missing")
    if "crit" in header or "b64" in header:
        raise TokenError("crit", "the header demands what is not supported")
    if header.get("jku") not in (None, client.jku):
        raise TokenError("jku", "jku is not the one registered for this client")


def _check_claims(
    claims: Mapping[str, Any], client: Client, audience: Collection[str], now: float
) -> None:
    if claims.get("iss") != client.iss:
        raise TokenError("iss", "iss is another's")
    if not _meant_for(claims.get("aud"), audience):
        raise TokenError("aud", f"aud is not {' or '.join(audience)}")
    _check_times(_moment(claims, "iat"), _moment(claims, "exp"), now)
    if "nbf" in claims and _moment(claims, "nbf") > now + SKEW:
        raise TokenError("nbf", "nbf lies in the future")
    if not _is_name(claims.get("jti")):
        raise TokenError("jti", f"jti is no text of 1 to {LONGEST_JTI} printable characters")


def _check_times(issued: float, ends: float, now: float) -> None:
    if ends <= now:
        raise TokenError("exp", "expired")
    if issued > now + SKEW:
        raise TokenError("iat", "iat lies in the future")
    if not 0 < ends - issued <= LONGEST_LIFE:
        raise TokenError("lifetime", f"lives longer than {LONGEST_LIFE} seconds")


def _check_signature(token: Token, source: KeySource) -> None:
    algorithm = token.header["alg"]
    keys = source.find(token.header["kid"], algorithm)
    if not keys:
        raise TokenError("key", "no key of this client has that kid and alg")
    for key in keys:
        try:
            _JWS.decode(token.text, key, algorithms=[algorithm])
        except (PyJWTError, PyJWKError, ValueError):
            continue
        return
    raise TokenError("signature", "the signature is not by the key of that kid")


def check_tenant(token: Token, client: Client) -> bool:
    """Whether a client may speak for the tenant that its token names."""
    return not client.tenants or token.tenant in client.tenants


def _meant_for(aud: object, audience: Collection[str]) -> bool:
    named = aud if isinstance(aud, list) else [aud]
    return any(isinstance(one, str) and one in audience for one in named)


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenError(name, f"{name} is no number of seconds")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise TokenError(name, f"{name} is no number of seconds")
    return seconds


def _is_name(jti: object) -> bool:
    return isinstance(jti, str) and 0 < len(jti) <= LONGEST_JTI and jti.isprintable()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
