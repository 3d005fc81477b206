"""massage-cds policies: list, show, check, test."""

import pytest
import yaml
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.policies.commands import SHIPPED
from cds_service.policies.library import default_library
from tests.unit.engine_parts import SMALL, small

WIDE = 100


def run(*arguments, **environ):
    return CliRunner().invoke(main, ["policies", *map(str, arguments)], env=environ)


def written(folder, name, text):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_list_tells_version_dates_and_numbers():
    result = run("list")
    assert result.exit_code == 0
    blocks = result.output.split("\ncca-mng-084")[1]
    assert "version 2022-05-30, effective from 2022-02-06, review due 2023-05-30" in blocks
    assert "awaits a clinician's sign-off" in blocks
    assert all(name in result.output for name in default_library().ids())


def test_list_marks_drafts():
    assert "Medical Massage Therapy (draft)" in run("list").output


@pytest.mark.parametrize("policy", default_library().ids())
def test_show_is_readable(policy):
    result = run("show", policy)
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= WIDE
    for title in ("How it decides", "Numbers", "What can be asked for", "Value sets"):
        assert f"\n{title}\n" in result.output


def test_show_tells_where_numbers_come_from():
    text = run("show", "cca-mng-084").output
    assert "first-year-visits = 12 visits (S2 L175-176)" in text
    assert "chronic-pain-days = 90 d (configured - awaits a clinician's sign-off)" in text
    assert "The source gives no duration for chronic pain." in text


def test_show_tells_rules_with_citation_and_safety_with_effect():
    text = run("show", "cca-mng-084").output
    assert "CCA-V1  First 12 visits of a year (S2 L175-176)" in text
    assert "specialist, hold, asks for CCA-D7" in text
    assert "osteoarthritis: Osteoarthritis" in text


def test_show_one_version(tmp_path):
    folder = tmp_path / "own"
    older = small(version="0", effective={"start": "2018-01-01", "end": "2019-12-31"})
    written(folder, "old.yaml", yaml.safe_dump(older))
    written(folder, "new.yaml", SMALL)
    own = {"MASSAGE_CDS_POLICIES": str(folder)}
    assert "version    1, effective from 2020-01-01" in run("show", "small", **own).output
    text = run("show", "small", "--version", "0", **own).output
    assert "version    0, effective 2018-01-01 to 2019-12-31" in text
    refused = run("show", "small", "--version", "7", **own)
    assert refused.exit_code == 1
    assert "there is 1, 0" in refused.output


def test_show_an_unknown_policy():
    result = run("show", "nobody")
    assert result.exit_code == 1
    assert "there is ash-cpg-167" in result.output


class TestCheck:
    def test_a_good_file(self, tmp_path):
        path = written(tmp_path, "small.yaml", SMALL)
        result = run("check", path)
        assert (result.exit_code, result.output) == (0, f"{path}: ok\n")

    def test_a_bad_file_beside_a_good_one(self, tmp_path):
        good = written(tmp_path, "good.yaml", SMALL)
        text = SMALL.replace("policy: small", "policy: other").replace("X-", "Y-")
        text = text.replace("root: X", "root: Y").replace("\n  X:", "\n  Y:")
        bad = written(tmp_path, "bad.yaml", text.replace("$old}", "$older}"))
        result = run("check", good, bad)
        assert result.exit_code == 1
        assert f"{good}: ok" in result.output
        line = next(n for n, one in enumerate(text.splitlines(), start=1) if "$old}" in one)
        place = f"{bad}:{line}: "
        assert place + "unknown parameter '$older'; define it under param" in result.output
        assert "Error: 1 problem\n" in result.output

    def test_what_only_shows_together(self, tmp_path):
        paths = [written(tmp_path, name, SMALL) for name in ("one.yaml", "two.yaml")]
        result = run("check", *paths)
        assert result.exit_code == 1
        assert "effective dates overlap" in result.output

    def test_the_shipped_files(self):
        paths = sorted(SHIPPED.glob("*.yaml"))
        result = run("check", *paths)
        assert result.exit_code == 0
        assert result.output.count(": ok\n") == len(paths)

    def test_no_text_and_no_file(self, tmp_path):
        path = tmp_path / "bytes.yaml"
        path.write_bytes(b"\xff\xfe\x00")
        result = run("check", path)
        assert result.exit_code == 1
        assert f"{path}:1: cannot be read" in result.output
        assert run("check", tmp_path / "nowhere.yaml").exit_code == 2
        assert run("check").exit_code == 2


STORY = """
- title: Four visits for chronic pain
  patient: {age: 50, sex: female}
  coverage: [KFHPWA-CORE]
  orders: [{code: 97124, visits: 4, reason: G89.29}]
  expect: {determination: DETERMINATION}
"""


class TestTest:
    def site(self, tmp_path, text):
        written(tmp_path / "own", "small.yaml", SMALL)
        written(tmp_path / "own" / "tests", "small.yaml", text)
        return {"MASSAGE_CDS_POLICIES": str(tmp_path / "own")}

    def test_one_policy(self):
        result = run("test", "kpwa-massage")
        assert result.exit_code == 0
        assert result.output.endswith("as expected\n")

    def test_as_expected(self, tmp_path):
        text = STORY.replace("DETERMINATION", "not-applicable").replace("97124", "97112")
        own = self.site(tmp_path, text)
        result = run("test", "small", **own)
        assert (result.exit_code, result.output) == (0, "1 stories, 1 as expected\n")

    def test_a_failure_reads_like_a_report(self, tmp_path):
        own = self.site(tmp_path, STORY.replace("DETERMINATION", "covered"))
        result = run("test", "small", **own)
        assert result.exit_code == 1
        assert "small.yaml:2: Four visits for chronic pain\n" in result.output
        assert "  - no evaluation of small\n" in result.output
        assert "came out for kpwa-massage: conditional" in result.output
        assert "Error: 1 story failed" in result.output

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("- {title: x, patient: {age: 5, sex: female}, orders: [{}]}", "no expect"),
            ("- {title: x, patience: {}}", "patience"),
            (STORY.replace("DETERMINATION", "covered") * 2, "title used twice"),
            (STORY.replace("[KFHPWA-CORE]", "[NOWHERE]"), "NOWHERE"),
        ],
    )
    def test_a_story_that_is_none(self, tmp_path, text, what):
        result = run("test", "small", **self.site(tmp_path, text))
        assert result.exit_code == 1
        assert "small.yaml:" in result.output
        assert what in result.output
        assert "Traceback" not in result.output

    def test_a_policy_without_stories(self):
        result = run("test", "nobody")
        assert result.exit_code == 1
        assert "no stories for nobody" in result.output
