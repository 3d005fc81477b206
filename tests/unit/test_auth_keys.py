import json

import orjson
import pytest

from cds_service.auth.keys import KINDS, KeysError, SandboxKeyError, read_keys, sandbox_key
from cds_service.auth.opening import bases_of
from cds_service.auth.sources import (
    FRESH_SECONDS,
    MOST_BYTES,
    RETRY_SECONDS,
    UNKNOWN_SECONDS,
    KeySource,
    SourceError,
    from_file,
    from_url,
)
from tests.callers import ABSENT, KeyServer, jwk, key_set, new_key
from tests.live import serve

EC = new_key()
RSA = new_key("RS384")
GRACE = 1000.0


@pytest.mark.parametrize("alg", KINDS)
def test_a_key_serves_its_algorithm_alone(alg):
    keys = read_keys(key_set(jwk(new_key(alg), "k", alg)), KINDS)
    assert set(keys.usable) == {("k", alg)}


def test_a_key_that_names_no_algorithm_serves_those_of_its_kind():
    keys = read_keys(key_set(jwk(RSA, "k", "RS384", alg=ABSENT)), ["RS384", "PS384", "ES384"])
    assert set(keys.usable) == {("k", "RS384"), ("k", "PS384")}


UNUSABLE = [
    (jwk(EC, kid=ABSENT), "has no kid"),
    (jwk(EC, d="AQAB"), "secret part"),
    (jwk(EC, use="enc"), "not for signatures"),
    (jwk(EC, key_ops=["sign"]), "not for signatures"),
    (jwk(EC, crv="P-256"), "fits none"),
    (jwk(EC, x="AAAA"), "no sound key"),
    (jwk(new_key("RS384", 1024), "k1", "RS384"), "2048"),
    ({"kty": "oct", "kid": "k1", "k": "c2VjcmV0"}, "secret part"),
    ({"kty": "oct", "kid": "k1"}, "fits none"),
    (7, "has no kid"),
]


@pytest.mark.parametrize(("key", "reason"), UNUSABLE)
def test_a_key_that_cannot_be_used_costs_that_key(key, reason):
    keys = read_keys(key_set(key, jwk(RSA, "other", "RS384")), ["ES384", "RS384"])
    assert set(keys.usable) == {("other", "RS384")}
    (told,) = keys.problems
    assert told.startswith("keys[0]")
    assert reason in told
    with pytest.raises(KeysError, match=reason):
        read_keys(key_set(key), ["ES384", "RS384"])


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"keys": {}}', b'{"keys": []}'])
def test_what_is_no_key_set_is_refused(body):
    with pytest.raises(KeysError):
        read_keys(body, ["ES384"])


def test_the_sandbox_key_is_known_under_any_name():
    disguised = {name: sandbox_key()[name] for name in ("kty", "crv", "x", "y")} | {"kid": "mine"}
    with pytest.raises(SandboxKeyError):
        read_keys(key_set(jwk(EC), disguised), ["ES384"])
    assert read_keys(key_set(disguised), ["ES384"], public=True).of("mine", "ES384")


class Clocked:
    """A key source whose clock and key server a test moves."""

    def __init__(self, body):
        self.time, self.body, self.asked = 0.0, body, 0
        self.source = KeySource("ehr", self.load, self.read, GRACE, lambda: self.time)
        self.source.refresh()

    def load(self):
        self.asked += 1
        if self.body is None:
            raise SourceError("down")
        return self.body

    def read(self, body):
        return read_keys(body, ["ES384"])

    def knows(self, kid="k1"):
        return bool(self.source.find(kid, "ES384"))


@pytest.fixture
def keys():
    return Clocked(key_set(jwk(EC)))


def test_fresh_keys_are_not_asked_for_again(keys):
    keys.time = FRESH_SECONDS - 1
    assert keys.knows()
    assert keys.asked == 1
    keys.time += 1
    assert keys.knows()
    assert keys.asked == 2


def test_a_new_key_is_found_at_once_and_the_old_one_goes(keys):
    keys.body = key_set(jwk(new_key(), "k2"))
    assert keys.knows("k2")
    assert not keys.knows("k1")


@pytest.mark.requirement(63)
def test_unknown_kids_are_looked_for_once_in_five_seconds(keys):
    for number in range(50):
        assert not keys.knows(f"guess-{number}")
    assert keys.asked == 2
    keys.time += UNKNOWN_SECONDS
    assert not keys.knows("guess")
    assert keys.asked == 3


@pytest.mark.requirement(63)
def test_keys_serve_on_while_the_key_server_is_down_and_then_no_more(keys):
    keys.body = None
    keys.time = FRESH_SECONDS + GRACE - 1
    assert keys.knows()
    asked = keys.asked
    assert keys.knows()
    assert keys.asked == asked, f"not asked again within {RETRY_SECONDS} s"
    keys.time += 1
    assert not keys.knows()


def test_garbage_takes_no_key_away_but_withdrawal_does(keys):
    keys.time, keys.body = FRESH_SECONDS, b"<html>502</html>"
    assert keys.knows()
    keys.time, keys.body = 2 * FRESH_SECONDS, key_set()
    assert not keys.knows()


def test_keys_come_once_the_server_is_back(caplog):
    keys = Clocked(None)
    assert not keys.knows()
    assert "down" in caplog.text
    keys.body, keys.time = key_set(jwk(EC)), UNKNOWN_SECONDS
    assert keys.knows()


def test_a_key_file_is_read(tmp_path):
    path = tmp_path / "keys.json"
    with pytest.raises(SourceError):
        from_file(path)()
    path.write_bytes(b"{}")
    assert from_file(path)() == b"{}"


def test_a_key_set_is_fetched_without_redirect_and_within_its_size():
    server = KeyServer(key_set(jwk(EC)))
    with serve(server.app) as url:
        load = from_url(f"{url}/jwks.json")
        assert json.loads(load()) == orjson.loads(server.body)
        server.status, server.location = 302, f"{url}/elsewhere.json"
        with pytest.raises(SourceError, match="302"):
            load()
        server.status, server.body = 200, b" " * (MOST_BYTES + 1)
        with pytest.raises(SourceError, match="longer"):
            load()
    with pytest.raises(SourceError, match="could not be reached"):
        load()


def test_a_local_service_answers_to_all_its_local_names():
    assert bases_of("http://127.0.0.1:8080") == (
        "http://127.0.0.1:8080",
        "http://localhost:8080",
        "http://[::1]:8080",
    )
    assert bases_of("https://cds.example.org") == ("https://cds.example.org",)
