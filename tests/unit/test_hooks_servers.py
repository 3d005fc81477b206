import pytest

from cds_service.hooks.servers import is_loopback, is_loopback_host, no_server

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
    assert not no_server(url)


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
