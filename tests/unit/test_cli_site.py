"""massage-cds site check, and what a site file does to other commands."""

from datetime import date
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.local import SiteError
from cds_service.services import build_services, reviewer_of
from cds_service.settings import load_settings

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "site.toml"
FIXTURES = Path(__file__).resolve().parents[2] / "fhir_fixtures"
BAD = 'site = "A"\n[[codes]]\ncode = "1"\nvalue-set = "low-bak-pain"\n'


def run(*arguments, **environ):
    return CliRunner().invoke(main, list(map(str, arguments)), env=environ)


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(BAD, encoding="utf-8")
    return path


def test_the_example_is_sound():
    result = run("site", "check", EXAMPLE)
    assert result.exit_code == 0
    assert f"{EXAMPLE}: ok, 29 codes and words, " in result.output


def test_a_bad_file_is_told_with_line_and_remedy(bad):
    result = run("site", "check", bad)
    assert result.exit_code == 1
    assert f"{bad}:4: unknown value set 'low-bak-pain'; write low-back-pain" in result.output


def test_a_file_that_is_not_there_is_wrong_usage():
    assert run("site", "check", "nowhere.toml").exit_code == 2


def test_no_service_starts_on_a_bad_file(bad):
    settings = load_settings({"MASSAGE_CDS_SITE": str(bad)})
    with pytest.raises(SiteError, match="write low-back-pain"):
        reviewer_of(settings, date.today)


def test_a_service_asks_for_the_codes_of_the_site():
    settings = load_settings({"MASSAGE_CDS_SITE": str(EXAMPLE)})
    services = build_services(settings, reviewer_of(settings, date.today))
    (service,) = (one for one in services if one.id == "massage-order-review")
    assert ",301,302,303,304,305,310,320,321,PAIN-PANEL" in service.prefetch["measures"]


@pytest.mark.parametrize(("site", "expected"), [(EXAMPLE, True), (None, False)])
def test_explain_says_by_which_line(tmp_path, site, expected):
    record = (FIXTURES / "patients" / "cca-crossing-twelve.json").read_text(encoding="utf-8")
    local = record.replace(
        "http://hl7.org/fhir/sid/icd-10-cm", "https://hospital.example.org/problems"
    )
    path = tmp_path / "record.json"
    path.write_text(local.replace('"G89.29"', '"P-1207"'), encoding="utf-8")
    request = FIXTURES / "requests" / "cca-crossing-twelve.json"
    environ = {"MASSAGE_CDS_SITE": str(site)} if site else {}
    words = run("explain", request, "--record", path, **environ)
    data = run("explain", request, "--record", path, "--json", **environ)
    told = (
        "(via site file line 8: local code P-1207 -> code http://hl7.org/fhir/sid/icd-10-cm|G89.29)"
    )
    assert (told in words.output) is expected
    findings = [
        one
        for evaluation in orjson.loads(data.output)
        for criterion in evaluation["criteria"]
        for one in criterion["evidence"]
    ]
    assert any("via" in one for one in findings) is expected
