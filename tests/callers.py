"""Clients with real keys, their tokens, and key servers on loopback."""

import json
from time import time
from uuid import uuid4

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from flask import Flask, Response
from jwt.algorithms import get_default_algorithms

ISS = "https://ehr.example.org"
PUBLIC = "https://cds.example.org"
DISCOVERY = f"{PUBLIC}/cds-services"
REVIEW = f"{DISCOVERY}/massage-order-review"


class Absent:
    """Stands for a member that is left out; a test that names it has one name in every process."""

    def __repr__(self):
        return "ABSENT"


ABSENT = Absent()

CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


def new_key(alg="ES384", bits=2048):
    if alg in CURVES:
        return ec.generate_private_key(CURVES[alg]())
    if alg == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, bits)


def jwk(key, kid="k1", alg="ES384", /, **more):
    """Return the public half as a JSON Web Key; a member ABSENT is left out."""
    told = json.loads(get_default_algorithms()[alg].to_jwk(key.public_key()))
    told |= {"kid": kid, "use": "sig", "alg": alg} | more
    return {name: value for name, value in told.items() if value is not ABSENT}


def key_set(*keys):
    return orjson.dumps({"keys": list(keys)})


class Ehr:
    """A client: its key, and the tokens it makes."""

    def __init__(self, alg="ES384", kid="k1", iss=ISS):
        self.alg, self.kid, self.iss = alg, kid, iss
        self.key = new_key(alg)

    @property
    def keys(self):
        return key_set(jwk(self.key, self.kid, self.alg))

    def token(self, aud=REVIEW, *, header=None, key=None, alg=None, now=None, **claims):
        """Return a good token with members of header or claims set, or left out (ABSENT)."""
        now = int(time() if now is None else now)
        said = {"iss": self.iss, "aud": aud, "iat": now, "exp": now + 300, "jti": str(uuid4())}
        named = {"kid": self.kid, "typ": "JWT"} | (header or {})
        return jwt.encode(
            {name: value for name, value in (said | claims).items() if value is not ABSENT},
            key or self.key,
            alg or self.alg,
            {name: (None if value is ABSENT else value) for name, value in named.items()},
        )

    def bearer(self, *args, **kwargs):
        return {"Authorization": f"Bearer {self.token(*args, **kwargs)}"}


def clients_file(folder, ehr, text="", name="clients.toml"):
    """Write a clients file for one EHR with its keys beside it; `text` adds members."""
    (folder / "keys.json").write_bytes(ehr.keys)
    path = folder / name
    path.write_text(f'[[client]]\niss = "{ehr.iss}"\njwks = "keys.json"\n{text}', encoding="utf-8")
    return path


class KeyServer:
    """Publishes a key set on loopback; counts who asks, and can fail."""

    def __init__(self, body):
        self.body, self.status, self.asked, self.location = body, 200, 0, None
        self.app = Flask("keys")
        self.app.add_url_rule("/jwks.json", "keys", self.answer)
        self.app.add_url_rule("/elsewhere.json", "elsewhere", lambda: Response(self.body))

    def answer(self):
        self.asked += 1
        headers = {"Location": self.location} if self.location else {}
        return Response(self.body, self.status, headers)
