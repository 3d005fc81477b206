"""The policies as their owners read them: what `massage-cds policies show` prints, as pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, render_template, request

from cds_service.evaluation import number
from cds_service.policies.commands import UnknownPolicyError, chosen, outlines
from cds_service.policies.library import PolicyLibrary
from cds_service.policies.outline import Outline, RuleLine
from cds_service.policies.policy import Policy
from cds_service.policies.routing import PayerEntry
from cds_service.terminology import Terminology
from cds_service.terminology.systems import NAMES
from cds_service.web.headers import protect

Page = str | tuple[str, int]


@dataclass(frozen=True, slots=True)
class StoryLine:
    """A story beside a policy and what it came to; `differences` is empty as expected."""

    title: str
    place: str
    determinations: Sequence[str]
    differences: Sequence[str]


@dataclass(frozen=True, slots=True)
class Stories:
    """The stories beside policies: how many by policy id, and what runs those of one."""

    counts: dict[str, int]
    run: Callable[[str], Sequence[StoryLine]]


@dataclass(slots=True)
class RuleNode:
    """A rule with the rules that it gathers."""

    line: RuleLine
    below: list[RuleNode] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Listed:
    """A version of a policy as the list shows it; `older` than the newest one."""

    policy: Policy
    effective: str
    rules: int
    configured: int
    stories: int
    older: bool


def policies_blueprint(
    library: PolicyLibrary, payers: Sequence[PayerEntry], stories: Stories
) -> Blueprint:
    """Return the pages of a library; `payers` is the table that routes to it."""
    pages = Blueprint("policies", __name__, url_prefix="/policies", template_folder="templates")
    pages.after_request(protect)
    pages.register_error_handler(UnknownPolicyError, _absent)

    @pages.get("")
    def listing() -> str:
        return render_template("policies.html", policies=list(_listed(library, stories)))

    @pages.get("/<name>")
    def policy(name: str) -> str:
        outline = chosen(library, name, request.args.get("version"))
        return render_template("policy.html", **_shown(outline, library, payers, stories))

    @pages.get("/<name>/stories")
    def stories_of(name: str) -> str:
        head = chosen(library, name, None).policy.head
        runs = stories.run(name)
        failed = sum(bool(run.differences) for run in runs)
        return render_template("stories.html", head=head, runs=runs, failed=failed)

    @pages.get("/value-sets/<name>")
    def value_set(name: str) -> Page:
        terminology = Terminology.load()
        if not terminology.has(name):
            return _absent(f"There is no value set {name}.")
        held = terminology.value_set(name)
        compose = held.resource["compose"]
        return render_template("value_set.html", held=held, compose=compose, names=NAMES)

    return pages


def _absent(words: object) -> Page:
    return render_template("absent.html", words=str(words)), 404


def _listed(library: PolicyLibrary, stories: Stories) -> Iterator[Listed]:
    for outline in outlines(library):
        policy = outline.policy
        yield Listed(
            policy=policy,
            effective=outline.effective(),
            rules=len(outline.rule_ids()),
            configured=len(outline.own_configured()),
            stories=stories.counts.get(policy.head.id, 0),
            older=policy is not library.versions[policy.head.id][0],
        )


def _shown(
    outline: Outline, library: PolicyLibrary, payers: Iterable[PayerEntry], stories: Stories
) -> dict[str, Any]:
    name = outline.policy.head.id
    lines = outline.rules()
    ruled = {line.id for line in lines}
    return {
        "outline": outline,
        "head": outline.policy.head,
        "data": outline.data,
        "rules": tree(lines),
        "ruled": ruled,
        "flagged": ruled | {one.id for one in outline.safety()},
        "numbers": outline.used_numbers(),
        "unsigned": len(outline.own_configured()),
        "others": [o for o in outlines(library) if _other(o, outline)],
        "routed": [_route(row) for row in payers if row.policy == name],
        "stories": stories.counts.get(name, 0),
        "plain": lambda value: f"{number(value):g}",
    }


def _other(one: Outline, outline: Outline) -> bool:
    mine, its = outline.policy.head, one.policy.head
    return its.id == mine.id and its.version != mine.version


def _route(row: PayerEntry) -> str:
    line = row.line_of_business or "any product"
    return f"{row.plan or row.payor[1]} ({line.replace('-', ' ')})"


def tree(lines: Iterable[RuleLine]) -> list[RuleNode]:
    """Return listed rules as trees, by how deep each lies."""
    roots: list[RuleNode] = []
    way: list[RuleNode] = []
    for line in lines:
        node = RuleNode(line)
        del way[line.depth :]
        (way[-1].below if way else roots).append(node)
        way.append(node)
    return roots
