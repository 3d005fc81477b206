"""A bad policy file is refused with file, line, what is wrong and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cds_service.app import create_app
from cds_service.evidence import vocabulary
from cds_service.evidence.quantities import QUANTITIES
from cds_service.policies.library import load_library, shipped
from cds_service.policies.source import PolicyError
from cds_service.policies.units import BY_QUANTITY
from cds_service.settings import load_settings
from tests.unit.engine_parts import SMALL, fragments, small

FILE = "small.yaml"


def problems(text, *others):
    """Return the problems of one file beside the shared ones, as they are told."""
    with pytest.raises(PolicyError) as refused:
        load_library([*fragments(), *others, (FILE, text)])
    return [str(problem) for problem in refused.value.problems]


def line_of(text, words):
    return next(n for n, line in enumerate(text.splitlines(), start=1) if words in line)


def test_the_small_policy_is_good():
    assert load_library([*fragments(), (FILE, SMALL)]).ids() == ["small"]


BAD = yaml.safe_load((Path(__file__).parent / "bad_policies.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad["kind"])
def test_refused(bad):
    old, new = bad["instead-of"], bad["write"]
    assert old in SMALL, "the small policy no longer holds what is replaced"
    text = SMALL.replace(old, new, 1)
    told = problems(text)
    place = f"{FILE}:{line_of(text, bad['line']) if 'line' in bad else changed_line(text)}: "
    assert any(
        one.startswith(place) and bad["what"] in one and bad.get("remedy", "") in one
        for one in told
    ), (place, told)


def changed_line(text):
    """Return the first line that differs from the small policy."""
    lines = zip(text.splitlines(), SMALL.splitlines(), strict=False)
    return next(n for n, (new, old) in enumerate(lines, start=1) if new != old)


@pytest.mark.parametrize("text", ["", "[]", "7", "policy: 7", "policy: small"])
def test_what_is_no_policy_at_all(text):
    told = problems(text)
    assert told
    assert all(one.startswith(f"{FILE}:1: ") for one in told)


def test_a_cycle_through_two_rules_is_named():
    data = small()
    for name, other in (("X-1", "X-2"), ("X-2", "X-1")):
        data["criteria"][name]["decide"] = [
            {"when": {"criterion": other}, "is": "met"},
            {"else": "unknown"},
        ]
    del data["parameters"], data["items"]
    data |= {"parameters": {}, "items": {"X-D1": {"text": "The diagnosis", "source": "S9"}}}
    assert any("X-1 -> X-2 -> X-1" in told for told in problems(yaml.safe_dump(data)))


def test_a_cycle_through_safety_is_named():
    data = small()
    data["criteria"]["X-1"]["decide"].insert(
        0, {"when": {"open-finding": {"effect": ["stop"]}}, "is": "not-met"}
    )
    data["safety"]["X-S1"]["judge"][0]["if"]["when"] = {"criterion": "X-1"}
    assert any("cyclic reference" in told for told in problems(yaml.safe_dump(data)))


def test_all_problems_are_told_at_once():
    text = SMALL.replace("$old}", "$older}").replace("in: [fracture]", "in: [fractur]")
    assert len(problems(text)) == 2


def test_a_threshold_on_another_scale_is_refused():
    rows = [
        {"when": {"measure": {"of": "temperature", "above": "$hot"}}, "is": "not-met"},
        {"else": "unknown", "asks": ["X-D1"]},
    ]
    hot = {"value": "38.6", "unit": "Cel", "source": "S9 L1"}
    data = small(**{"criteria/X-1/decide": rows, "parameters/hot": hot, "parameters/old": None})
    (told,) = problems(yaml.safe_dump(data))
    assert "'$hot' is in Cel" in told
    assert "degF" in told


def test_every_quantity_has_a_unit():
    vocabulary.load()
    assert BY_QUANTITY.keys() == QUANTITIES.keys()


@pytest.mark.parametrize("unit", ["d", "points"])
def test_a_percentage_is_given_in_percent(unit):
    rows = [
        {"when": {"progress": {"of": "odi", "better-by": {"percent": "$half"}}}, "is": "met"},
        {"else": "unknown", "asks": ["X-D1"]},
    ]
    half = {"value": 50, "unit": unit, "source": "S9 L1"}
    data = small(**{"criteria/X-1/decide": rows, "parameters/half": half, "parameters/old": None})
    (told,) = problems(yaml.safe_dump(data))
    assert f"'$half' is in {unit}" in told
    assert "give it in %" in told
    data["parameters"]["half"]["unit"] = "%"
    assert load_library([*fragments(), (FILE, yaml.safe_dump(data))]).ids() == ["small"]


class TestTogether:
    def other(self, **changes):
        return ("other.yaml", yaml.safe_dump(small(**changes)))

    def test_an_id_used_by_two_policies(self):
        told = problems(SMALL, self.other(policy="other"))
        assert any(
            f"{FILE}:{line_of(SMALL, 'X-1:')}:" in one and "already used by other" in one
            for one in told
        )

    @pytest.mark.parametrize("end", [None, "2020-01-01", "2023-06-30"])
    def test_dates_that_overlap(self, end):
        older = {"start": "2019-01-01", "end": end}
        (told,) = problems(SMALL, self.other(effective=older, version="0"))
        assert told.startswith(f"{FILE}:{line_of(SMALL, 'effective:')}: ")
        assert "effective dates overlap with other.yaml" in told
        assert "end one before the other" in told

    def test_dates_that_follow_each_other(self):
        older = {"start": "2019-01-01", "end": "2019-12-31"}
        texts = [*fragments(), self.other(effective=older, version="0"), (FILE, SMALL)]
        versions = load_library(texts).versions["small"]
        assert [version.head.version for version in versions] == ["1", "0"]

    def test_the_same_version_twice(self):
        older = {"start": "2019-01-01", "end": "2019-12-31"}
        told = problems(SMALL, self.other(effective=older))
        assert any("version" in one and "other.yaml" in one for one in told)


class TestStart:
    def site(self, tmp_path, text):
        (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
        return load_settings({"MASSAGE_CDS_POLICIES": str(tmp_path)})

    def test_no_service_starts_on_half_a_policy_set(self, tmp_path):
        settings = self.site(tmp_path, SMALL.replace("$old}", "$older}"))
        with pytest.raises(PolicyError, match=r"own\.yaml:\d+: unknown parameter '\$older'"):
            create_app(settings, open_access=True, demo=False)

    def test_a_good_policy_of_the_site_stands_beside_the_shipped(self, tmp_path):
        assert create_app(self.site(tmp_path, SMALL), open_access=True, demo=False)


def test_the_shipped_policies_are_good():
    assert load_library(shipped()).ids()
