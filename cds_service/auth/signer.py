"""Signs the calls that the demo's own page makes, as an EHR signs its calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import time
from uuid import uuid4

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ALGORITHM = "ES384"
KID = "demo"
LIFE = 300


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@dataclass(frozen=True)
class Signer:
    """An issuer with a key pair that is made at the start and never leaves the process.

    `now` gives seconds since 1970.
    """

    iss: str
    now: Callable[[], float] = time
    _key: ec.EllipticCurvePrivateKey = field(default_factory=_new_key, repr=False)

    def token(self, audience: str) -> str:
        """Return a JWT for one call to the URL `audience`, good for 5 minutes."""
        now = int(self.now())
        claims = {"iss": self.iss, "aud": audience, "iat": now, "exp": now + LIFE}
        named = claims | {"jti": str(uuid4())}
        return jwt.encode(named, self._key, ALGORITHM, headers={"kid": KID})

    def key_set(self) -> bytes:
        """Return the public key as a JSON Web Key Set."""
        public = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return orjson.dumps({"keys": [public | {"kid": KID, "use": "sig", "alg": ALGORITHM}]})
