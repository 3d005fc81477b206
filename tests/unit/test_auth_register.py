from pathlib import Path

import pytest

from cds_service.auth.register import ClientsError, read_clients

GOOD = """# who may call
[[client]]
iss = "https://ehr.example.org"
jku = "https://ehr.example.org/.well-known/jwks.json"
fhir_servers = ["https://ehr.example.org/fhir"]
tenants = []
system_actions = true

[[client]]
iss = "https://other.example.org"
jwks = "keys.json"
algorithms = ["RS256"]
tenants = ["a"]
system_actions = false
family = "review"
"""


def read(tmp_path, text):
    (tmp_path / "keys.json").write_text("{}")
    path = tmp_path / "clients.toml"
    path.write_text(text, encoding="utf-8")
    return read_clients(path)


def test_clients_are_read(tmp_path):
    first, second = read(tmp_path, GOOD)
    assert first.iss == "https://ehr.example.org"
    assert first.algorithms == ("ES384", "RS384")
    assert first.may_call("https://ehr.example.org/fhir")
    assert first.system_actions
    assert first.family is None
    assert second.jwks == tmp_path / "keys.json"
    assert (second.algorithms, second.tenants, second.family) == (("RS256",), ("a",), "review")
    assert not second.system_actions
    assert not second.may_call("https://ehr.example.org/fhir")


def changed(old, new):
    assert old in GOOD
    return GOOD.replace(old, new, 1)


BAD = [
    (changed('iss = "https://ehr.example.org"', "iss = 1"), 3, "issuer"),
    (changed('iss = "https://ehr.example.org"', ""), 2, "issuer"),
    (changed('"https://other.example.org"', '"https://ehr.example.org"'), 10, "client 1"),
    (changed('jku = "https', 'jku = "http'), 4, "https"),
    (changed('jku = "https://ehr.example.org/.well-known/jwks.json"', ""), 2, "key set"),
    (changed("keys.json", "nowhere.json"), 11, "exists"),
    (changed('["https://ehr.example.org/fhir"]', '"https://ehr.example.org/fhir"'), 5, "list"),
    (changed('["https://ehr', '["http://ehr'), 5, "https"),
    (changed("example.org/fhir", "example.org/fhir?x=1"), 5, "query"),
    (changed("tenants = []", "tenants = [1]"), 6, "texts"),
    (changed('"RS256"', '"HS256"'), 12, "ES384"),
    (changed('"RS256"', '"none"'), 12, "ES384"),
    (changed('["RS256"]', "[]"), 12, "one or more"),
    (changed("system_actions = true", 'system_actions = "no"'), 7, "true or false"),
    (changed('"review"', '"pas"'), 15, "crd"),
    (changed("tenants = []", "tenant = []"), 6, "write tenants"),
]


@pytest.mark.parametrize(("text", "line", "remedy"), BAD)
def test_what_is_wrong_is_told_with_file_line_and_remedy(tmp_path, text, line, remedy):
    with pytest.raises(ClientsError) as caught:
        read(tmp_path, text)
    (told,) = str(caught.value).splitlines()
    assert told.startswith(f"{tmp_path / 'clients.toml'}:{line}: client ")
    assert remedy in told


@pytest.mark.parametrize("text", ["", "x = 1", "client = []", "client = [1]", f"x = 1\n{GOOD}"])
def test_a_file_without_clients_is_refused(tmp_path, text):
    with pytest.raises(ClientsError, match=r"\[\[client\]\]"):
        read(tmp_path, text)


def test_a_file_that_is_no_toml_is_refused_with_its_line(tmp_path):
    with pytest.raises(ClientsError, match="line 2"):
        read(tmp_path, "[[client]]\niss = \n")


def test_a_file_that_cannot_be_read_is_refused():
    with pytest.raises(ClientsError, match="cannot be read"):
        read_clients(Path("nowhere.toml"))
