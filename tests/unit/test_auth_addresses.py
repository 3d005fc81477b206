import pytest

from cds_service.auth.addresses import (
    is_base,
    is_loopback,
    is_loopback_host,
    is_secure,
    lies_under,
)

LOCAL = [
    "http://127.0.0.1:8080/fhir",
    "http://127.1.2.3",
    "https://localhost/fhir",
    "http://LOCALHOST:1",
    "http://[::1]:8080/fhir",
]


@pytest.mark.parametrize("url", LOCAL)
def test_this_machine_may_be_read(url):
    assert is_loopback(url)
    assert is_secure(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "ftp://localhost/",
        "file:///etc/passwd",
        "http://example.org/fhir",
        "http://127.0.0.1.example.org/",
        "http://localhost.example.org/",
        "http://localhost@example.org/",
        "http://example.org\\@localhost/",
        "http://local host/",
        "http://localhost\t.example.org/",
        "http://localhost\n/",
        "http://[::1/",
        "http://[::2]/",
        "http://127.1/",
        "http://2130706433/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://[::ffff:10.0.0.1]/",
        "http://localhost:0/",
        "http://localhost:99999/",
        "http:///fhir",
    ],
)
def test_nothing_else_is_this_machine(url):
    assert not is_loopback(url)


@pytest.mark.parametrize(("host", "local"), [("::1", True), ("[::1]", True), ("0.0.0.0", False)])
def test_a_host_to_listen_on(host, local):
    assert is_loopback_host(host) is local


@pytest.mark.parametrize(
    "url", ["http://ehr.example.org/fhir", "ftp://ehr.example.org", "fhir", ""]
)
def test_http_is_for_this_machine_alone(url):
    assert not is_secure(url)


BASE = "https://ehr.example.org/fhir"


@pytest.mark.parametrize(
    "url",
    [BASE, f"{BASE}/", f"{BASE}/tenant-1", "https://EHR.example.org:443/fhir"],
)
def test_what_lies_at_or_below_a_server_may_be_called(url):
    assert lies_under(url, BASE)
    assert is_base(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://ehr.example.org/fhir",
        "https://ehr.example.org:8443/fhir",
        "https://ehr.example.org/",
        "https://ehr.example.org/fhirs",
        "https://ehr.example.org/fhir/../admin",
        "https://ehr.example.org/fhir/%2e%2e/admin",
        "https://ehr.example.org/fhir/%252e%252e/admin",
        "https://ehr.example.org/fhir/..%2fadmin",
        "https://ehr.example.org/fhir/..;/admin",
        "https://ehr.example.org/fhir?x=1",
        "https://ehr.example.org/fhir#x",
        "https://ehr.example.org.evil.example/fhir",
        "https://ehr.example.org@evil.example/fhir",
        "https://evil.example\\@ehr.example.org/fhir",
        "https://ehr.example.org:0/fhir",
        "https://169.254.169.254/fhir",
        "https://[fe80::1]/fhir",
        "https://10.0.0.1/fhir",
    ],
)
def test_nothing_else_may_be_called(url):
    assert not lies_under(url, BASE)
