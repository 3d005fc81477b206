"""Every story beside a policy comes out as it says, and stories reach every part of a policy."""

from collections import defaultdict
from pathlib import Path

import pytest

from cds_service.policies.library import default_library
from cds_service.policy_tests.stories import (
    PolicyTest,
    evaluate,
    read_tests,
    run_test,
    shipped_tests,
    told,
)
from cds_service.services import rules_of
from cds_service.settings import load_settings
from fhir_fixtures.stories import read_story

TESTS = read_tests(shipped_tests())
CASES = Path(__file__).parent / "cases"
WITH_STORIES = ("ash-cpg-167", "cca-mng-084", "kpwa-massage", "vha-cdi-00036")


@pytest.fixture(scope="module")
def rules():
    return rules_of(load_settings({}))


@pytest.mark.parametrize("test", TESTS, ids=lambda test: f"{test.policy}: {test.title}")
def test_story(test, rules):
    run = run_test(test, rules)
    assert not run.differences, told(run)


def cases(policy):
    stories = [(path, read_story(path)) for path in sorted(CASES.glob("*.yaml"))]
    return [
        PolicyTest(policy, story["title"], story, path.name, 1)
        for path, story in stories
        if story["policy"] == policy
    ]


def seen(policy, rules):
    """Return the statuses of criteria, the items asked for and the findings raised by stories."""
    statuses, items, findings = defaultdict(set), set(), set()
    for test in [*(t for t in TESTS if t.policy == policy), *cases(policy)]:
        for made in evaluate(test, rules):
            for criterion in made.criteria:
                statuses[criterion.id].add(criterion.status.value)
            items |= {item.id for item in made.missing}
            findings |= {finding.id for finding in made.safety}
    return statuses, items, findings


@pytest.mark.parametrize("policy", WITH_STORIES)
def test_stories_reach_every_item_and_finding(policy, rules):
    _, items, findings = seen(policy, rules)
    library = default_library()
    (version,) = library.versions[policy]
    assert set(version.items) - items == set()
    assert {rule.id for rule in version.safety} - findings == set()


@pytest.mark.parametrize("policy", ["cca-mng-084", "kpwa-massage"])
def test_stories_reach_every_status_that_a_rule_can_have(policy, rules):
    statuses, _, _ = seen(policy, rules)
    (source,) = (s for (name, _), s in default_library().sources.items() if name == policy)
    never = {
        name: possible(entry) - statuses[name]
        for name, entry in source.data["criteria"].items()
        if possible(entry) - statuses[name]
    }
    assert never == {}


def possible(entry):
    if "documented" in entry:
        return {"met", "unknown"}
    return {row.get("is", row.get("else")) for row in entry.get("decide", ())}
