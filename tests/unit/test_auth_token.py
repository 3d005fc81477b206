"""Every way a token can be wrong, and the reason its refusal gives to the log."""

import base64
import hashlib
import hmac
import json
import logging
from functools import partial

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cds_service.auth.client import Client
from cds_service.auth.guard import Guard, OpenDoor, Registered, UnknownCallerError, WrongTenantError
from cds_service.auth.keys import KINDS, read_keys
from cds_service.auth.opening import Trust, demo_door
from cds_service.auth.sources import KeySource
from cds_service.auth.token import LONGEST_JTI, LONGEST_TOKEN, read_token
from cds_service.store import NullStore
from tests.callers import ABSENT, ISS, REVIEW, Ehr, new_key
from tests.shared import SHARED

NOW = 1_800_000_000
EHR = Ehr()
JKU = "https://ehr.example.org/.well-known/jwks.json"


def guard_of(ehr=EHR, **changes):
    values = {"iss": ehr.iss, "jku": JKU, "algorithms": tuple(KINDS)} | changes
    client = Client(**values)
    read = partial(read_keys, algorithms=client.algorithms)
    source = KeySource(client.iss, lambda: ehr.keys, read, 0.0)
    source.refresh()
    return Guard({client.iss: Registered(client, source)}, NullStore().remember, lambda: NOW)


GUARD = guard_of(algorithms=("ES384", "RS384"))


def admit(token, guard=GUARD, audience=(REVIEW,)):
    return guard.authenticate(f"Bearer {token}", audience)


def refused(token, caplog, guard=GUARD):
    caplog.set_level(logging.INFO)
    with pytest.raises(UnknownCallerError):
        admit(token, guard)
    assert not token or token[-30:] not in caplog.text
    return caplog.text


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged(header, key=b"", **claims):
    """Return a token with an HMAC of any key, or without a signature."""
    said = {"iss": ISS, "aud": REVIEW, "iat": NOW, "exp": NOW + 300, "jti": "j"} | claims
    text = f"{part(header)}.{part(said)}"
    mac = hmac.digest(key, text.encode(), hashlib.sha256) if key else b""
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


token = partial(EHR.token, now=NOW)


@pytest.mark.parametrize("alg", KINDS)
def test_a_good_token_of_each_algorithm_is_let_in(alg):
    ehr = Ehr(alg)
    assert admit(ehr.token(now=NOW), guard_of(ehr)).iss == ISS


@pytest.mark.parametrize(
    "good",
    [
        token(),
        token(aud=["https://elsewhere.example.org", REVIEW]),
        token(header={"jku": JKU}),
        token(iat=NOW + 60),
        token(exp=NOW + 3600),
        token(nbf=NOW),
        token(tenant="any"),
        token(exp=NOW + 0.5),
    ],
)
def test_what_the_rules_allow_is_let_in(good):
    assert admit(good).iss == ISS


WRONG = [
    (token(aud="https://elsewhere.example.org"), "aud is not"),
    (token(aud=f"{REVIEW}/"), "aud is not"),
    (token(aud=REVIEW.replace("https", "http")), "aud is not"),
    (token(aud=ABSENT), "aud is not"),
    (token(aud=[]), "aud is not"),
    (token(aud={"x": REVIEW}), "aud is not"),
    (token(iss="https://evil.example"), "iss is not registered"),
    (token(iss=ABSENT), "iss is not registered"),
    (forged({"alg": "ES384", "typ": "JWT", "kid": "k1"}, iss=[ISS]), "iss is not registered"),
    (token(header={"jku": "https://evil.example/jwks.json"}), "jku"),
    (token(header={"jku": 1}), "jku"),
    (token(exp=NOW), "expired"),
    (token(exp=NOW - 400, iat=NOW - 700), "expired"),
    (token(exp=ABSENT), "exp is no number"),
    (token(exp=True), "exp is no number"),
    (token(exp="soon"), "exp is no number"),
    (token(exp=float("nan")), "exp is no number"),
    (token(exp=float("inf")), "exp is no number"),
    (token(exp=10**400), "exp is no number"),
    (token(exp=NOW + 3601), "lives longer"),
    (token(iat=NOW - 4000), "lives longer"),
    (token(iat=ABSENT), "iat is no number"),
    (token(iat=NOW + 61), "iat lies in the future"),
    (token(nbf=NOW + 61), "nbf lies in the future"),
    (token(jti=ABSENT), "jti"),
    (token(jti=""), "jti"),
    (token(jti=7), "jti"),
    (token(jti="x" * (LONGEST_JTI + 1)), "jti"),
    (token(jti="a\nb"), "jti"),
    (token(jti="\0"), "jti"),
    (token(header={"kid": "k2"}), "no key"),
    (token(header={"kid": "../../keys"}), "no key"),
    (token(header={"kid": "k1' OR '1'='1"}), "no key"),
    (token(header={"kid": "https://evil.example/key"}), "no key"),
    (token(header={"kid": ""}), "kid"),
    (token(header={"typ": "at+jwt"}), "typ"),
    (token(header={"typ": ABSENT}), "typ"),
    (token(header={"crit": ["exp"]}), "no JWT"),
    (forged({"alg": "ES384", "typ": "JWT", "kid": "k1", "b64": True}), "demands"),
    (token(key=new_key()), "signature"),
    (token(key=new_key("ES256"), alg="ES256"), "alg"),
    (token(key=new_key("RS384"), alg="RS384"), "no key"),
    (token(jti="x" * LONGEST_TOKEN), "longer than"),
    (token()[:-4] + "AAAA", "signature"),
    ("x" * 1_000_000, "longer than"),
    ("", "no"),
    ("a.b", "no JWT"),
    ("..", "no JWT"),
    (forged({"alg": "none", "typ": "JWT", "kid": "k1"}), "alg"),
    (forged({"alg": "None", "typ": "JWT", "kid": "k1"}), "alg"),
    (forged({"alg": ["ES384"], "typ": "JWT", "kid": "k1"}), "alg"),
    (forged({"typ": "JWT", "kid": "k1"}), "alg"),
    (forged({"alg": "ES384", "typ": "JWT", "kid": "k1"}), "signature"),
    (forged({"alg": "ES384", "typ": "JWT", "kid": 1}), "no"),
    (forged([]), "no JWT"),
]


@pytest.mark.requirement(61, 62, 64)
@pytest.mark.parametrize(
    ("text", "reason"), WRONG, ids=[f"{n}-{w[1]}" for n, w in enumerate(WRONG)]
)
def test_a_wrong_token_is_refused_for_its_reason(text, reason, caplog):
    assert reason in refused(text, caplog)


@pytest.mark.requirement(62)
@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
def test_the_public_key_is_no_shared_secret(form, caplog):
    public = EHR.key.public_key()
    info = PublicFormat.SubjectPublicKeyInfo
    keys = {
        "pem": public.public_bytes(Encoding.PEM, info),
        "der": public.public_bytes(Encoding.DER, info),
        "jwk": EHR.keys,
    }
    text = forged({"alg": "HS256", "typ": "JWT", "kid": "k1"}, keys[form])
    assert "alg is not" in refused(text, caplog)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic dTpw", "Token x"])
def test_no_token_is_refused(header):
    with pytest.raises(UnknownCallerError):
        GUARD.authenticate(header, (REVIEW,))


def test_a_key_in_the_token_itself_is_not_looked_at(caplog):
    evil = Ehr(kid="evil")
    own = json.loads(evil.keys)["keys"][0]
    text = evil.token(now=NOW, header={"jwk": own, "x5u": "https://evil.example"})
    assert "no key" in refused(text, caplog)


def test_a_key_of_one_client_proves_no_other(caplog):
    other = Ehr(iss="https://other.example.org")
    guard = Guard({**GUARD.clients, **guard_of(other).clients}, NullStore().remember, lambda: NOW)
    assert admit(other.token(now=NOW), guard).iss == other.iss
    assert "signature" in refused(other.token(now=NOW, iss=ISS), caplog, guard)


@pytest.mark.requirement(64)
def test_a_token_serves_once(caplog):
    text = token()
    assert admit(text)
    assert "jti was used before" in refused(text, caplog)


def test_a_tenant_must_be_one_of_the_clients():
    guard = guard_of(tenants=("north",))
    assert admit(token(tenant="north"), guard).tenant == "north"
    for wrong in ({"tenant": "south"}, {"tenant": 1}, {}):
        with pytest.raises(WrongTenantError):
            admit(token(**wrong), guard)


def test_the_log_names_issuer_and_token_but_is_not_written_by_them(caplog):
    text = token(iss="https://evil.example/\n2026-03-16 all is well", jti="the-name")
    told = refused(text, caplog)
    assert "the-name" in told
    assert "\n2026" not in told


def test_an_open_door_knows_who_proves_it_and_refuses_nobody():
    door = OpenDoor(GUARD)
    assert door.authenticate(f"Bearer {token()}", (REVIEW,)).iss == ISS
    assert door.authenticate(f"Bearer {token(exp=NOW)}", (REVIEW,)).iss == "open"
    assert door.authenticate(None, (REVIEW,)).iss == "open"
    assert door.authenticate(f"Bearer {token(tenant='a')}", (REVIEW,)).tenant == "a"
    assert not door.authenticate(f"Bearer {token()}", (REVIEW,)).may_call("https://a.example/fhir")


@pytest.mark.shared
def test_the_demo_knows_the_sandbox_by_what_it_was_seen_to_send():
    lines = (SHARED / "captures" / "cds-hooks-sandbox.jsonl").read_text().splitlines()
    sent = [json.loads(line)["headers"].get("Authorization") for line in lines]
    seen = {bearer for bearer in sent if bearer}
    assert seen
    for bearer in seen:
        said = read_token(bearer).claims
        door = demo_door(Trust(0.0, now=lambda at=said["iat"]: at), NullStore().remember)
        assert door.authenticate(bearer, (said["aud"],)).iss == "https://sandbox.cds-hooks.org"


def test_the_demo_takes_no_other_key_for_the_sandboxs():
    door = demo_door(Trust(0.0, now=lambda: NOW), NullStore().remember)
    liar = Ehr(iss="https://sandbox.cds-hooks.org", kid="44823f3d-0b01-4a6c-a80e-b9d3e8a7226f")
    assert door.authenticate(f"Bearer {liar.token(now=NOW)}", (REVIEW,)).iss == "open"
