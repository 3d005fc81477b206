"""The demo's page signs its calls, and the demo alone knows its key."""

import jwt
import orjson
import pytest

from cds_service.auth.opening import Trust, demo_door
from cds_service.auth.signer import Signer
from cds_service.store import NullStore

NOW = 1_800_000_000
ISS = "https://page.example.org"
REVIEW = "http://127.0.0.1:8080/cds-services/massage-order-review"
SERVERS = ["https://named.example.org/fhir"]


@pytest.fixture
def page():
    return Signer(ISS, now=lambda: NOW)


class Jtis:
    """Remembers tokens as the store does."""

    def __init__(self):
        self.seen = set()

    def remember(self, iss, jti, _):
        new = (iss, jti) not in self.seen
        self.seen.add((iss, jti))
        return new


def door_for(page):
    return demo_door(Trust(0.0, now=lambda: NOW), Jtis().remember, page, SERVERS)


def test_token_says_what_cds_hooks_asks_for(page):
    header = jwt.get_unverified_header(page.token(REVIEW))
    said = jwt.decode(page.token(REVIEW), options={"verify_signature": False})
    assert (header["alg"], header["typ"], header["kid"]) == ("ES384", "JWT", "demo")
    assert (said["iss"], said["aud"], said["iat"], said["exp"]) == (ISS, REVIEW, NOW, NOW + 300)
    assert said["jti"]


def test_published_key_has_no_secret_half(page):
    (key,) = orjson.loads(page.key_set())["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert "Private" not in repr(page)


def test_demo_knows_its_page_by_the_token(page):
    client = door_for(page).authenticate(f"Bearer {page.token(REVIEW)}", [REVIEW])
    assert client.iss == ISS
    assert client.may_call("https://named.example.org/fhir")
    assert client.may_call("http://127.0.0.1:9090/fhir")
    assert not client.may_call("https://other.example.org/fhir")


def test_token_serves_once(page):
    door, token = door_for(page), page.token(REVIEW)
    assert door.authenticate(f"Bearer {token}", [REVIEW]).iss == ISS
    assert door.authenticate(f"Bearer {token}", [REVIEW]).iss != ISS


def test_whoever_has_no_token_reaches_no_named_server(page):
    client = door_for(page).authenticate(None, [REVIEW])
    assert not client.may_call("https://named.example.org/fhir")


def test_key_of_another_start_is_not_known(page):
    token = Signer(ISS, now=lambda: NOW).token(REVIEW)
    assert door_for(page).authenticate(f"Bearer {token}", [REVIEW]).iss != ISS


def test_without_a_page_its_name_is_unknown(page):
    door = demo_door(Trust(0.0, now=lambda: NOW), NullStore().remember)
    assert door.authenticate(f"Bearer {page.token(REVIEW)}", [REVIEW]).iss != ISS
