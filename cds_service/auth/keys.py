"""Public keys of a caller: which key may check which algorithm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from jwt import PyJWK, PyJWTError
from jwt.utils import base64url_decode

KINDS = {
    "ES256": ("EC", ("P-256",)),
    "ES384": ("EC", ("P-384",)),
    "ES512": ("EC", ("P-521",)),
    "RS256": ("RSA", ()),
    "RS384": ("RSA", ()),
    "RS512": ("RSA", ()),
    "PS256": ("RSA", ()),
    "PS384": ("RSA", ()),
    "PS512": ("RSA", ()),
    "EdDSA": ("OKP", ("Ed25519", "Ed448")),
}
"""Key type and curves of each algorithm that may be used: signatures with two keys, no others."""

RSA_BITS = 2048
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
NAMED_BY = {"EC": ("crv", "x", "y"), "RSA": ("n", "e"), "OKP": ("crv", "x")}
SANDBOX_FILE = Path(__file__).with_name("sandbox-key.json")

Jwk = Mapping[str, Any]


class KeysError(ValueError):
    """A key set that cannot be used; says why."""


class NoKeysError(KeysError):
    """A sound key set that offers nothing to check a signature with."""


class SandboxKeyError(NoKeysError):
    """A key set with a key whose private half anybody can download."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The usable keys of one caller by kid and algorithm, and what is wrong with the others."""

    usable: Mapping[tuple[str, str], Sequence[PyJWK]] = field(repr=False)
    problems: tuple[str, ...] = ()

    def of(self, kid: str, algorithm: str) -> Sequence[PyJWK]:
        """Return the keys that may check a signature; mostly one."""
        return self.usable.get((kid, algorithm), ())


def read_keys(body: bytes, algorithms: Iterable[str], *, public: bool = False) -> Keys:
    """Return the keys of a JSON Web Key Set (RFC 7517) for some algorithms.

    A key that cannot be used costs that key. `public` takes the key of the public sandbox too.
    Raises KeysError for what is no key set, NoKeysError when none can be used, SandboxKeyError for
    the sandbox's key.
    """
    wanted = tuple(algorithms)
    usable: dict[tuple[str, str], list[PyJWK]] = {}
    problems = []
    for place, jwk in enumerate(_listed(body)):
        if not public and _same(jwk, sandbox_key()):
            raise SandboxKeyError("holds the key of the CDS Hooks Sandbox, whose secret is public")
        try:
            for algorithm, key in _usable(jwk, wanted):
                usable.setdefault((jwk["kid"], algorithm), []).append(key)
        except KeysError as error:
            problems.append(f"keys[{place}] {error}")
    if not usable:
        raise NoKeysError("; ".join(problems) or "holds no key")
    return Keys(usable, tuple(problems))


def sandbox_key() -> Jwk:
    """Return the public key of the CDS Hooks Sandbox."""
    key = orjson.loads(SANDBOX_FILE.read_bytes())["keys"][0]
    assert isinstance(key, dict)
    return key


def _listed(body: bytes) -> Sequence[Jwk]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise KeysError("is no JSON") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise KeysError('is no key set: {"keys": [...]}')
    return [key if isinstance(key, dict) else {} for key in keys]


def _usable(jwk: Jwk, algorithms: Sequence[str]) -> Iterator[tuple[str, PyJWK]]:
    _refuse(jwk)
    fitting = [name for name in algorithms if _fits(jwk, name)]
    if not fitting:
        raise KeysError(f"fits none of {', '.join(algorithms)}")
    for algorithm in fitting:
        try:
            key = PyJWK(dict(jwk), algorithm)
        except (PyJWTError, ValueError, TypeError, ArithmeticError):
            raise KeysError("is no sound key") from None
        yield algorithm, key


def _refuse(jwk: Jwk) -> None:
    if not isinstance(jwk.get("kid"), str) or not jwk["kid"]:
        raise KeysError("has no kid")
    if any(part in jwk for part in PRIVATE):
        raise KeysError("holds a secret part: make a new pair and publish its public half alone")
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
        raise KeysError("is not for signatures")
    if jwk.get("kty") == "RSA" and _bits(jwk) < RSA_BITS:
        raise KeysError(f"is shorter than {RSA_BITS} bits")


def _bits(jwk: Jwk) -> int:
    try:
        return int.from_bytes(base64url_decode(jwk["n"]), "big").bit_length()
    except (KeyError, ValueError, TypeError, AttributeError):
        return 0


def _fits(jwk: Jwk, algorithm: str) -> bool:
    kind, curves = KINDS[algorithm]
    named = jwk.get("alg", algorithm) == algorithm
    return named and jwk.get("kty") == kind and (not curves or jwk.get("crv") in curves)


def _same(jwk: Jwk, other: Jwk) -> bool:
    """Whether two keys are one, whatever they are called (as the thumbprint of RFC 7638)."""
    parts = NAMED_BY.get(str(jwk.get("kty")), ())
    if not parts or jwk.get("kty") != other.get("kty"):
        return False
    return all(_plain(jwk.get(part)) == _plain(other.get(part)) for part in parts)


def _plain(value: object) -> str:
    return str(value).rstrip("=")
