"""Which FHIR servers the demo's page may read."""

import pytest
from flask import Flask

from cds_service import demo
from cds_service.auth.signer import Signer
from cds_service.demo import ISS, add_demo
from cds_service.settings import load_settings
from cds_service.web import Outside
from cds_service.web.outside import OutsideError

NAMED = "https://named.example.org/fhir"


@pytest.fixture
def outside(monkeypatch):
    """What the page is given for the settings."""
    given = {}
    real = demo.web_blueprint
    monkeypatch.setattr(demo, "web_blueprint", lambda *a, **k: given.update(k) or real(*a, **k))
    settings = load_settings({"MASSAGE_CDS_DEMO_FHIR_SERVERS": NAMED})
    add_demo(Flask("demo", static_folder=None), settings, Signer(ISS))
    assert isinstance(given["outside"], Outside)
    return given["outside"]


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:8090/fhir", "http://localhost/r4/", NAMED, f"{NAMED}/tenant"]
)
def test_this_machine_and_named_servers_are_read(outside, base):
    assert outside.server(base).base == base.rstrip("/")


@pytest.mark.parametrize(
    "base",
    [
        "https://other.example.org/fhir",
        "http://named.example.org/fhir",
        f"{NAMED}/../secret",
        f"{NAMED}?x=1",
        "http://127.0.0.1/fhir?x=1",
        "http://192.168.0.1/fhir",
        "http://2130706433/fhir",
        "",
    ],
)
def test_nothing_else_is(outside, base):
    with pytest.raises(OutsideError, match="not read from here"):
        outside.server(base)
