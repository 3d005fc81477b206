"""Every story beside a policy comes out as it says."""

import pytest

from cds_service.policy_tests.stories import read_tests, run_test, shipped_tests, told
from cds_service.services import rules_of
from cds_service.settings import load_settings

TESTS = read_tests(shipped_tests())


@pytest.fixture(scope="module")
def rules():
    return rules_of(load_settings({}))


@pytest.mark.parametrize("test", TESTS, ids=lambda test: f"{test.policy}: {test.title}")
def test_story(test, rules):
    run = run_test(test, rules)
    assert not run.differences, told(run)
