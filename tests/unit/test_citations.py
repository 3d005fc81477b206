"""Citations: places, the sections that hold them, and what lies in none."""

import pytest

from cds_service.policies.citations import (
    Place,
    astray,
    places,
    sections_of,
    sources_of,
    titles_of,
)
from cds_service.policies.library import default_library, load_library, shipped
from cds_service.policies.source import PolicyError

POLICY = {
    "title": "A policy",
    "source": {
        "id": "S2",
        "title": "A document",
        "sections": {"Need": "L10-20", "Limits": ["L21-30", "p.4"], "Rest": "L31"},
    },
    "sources": {"S9": {"title": "Another", "sections": {"Flags": "p.9-10"}}},
}
SOURCES = sources_of(POLICY)


@pytest.mark.parametrize(
    ("citation", "found"),
    [
        ("S2 L12", [("S2", "L", 12, 12)]),
        ("S2 L12-14, L30", [("S2", "L", 12, 14), ("S2", "L", 30, 30)]),
        ("S0 L5, S1 p.9", [("S0", "L", 5, 5), ("S1", "p.", 9, 9)]),
        ("S1 p.3-4 L164-180", [("S1", "p.", 3, 4), ("S1", "L", 164, 180)]),
        ("G-20", []),
    ],
)
def test_places(citation, found):
    assert list(places(citation)) == [Place(*one) for one in found]


@pytest.mark.parametrize(
    ("citation", "named"),
    [
        ("S2 L12", ("Need",)),
        ("S2 L20-21", ("Need", "Limits")),
        ("S2 L30, L12, L22", ("Limits", "Need")),
        ("S2 p.4", ("Limits",)),
        ("S2 p.4 L31", ("Rest",)),
        ("S2 L12, S9 p.10", ("Need", "Flags")),
        ("S2 L99", ()),
        ("S7 L12", ()),
    ],
)
def test_sections(citation, named):
    assert sections_of(citation, SOURCES) == named


def test_titles_are_the_policy_s_own_and_those_of_others():
    assert titles_of("S2 L12, S9 p.9, S2 L30", SOURCES) == ("A policy", "Another")


def test_what_no_section_holds_is_astray():
    assert astray("S2 L12, L99", SOURCES) == [Place("S2", "L", 99, 99)]
    assert astray("S7 L1", SOURCES) == []
    assert astray("S2 L99", sources_of({"title": "T", "source": {"id": "S2", "title": "D"}})) == []


def test_a_citation_outside_every_section_is_a_problem_with_its_line():
    files = dict(shipped())
    text = files["cca-mng-084.yaml"].replace("source: S2 L175\n", "source: S2 L9999\n", 1)
    with pytest.raises(PolicyError) as refused:
        load_library((files | {"cca-mng-084.yaml": text}).items())
    [problem] = refused.value.problems
    assert "no section of S2 holds L9999" in str(problem)
    assert text.splitlines()[problem.line - 1].strip() == "source: S2 L9999"


LIBRARY = default_library()


@pytest.mark.parametrize("name", LIBRARY.ids())
def test_every_rule_of_a_shipped_policy_names_its_section(name):
    for policy in LIBRARY.versions[name]:
        rules = [*policy.criteria.values(), *policy.safety]
        assert [rule.id for rule in rules if not rule.sections] == []
        assert policy.head.route


def test_a_shared_rule_names_its_clinical_source():
    [policy] = LIBRARY.versions["kpwa-massage"]
    named = {rule.id: rule.origins for rule in policy.overlay.rules}
    assert all(named.values())
    assert named["OVERLAY-MI-CVA"] == ("ASH CPG 167 Therapeutic Massage",)


def test_what_other_criteria_decide_is_derived():
    [policy] = LIBRARY.versions["cca-mng-084"]
    assert policy.criteria["CCA-X1"].derived
    assert not policy.criteria["CCA-E2"].derived
    assert not policy.criteria["CCA"].derived
