"""Goals of care: what is aimed at, measurably and by when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from msgspec import Struct

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.codings import data
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf, once
from cds_service.evidence.dates import Days
from cds_service.evidence.lengths import days_of, later
from cds_service.evidence.visits import KEYS as VISIT_KEYS
from cds_service.evidence.visits import episode
from cds_service.record.model import Hole, Resource
from cds_service.terminology import Measure

DROPPED = frozenset({"cancelled", "rejected", "entered-in-error"})
COMPLETED, ACHIEVED = "completed", "achieved"
QUANTIFIED = ("detailQuantity", "detailRange", "detailRatio", "detailInteger")


class Target(Struct, frozen=True):
    """What a goal wants to reach: whether it can be measured, and by when."""

    measurable: bool
    due: Days | None


class Goal(Struct, frozen=True):
    """A goal that is neither cancelled nor in error.

    `coded` tells whether anything coded says what it is about; else it is words alone. `open` is
    one that is neither completed nor achieved.
    """

    categories: frozenset[str]
    achievement: frozenset[str]
    start: Days | None
    targets: tuple[Target, ...]
    finding: Finding
    coded: bool
    open: bool


class Goals:
    """The goals of the record, as they stand, without those of other care."""

    def __init__(self, facts: Facts) -> None:
        self.goals = [
            _goal(facts, one)
            for one in facts.record.of_type("Goal")
            if fields.text(one, "lifecycleStatus") not in DROPPED and not _other_care(facts, one)
        ]


def _other_care(facts: Facts, resource: Resource) -> bool:
    """Whether a goal is plainly of other care, such as one for weight or blood sugar."""
    rules = data("goals.yaml")
    stated = fields.known_codes(facts, fields.items(resource, "category"))
    if any(system == rules["own-system"] for system, _ in stated):
        return False
    categories = {code for _, code in stated}
    if categories and categories <= set(rules["other-categories"]):
        return True
    return _measures_other(facts, resource, rules) or _addresses_other(facts, resource, rules)


def _measures_other(facts: Facts, resource: Resource, rules: Mapping[str, Any]) -> bool:
    """Whether a goal aims at measures alone that no goal of this care aims at."""
    groups = [set(one.groups) for one in _measures(facts, resource)]
    return bool(groups) and all(known <= set(rules["other-measures"]) for known in groups)


def _addresses_other(facts: Facts, resource: Resource, rules: Mapping[str, Any]) -> bool:
    """Whether a goal addresses diagnoses alone that are no reason here and none that is treated."""
    named = {fields.reference(one) for one in fields.items(resource, "addresses")}
    addressed = [(name, facts.record.resolve(name, resource) or {}) for name in named if name]
    if not addressed or any(one.get("resourceType") != "Condition" for _, one in addressed):
        return False
    reasons = [one for order in facts.orders for one in fields.items(order, "reasonReference")]
    if named & {fields.reference(one) for one in reasons}:
        return False
    stated = [one for order in facts.orders for one in fields.items(order, "reasonCode")]
    codes = [one.get("code") for _, one in addressed]
    if set(fields.coded(facts, codes)) & set(fields.coded(facts, stated)):
        return False
    return not fields.value_sets(facts, codes) & set(rules["treated"])


def _goal(facts: Facts, resource: Resource) -> Goal:
    start, written = first_start(facts, resource)
    targets = tuple(_target(facts, one, start) for one in fields.items(resource, "target"))
    achieved = fields.items(resource, "achievementStatus")
    achievement = frozenset(code for _, code in fields.known_codes(facts, achieved))
    due = min((t.due.last for t in targets if t.due), default=None)
    parts = (*sorted(achievement), f"due {due.isoformat()}" if due else "")
    value = ", ".join(part for part in parts if part) or None
    day = start.first if start and start.exact else None
    categories = _categories(facts, resource)
    said = fields.label(fields.item(resource, "description"), "")
    title = f"Goal ({said})" if said else "Goal"
    return Goal(
        categories,
        achievement,
        start,
        targets,
        Finding(
            fields.identity(resource),
            written,
            value,
            title,
            day,
            via=fields.via(facts, _told(resource)),
        ),
        bool(categories),
        fields.text(resource, "lifecycleStatus") != COMPLETED and ACHIEVED not in achievement,
    )


def _told(resource: Resource) -> list[object]:
    """Return what says what a goal is about: its category, its description, what it measures."""
    measured = [fields.item(one, "measure") for one in fields.items(resource, "target")]
    return [
        *fields.items(resource, "category"),
        *fields.items(resource, "description"),
        *measured,
    ]


def _categories(facts: Facts, resource: Resource) -> frozenset[str]:
    """Return its categories; where none is ours, also those that its measures tell."""
    rules = data("goals.yaml")
    described = [*fields.items(resource, "category"), *fields.items(resource, "description")]
    stated = fields.known_codes(facts, fields.items(resource, "category"))
    own = {code for system, code in fields.coded(facts, described) if system == rules["own-system"]}
    if own:
        return frozenset(own | {code for _, code in stated})
    groups = {group for one in _measures(facts, resource) for group in one.groups}
    told = {name for name, known in rules["by-measure"].items() if groups & set(known)}
    return frozenset(told | {code for _, code in stated})


def _measures(facts: Facts, resource: Resource) -> tuple[Measure, ...]:
    concepts = [fields.item(one, "measure") for one in fields.items(resource, "target")]
    described = fields.items(resource, "description")
    return facts.terminology.measures_coded(fields.coded(facts, [*concepts, *described]))


def first_start(facts: Facts, resource: Resource) -> tuple[Days | None, str | None]:
    """Return when a goal starts, as days and as written."""
    return fields.first_date(facts, fields.text(resource, "startDate"))


def _target(facts: Facts, target: Resource, start: Days | None) -> Target:
    measured = bool(fields.item(target, "measure"))
    measurable = measured and any(_quantified(target, name) for name in QUANTIFIED)
    return Target(measurable, _due(facts, target, start))


def _quantified(target: Resource, name: str) -> bool:
    detail = target.get(name)
    if isinstance(detail, dict):
        parts = [detail, *(v for v in detail.values() if isinstance(v, dict))]
        return any(fields.number(part.get("value")) is not None for part in parts)
    return fields.number(detail) is not None


def _due(facts: Facts, target: Resource, start: Days | None) -> Days | None:
    due, _ = fields.first_date(facts, fields.text(target, "dueDate"))
    length = days_of(fields.item(target, "dueDuration"))
    return due or (later(start, length) if start and length else None)


Judge = Callable[[Context, Goal], Status]


def _keys(spec: Spec) -> tuple[str, ...]:
    return ("goals", *VISIT_KEYS) if "started" in spec else ("goals",)


@leaf("goal", keys=_keys)
def goal(spec: Spec) -> Leaf:
    """Ask for a goal of a category that is measurable, dated, due soon or at some achievement.

    `which: all` asks it of every goal of the category (and of the time they were `started`), of
    which there must be one.
    """
    keep, asked, keys = _kept(spec), _asked(spec), _keys(spec)
    every = spec.get("which") == "all"

    def ask(context: Context) -> Answer:
        holes = fields.holes_of(context, *keys)
        goals = [(keep(context, one), one) for one in context.facts.of(Goals).goals]
        judged = [
            (fields.weakest([kept, asked(context, one)]), one.finding)
            for kept, one in goals
            if kept is not Status.NOT_MET
        ]
        if every and judged:
            judged = _all_alike(judged, holes)
        return fields.answer(judged, holes, [finding for _, finding in judged])

    return ask


def _all_alike(
    judged: list[tuple[Status, Finding]], holes: tuple[Hole, ...]
) -> list[tuple[Status, Finding]]:
    """Return the goals with the verdict on all of them; one not read could differ."""
    status = fields.weakest(status for status, _ in judged)
    status = Status.UNKNOWN if status is Status.MET and holes else status
    return [(status, finding) for _, finding in judged]


def _kept(spec: Spec) -> Judge:
    """Return what tells whether a goal is among those asked about."""
    categories, started = frozenset(fields.names(spec.get("category"))), spec.get("started")
    uncoded = bool(spec.get("uncoded"))

    def keep(context: Context, one: Goal) -> Status:
        kind = Status.MET
        if categories and not categories & one.categories:
            kind = Status.UNKNOWN if uncoded and not one.coded else Status.NOT_MET
        if started is None or kind is Status.NOT_MET:
            return kind
        return fields.weakest([kind, _set(started, context, one)])

    return keep


class Course(Struct, frozen=True):
    """The first visit of the course and the day before its goals; a visit may be `unread`."""

    anchor: date | None
    before: date | None
    unread: bool

    def goal_set_since(self, day: date | None, start: Days | None) -> Status:
        """Whether a goal was set after a day; visits not read could only make it earlier."""
        status = fields.since(day, start)
        return Status.UNKNOWN if self.unread and status is Status.NOT_MET else status


@once
def _course(context: Context) -> Course:
    """Return the present course; its goals were set no longer before it than courses lie apart."""
    anchor = episode(context).anchor
    gap = fields.whole(context.numbers["episode-gap-days"])
    before = anchor - timedelta(days=gap + 1) if anchor else None
    return Course(anchor, before, bool(fields.holes_of(context, *VISIT_KEYS)))


def _set(started: str, context: Context, one: Goal) -> Status:
    """Whether a goal was set when asked: for this course, of these by its first visit, or since."""
    course = _course(context)
    begun = course.goal_set_since(course.anchor, one.start)
    if started == "since-care":
        return begun
    ours = _of(course, one)
    if started == "this-course":
        return ours
    return fields.weakest([ours, begun.opposite])


def _of(course: Course, one: Goal) -> Status:
    """Whether a goal was set for the course; before its first visit, every goal is."""
    if course.anchor is None and not course.unread:
        return Status.MET
    return course.goal_set_since(course.before, one.start)


def _asked(spec: Spec) -> Judge:
    """Return what tells whether a goal is as asked; one target must satisfy all of it."""
    wanted = frozenset(fields.names(spec.get("achievement")))
    measurable, dated = bool(spec.get("measurable")), bool(spec.get("dated"))
    only_open = bool(spec.get("open"))
    limit = (spec.get("due") or {}).get("within")

    def judge(context: Context, one: Goal) -> Status:
        if (wanted and not wanted & one.achievement) or (only_open and not one.open):
            return Status.NOT_MET
        if not (measurable or dated or limit is not None):
            return Status.MET
        fitting = (
            _due_within(context, target, limit)
            for target in one.targets
            if (target.measurable or not measurable) and (target.due or not dated)
        )
        return _best(fitting)

    return judge


def _due_within(context: Context, target: Target, limit: object) -> Status:
    if limit is None:
        return Status.MET
    if target.due is None:
        return Status.NOT_MET
    today = context.facts.day
    last = today + timedelta(days=fields.whole(limit))
    inside = [today <= day <= last for day in (target.due.first, target.due.last)]
    return Status.MET if all(inside) else Status.UNKNOWN if any(inside) else Status.NOT_MET


def _best(statuses: Iterable[Status]) -> Status:
    found = set(statuses)
    order = (Status.MET, Status.UNKNOWN)
    return next((status for status in order if status in found), Status.NOT_MET)
