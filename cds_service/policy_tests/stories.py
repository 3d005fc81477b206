"""Policy tests: stories beside the policies, each with what the policy must say of it.

`library/tests/<policy-id>.yaml` is a list of stories (see fhir_fixtures/story.schema.yaml). They
are reviewed without HTTP and judged as the worked cases are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from cds_service.evaluation import Evaluation
from cds_service.policies.source import PolicyError, read_source
from cds_service.policy_tests.judge import differences
from cds_service.record.reader import record_of_bundle
from cds_service.review import Case, Rules, review
from cds_service.terminology.source import Problem, Source
from fhir_fixtures.stories import ORDER_DATE, StoryError, build, check_story

FOLDER = "tests"
NAME = "story"


@dataclass(frozen=True)
class PolicyTest:
    """One story with its policy, and where it stands."""

    policy: str
    title: str
    story: dict[str, Any]
    file: str
    line: int


@dataclass(frozen=True)
class StoryRun:
    """What a story came to; `differences` is empty when it came out as expected."""

    test: PolicyTest
    differences: tuple[str, ...]
    evaluations: tuple[dict[str, Any], ...]


def shipped_tests() -> list[Path]:
    """Return the files of policy tests that come with the package."""
    return tests_in(Path(str(files("cds_service.policies"))) / "library")


def tests_in(folder: Path) -> list[Path]:
    """Return the files of policy tests beside the policies of a folder."""
    return sorted((folder / FOLDER).glob("*.yaml"))


def story_files(own: Path | None) -> list[Path]:
    """Return the files that come with the package, and those beside a site's `own` policies."""
    return [*shipped_tests(), *(tests_in(own) if own else [])]


def read_tests(paths: Iterable[Path], policy: str | None = None) -> list[PolicyTest]:
    """Return the tests of these files, or of one policy; PolicyError names what is no story."""
    chosen = [path for path in paths if policy in (None, path.stem)]
    return [test for path in chosen for test in _tests(path)]


def _tests(path: Path) -> Iterator[PolicyTest]:
    source = read_source(path.name, path.read_text(encoding="utf-8"))
    seen: set[str] = set()
    for index, story in enumerate(source.data or ()):
        _check(source, index, story, seen)
        yield PolicyTest(path.stem, story["title"], story, path.name, source.line((index,)))


def _check(source: Source, index: int, story: Any, seen: set[str]) -> None:
    try:
        check_story(f"story {index + 1}", story)
    except StoryError as error:
        raise PolicyError([source.problem((index,), str(error), "mend the story")]) from None
    if "expect" not in story:
        raise PolicyError([source.problem((index,), "no expect", "say what must come out")])
    if story["title"] in seen:
        problem = source.problem((index,), "title used twice", "give each story its own")
        raise PolicyError([problem])
    seen.add(story["title"])


def run_test(test: PolicyTest, rules: Rules) -> StoryRun:
    """Review one story and judge the result; PolicyError when it cannot be built."""
    evaluations = tuple(found.as_json() for found in evaluate(test, rules))
    wrong = differences(test.story["expect"], test.policy, evaluations)
    return StoryRun(test, tuple(wrong), evaluations)


def evaluate(test: PolicyTest, rules: Rules) -> list[Evaluation]:
    """Return the evaluations of a story."""
    try:
        built = build(NAME, test.story)
    except StoryError as error:
        raise PolicyError([Problem(test.file, test.line, str(error), "mend the story")]) from None
    context = built.request["context"]
    orders = [entry["resource"] for entry in context["draftOrders"]["entry"]]
    record = record_of_bundle(context["patientId"], built.record)
    acknowledged = dict.fromkeys(test.story.get("acknowledged", ()), ORDER_DATE)
    return review(Case(orders, record, ORDER_DATE, acknowledged), rules)


def told(run: StoryRun) -> str:
    """Return a failed story for a reader: where it stands, what differs, what came out."""
    test = run.test
    lines = [f"{test.file}:{test.line}: {test.title}"]
    lines += [f"  - {difference}" for difference in run.differences]
    for found in run.evaluations:
        lines += [f"  {line}" for line in _came_out(found)]
    return "\n".join(lines)


def _came_out(found: dict[str, Any]) -> Iterator[str]:
    yield f"came out for {found['policy']}: {found['determination']}"
    for status in ("not-met", "unknown"):
        listed = [c["id"] for c in found["criteria"] if c["status"] == status]
        if listed:
            yield f"  {status}: {', '.join(listed)}"
    items = [i["id"] if i["blocking"] else f"({i['id']})" for i in found["missing"]]
    if items:
        yield f"  missing (advice in brackets): {', '.join(items)}"
    for flag in found["safety"]:
        yield f"  safety: {flag['id']} {flag['urgency']}, {flag['effect']}"
