"""The demo's pages beside the EHR: what they ask, put together with the web."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import cache

from flask import Flask

from cds_service.exploring import Explorer
from cds_service.hooks.client import Client
from cds_service.policy_tests.stories import StoryRun, read_tests, run_test, story_files
from cds_service.review import Rules
from cds_service.services import reviewer_of
from cds_service.settings import Settings
from cds_service.store import Store
from cds_service.web.exploring import exploring_blueprint
from cds_service.web.navigation import navigation
from cds_service.web.policies import Stories, StoryLine, policies_blueprint


def add_pages(
    app: Flask, settings: Settings, today: Callable[[], date], store: Store, client: Client
) -> None:
    """Add the pages; `client` is who the EHR's page calls as."""
    reviewer = reviewer_of(settings, today, store)
    explorer = Explorer(reviewer, client)
    rules = reviewer.rules
    stories = _stories(settings, rules)
    app.register_blueprint(policies_blueprint(rules.library, rules.payers, stories))
    app.context_processor(lambda: {"navigation": navigation()})
    app.register_blueprint(exploring_blueprint(explorer, max_body=settings.max_body))


def _stories(settings: Settings, rules: Rules) -> Stories:
    """Return the stories beside the policies; those of a policy are run once, when first asked."""
    tests = read_tests(story_files(settings.policies))

    @cache
    def run(policy: str) -> tuple[StoryLine, ...]:
        return tuple(_line(run_test(test, rules)) for test in tests if test.policy == policy)

    return Stories(dict(Counter(test.policy for test in tests)), run)


def _line(run: StoryRun) -> StoryLine:
    test = run.test
    found = tuple(dict.fromkeys(str(made["determination"]) for made in run.evaluations))
    return StoryLine(test.title, f"{test.file}:{test.line}", found, run.differences)
