"""Attacks by token: each gets a plain 401, and what it names is never looked at."""

import base64
import hmac
import json
import time
from hashlib import sha256, sha384, sha512

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

from tests.callers import ABSENT, DISCOVERY, ISS, PUBLIC, REVIEW, Ehr, KeyServer, jwk
from tests.callers import clients_file as clients
from tests.conformance.ehr import prefetch
from tests.conformance.ehr import request as order
from tests.hook_calls import assert_outcome
from tests.http.test_callers import caller_of
from tests.live import serve

PATH = "/cds-services/massage-order-review"
EHR = Ehr()
EVIL = Ehr(iss=ISS)
HOUR = 3600
HASHES = {"HS256": sha256, "HS384": sha384, "HS512": sha512}
HEADER = {"alg": "ES384", "typ": "JWT", "kid": "k1"}
PLAIN = "This call needs a valid token of a registered client."


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    return caller_of(clients(tmp_path_factory.mktemp("clients"), EHR))


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signing_text(header, **claims):
    now = int(time.time())
    said = {"iss": ISS, "aud": REVIEW, "iat": now, "exp": now + 300, "jti": "forged"} | claims
    return ".".join(encoded(json.dumps(part).encode()) for part in (header, said))


def unsigned(alg):
    return f"{signing_text({'alg': alg, 'typ': 'JWT', 'kid': 'k1'})}."


def by_secret(alg, key):
    text = signing_text({"alg": alg, "typ": "JWT", "kid": "k1"})
    return f"{text}.{encoded(hmac.digest(key, text.encode(), HASHES[alg]))}"


def signed_with(signature):
    return f"{signing_text({'alg': 'ES384', 'typ': 'JWT', 'kid': 'k1'})}.{encoded(signature)}"


def own_signature(header, **claims):
    """Return a token with any header and claims that the client itself has signed."""
    text = signing_text(header, **claims)
    signature = get_default_algorithms()["ES384"].sign(text.encode(), EHR.key)
    return f"{text}.{encoded(signature)}"


def public_forms():
    """Return every form in which the public key could be taken for a secret."""
    key = EHR.key.public_key()
    whole = jwk(EHR.key)
    return {
        "pem": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "point": key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        "jwk": json.dumps(whole).encode(),
        "jwk-compact": json.dumps(whole, separators=(",", ":")).encode(),
        "key-set": EHR.keys,
        "x": whole["x"].encode(),
        "empty": b"\0",
    }


def refused(client, text, method="post"):
    """Hold that a token is refused, without a word on why."""
    headers = {"Authorization": f"Bearer {text}"}
    answer = client.open(PATH, method=method.upper(), json=order(), headers=headers)
    issue = assert_outcome(answer, 401)
    assert issue["diagnostics"] == PLAIN
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_good_token_is_let_in_so_that_the_others_are_refused_for_their_fault(client):
    answer = client.post(PATH, json=order(prefetch=prefetch()), headers=EHR.bearer())
    assert answer.status_code == 200


@pytest.mark.requirement(62)
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, [], {}, 0, ["ES384"]])
def test_alg_none(client, alg):
    refused(client, unsigned(alg))


@pytest.mark.requirement(62)
def test_no_alg(client):
    refused(client, f"{signing_text({'typ': 'JWT', 'kid': 'k1'})}.")


@pytest.mark.requirement(62)
@pytest.mark.parametrize("alg", HASHES)
@pytest.mark.parametrize("form", public_forms())
def test_a_shared_secret_made_of_the_public_key(client, alg, form):
    refused(client, by_secret(alg, public_forms()[form]))


@pytest.mark.parametrize("size", [0, 1, 95, 96, 97, 104])
def test_a_signature_of_zeros(client, size):
    refused(client, signed_with(bytes(size)))


def test_a_signature_taken_off_or_moved_to_other_claims(client):
    header, claims, signature = EHR.token().split(".")
    other = EHR.token(tenant="other").split(".")[1]
    for text in (f"{header}.{claims}.", f"{header}.{claims}", f"{header}.{other}.{signature}"):
        refused(client, text)
    for text in ("", ".", "..", "...", "x", "\xff", f"{header}.{claims}.{signature}.", "x" * 8193):
        refused(client, text)


@pytest.mark.parametrize("alg", ["ES256", "ES512", "RS256", "RS384", "EdDSA"])
def test_another_algorithm_by_another_key(client, alg):
    refused(client, Ehr(alg).token())


@pytest.mark.requirement(61, 64)
@pytest.mark.parametrize(
    "aud",
    [
        DISCOVERY,
        f"{PUBLIC}/",
        PUBLIC,
        f"{REVIEW}/",
        f"{REVIEW}?x=1",
        f"{REVIEW}#",
        REVIEW.upper(),
        REVIEW.replace("https", "http"),
        REVIEW.replace("cds.example.org", "cds.example.org:443"),
        f"{REVIEW}\u0000",
        f"{REVIEW}/feedback",
        "*",
        "",
        [],
        [[REVIEW]],
        {"aud": REVIEW},
        None,
        True,
        ABSENT,
    ],
    ids=repr,
)
def test_wrong_aud(client, aud):
    refused(client, EHR.token(aud))


@pytest.mark.requirement(61, 64)
@pytest.mark.parametrize("iss", ["https://evil.example", f"{ISS}/", ISS.upper(), "", ABSENT])
def test_wrong_iss(client, iss):
    refused(client, EHR.token(iss=iss))


@pytest.mark.requirement(61, 63)
@pytest.mark.parametrize("jku", ["https://evil.example/jwks.json", "file:///etc/passwd", "", 5, []])
def test_wrong_jku(client, jku):
    refused(client, EHR.token(header={"jku": jku}))


@pytest.mark.requirement(61, 64)
@pytest.mark.parametrize("ago", [1, HOUR, 10**9])
def test_expired(client, ago):
    now = int(time.time())
    refused(client, EHR.token(exp=now - ago, iat=now - ago - 300))


@pytest.mark.requirement(61, 64)
@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize("ahead", [120, HOUR, 10**12, 10**400])
def test_not_yet(client, claim, ahead):
    start = int(time.time()) + ahead
    refused(client, EHR.token(**{claim: start, "exp": start + 300}))
    refused(client, EHR.token(**{claim: start}))


@pytest.mark.requirement(61, 64)
@pytest.mark.parametrize("exp", [10**12, 10**400, float("inf"), float("nan"), "9999999999", True])
def test_a_life_without_end(client, exp):
    refused(client, EHR.token(exp=exp))


@pytest.mark.requirement(61)
@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "jti"])
@pytest.mark.parametrize("value", [None, True, {}, [], ""], ids=repr)
def test_a_claim_of_another_kind(client, claim, value):
    refused(client, own_signature(HEADER, **{claim: value}))


def test_what_the_client_signs_itself_is_let_in(client):
    """So that the forms above are refused for what is wrong in them."""
    text = own_signature(HEADER, jti="by-hand")
    headers = {"Authorization": f"Bearer {text}"}
    assert client.post(PATH, json=order(prefetch=prefetch()), headers=headers).status_code == 200


@pytest.mark.requirement(64)
def test_the_same_token_again(client):
    body, headers = order(prefetch=prefetch()), EHR.bearer()
    statuses = [client.post(PATH, json=body, headers=headers).status_code for _ in range(3)]
    assert statuses == [200, 401, 401]


@pytest.mark.requirement(64)
def test_the_same_jti_in_another_token(client):
    body = order(prefetch=prefetch())
    tokens = [EHR.bearer(jti="mine", nbf=n) for n in range(3)]
    statuses = [client.post(PATH, json=body, headers=one).status_code for one in tokens]
    assert statuses == [200, 401, 401]


@pytest.mark.requirement(61, 63)
@pytest.mark.parametrize(
    "kid",
    [
        "../../../../../../dev/null",
        "/dev/null",
        "keys.json",
        "file:///dev/null",
        "k1' OR '1'='1",
        "'; DROP TABLE tokens; --",
        "k1\0",
        " k1",
        "K1",
        "k1\r\nX-Evil: 1",
        "$(touch /nowhere)",
        "%s%n{0}{kid}",
        "x" * 5000,
        "",
    ],
    ids=lambda kid: repr(kid)[:20],
)
def test_kid_injection(client, kid):
    refused(client, EVIL.token(header={"kid": kid}))


@pytest.mark.requirement(61)
@pytest.mark.parametrize("kid", [5, None, True, [], ["k1"], {"kid": "k1"}], ids=repr)
def test_a_kid_that_is_no_text(client, kid):
    refused(client, own_signature({"alg": "ES384", "typ": "JWT", "kid": kid}))


@pytest.mark.requirement(61, 63)
def test_keys_in_the_header_are_not_looked_at(client):
    keys = KeyServer(EVIL.keys)
    with serve(keys.app) as url:
        for name, value in {
            "jwk": jwk(EVIL.key),
            "jku": f"{url}/jwks.json",
            "x5u": f"{url}/jwks.json",
            "x5c": [encoded(EVIL.keys)],
            "x5t": "x",
        }.items():
            refused(client, EVIL.token(header={name: value}))
    assert keys.asked == 0


def test_unknown_members_of_a_good_header_do_no_harm(client):
    own = {"jwk": jwk(EVIL.key), "x5u": "https://evil.example/", "x5c": ["x"], "cty": "JWT"}
    answer = client.post(PATH, json=order(prefetch=prefetch()), headers=EHR.bearer(header=own))
    assert answer.status_code == 200


@pytest.mark.requirement(61)
@pytest.mark.parametrize("crit", [["exp"], ["b64"], ["http://evil.example/x"], [], None, "exp"])
def test_crit(client, crit):
    refused(client, own_signature(HEADER | {"crit": crit}))


@pytest.mark.requirement(66)
def test_a_header_of_a_megabyte(client, caplog):
    text = "x" * 1_000_000
    refused(client, text)
    refused(client, f"{text}.{text}.{text}")
    assert len(caplog.text) < 10_000


@pytest.mark.parametrize("scheme", ["", "Basic", "bearer:", "Token", "Bearer,", "JWT"])
def test_another_scheme(client, scheme):
    headers = {"Authorization": f"{scheme} {EHR.token()}"}
    assert_outcome(client.post(PATH, json=order(), headers=headers), 401)


def test_two_tokens_in_one_call(client):
    good = EHR.token()
    for text in (f"{good}, Bearer {good}", f"{good} {good}", f"{unsigned('none')},{good}"):
        refused(client, text)


def test_a_token_where_none_belongs(client):
    good = EHR.token()
    for where in (f"{PATH}?access_token={good}", f"{PATH}?token={good}"):
        assert_outcome(client.post(where, json=order()), 401)
    client.set_cookie("Authorization", f"Bearer {good}")
    assert_outcome(client.post(PATH, json=order() | {"access_token": good}), 401)
    client.delete_cookie("Authorization")


def test_a_token_inside_a_token(client):
    refused(client, EVIL.token(header={"cty": "JWT"}, inner=EHR.token()))


def test_json_of_a_header_that_is_nested_or_double(client):
    deep = "[" * 3000 + "]" * 3000
    for header in (deep, '{"alg":"none","alg":"ES384","typ":"JWT","kid":"k1"}', "[]", "5", "null"):
        claims = signing_text({}).split(".")[1]
        refused(client, f"{encoded(header.encode())}.{claims}.{encoded(b'0' * 96)}")
