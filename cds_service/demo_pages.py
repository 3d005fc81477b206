"""The demo's pages beside the EHR: what they ask, put together with the web."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

from flask import Flask

from cds_service.exploring import Explorer
from cds_service.hooks.client import Client
from cds_service.insight import Teller, as_csv
from cds_service.policy_tests.stories import StoryRun, read_tests, run_test, story_files
from cds_service.review import Rules
from cds_service.reviewer import Reviewer
from cds_service.settings import Settings
from cds_service.store import StoreError
from cds_service.store.insight import Insight, span_of
from cds_service.web.exploring import exploring_blueprint
from cds_service.web.insight import Days, Source, Told, insight_blueprint
from cds_service.web.policies import Stories, StoryLine, policies_blueprint


def add_pages(app: Flask, settings: Settings, reviewer: Reviewer, client: Client) -> None:
    """Add the pages; `reviewer` answers the hooks, `client` is who the EHR's page calls as."""
    explorer = Explorer(reviewer, client)
    rules = reviewer.rules
    stories = _stories(settings, rules)
    app.register_blueprint(policies_blueprint(rules.library, rules.payers, stories))
    app.register_blueprint(insight_blueprint(_numbers(reviewer)))
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


def _numbers(reviewer: Reviewer) -> Source:
    """Return what the store tells, every count: the patients of the demo are invented."""
    rules, store = reviewer.rules, reviewer.keeper.store
    teller = Teller(rules.library, least=1)

    def found(days: Days) -> Insight | None:
        try:
            return store.insight(
                span_of(days.first, days.last, service=days.service, zone=rules.zone)
            )
        except StoreError:
            return None

    def told(days: Days) -> Told | None:
        made, every = found(days), found(replace(days, service=None))
        if made is None or every is None:
            return None
        services = sorted(service for (service,) in every.answers)
        answers = sum(made.answers.values())
        return Told(teller.count(made.orders), answers, services, teller.sections(made), 1)

    def table(days: Days) -> str | None:
        made = found(days)
        return as_csv(teller.sections(made)) if made else None

    return Source(told, table, reviewer.today)
