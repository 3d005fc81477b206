"""Less medication than when care began: a smaller daily dose, or none any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status, cannot_tell, not_shown, shown
from cds_service.evidence.context import Context, Leaf, Spec, leaf
from cds_service.evidence.dosing import Daily
from cds_service.evidence.medications import COMPLETED, Course, Medications, unread
from cds_service.evidence.visits import KEYS as VISIT_KEYS
from cds_service.evidence.visits import episode
from cds_service.record.model import Hole

KEYS = ("medications", *VISIT_KEYS)


@dataclass(frozen=True, slots=True)
class _Use:
    """Courses of one kind: those that ran when care began, those that may have, those of now."""

    then: tuple[Course, ...]
    perhaps: tuple[Course, ...]
    now: tuple[Course, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The courses as evidence, each once."""
        courses = (*self.then, *self.perhaps, *self.now)
        return tuple(dict.fromkeys(course.finding for course in courses))


@leaf("medication-decrease", keys=KEYS)
def medication_decrease(spec: Spec) -> Leaf:
    """Ask whether one of the kinds fell to a share of its daily dose since care began.

    A kind of which no order runs any more has fallen. Met when one kind fell and none rose; doses
    are compared where all are stated in one unit of one medicine, else the answer is unknown.
    """
    kinds, share = fields.names(spec["in"]), Fraction(spec["to-share"])

    def ask(context: Context) -> Answer:
        anchor = episode(context).anchor
        if anchor is None:
            return not_shown((), _holes(context))
        courses = context.facts.of(Medications).courses
        used = [_use([c for c in courses if kind in c.kinds], anchor) for kind in kinds]
        return _told([(_changed(use, share), use) for use in used], context)

    return ask


def _holes(context: Context) -> tuple[Hole, ...]:
    return (*fields.holes_of(context, *VISIT_KEYS), *unread(context))


def _told(judged: Sequence[tuple[Status | None, _Use]], context: Context) -> Answer:
    """A rise of any kind outweighs the fall of another."""
    holes = _holes(context)
    rose = [use for status, use in judged if status is None]
    if rose:
        return not_shown(rose[0].findings, holes)
    fell = [use for status, use in judged if status is Status.MET]
    if fell and not holes:
        return shown(finding for use in fell for finding in use.findings)
    open_ = [use for status, use in judged if status is Status.UNKNOWN] or fell
    if open_:
        return cannot_tell([finding for use in open_ for finding in use.findings], holes)
    return not_shown([finding for _, use in judged for finding in use.findings], holes)


def _use(courses: Sequence[Course], anchor: date) -> _Use:
    ran = [(_ran_on(course, anchor), course) for course in courses]
    return _Use(
        tuple(course for status, course in ran if status is Status.MET),
        tuple(course for status, course in ran if status is Status.UNKNOWN),
        tuple(course for course in courses if course.active),
    )


def _ran_on(course: Course, day: date) -> Status:
    """Whether a course ran on a day; one that was completed, no one says when, is not evidence."""
    if course.start is None:
        return Status.UNKNOWN
    if course.start.first > day or (course.end and course.end < day):
        return Status.NOT_MET
    if course.start.last > day:
        return Status.UNKNOWN
    if course.active or course.end:
        return Status.MET
    return Status.NOT_MET if course.status == COMPLETED else Status.UNKNOWN


def _changed(use: _Use, share: Fraction) -> Status | None:
    """Return whether a kind fell to the share; None when it rose."""
    if use.perhaps:
        return Status.UNKNOWN
    if not use.then:
        return None if use.now else Status.NOT_MET
    if not use.now:
        return Status.MET
    changing = any(course.daily and _unit(course.daily) is None for course in use.now)
    return _compared(use, share) if changing or use.then != use.now else Status.NOT_MET


def _compared(use: _Use, share: Fraction) -> Status | None:
    then, now = _total(use.then, use), _total(use.now, use)
    if then is None or now is None:
        return Status.UNKNOWN
    if now > then:
        return None
    return Status.MET if now <= share * then else Status.NOT_MET


def _total(courses: Sequence[Course], use: _Use) -> Fraction | None:
    """Return the daily dose of the courses, where all of the kind can be added up."""
    every = (*use.then, *use.now)
    first = every[0]
    alike = all(first.codes & other.codes for other in every)
    units = {_unit(course.daily) for course in every}
    if not alike or None in units or len(units) > 1:
        return None
    return sum((course.daily.least for course in courses if course.daily), Fraction(0))


def _unit(daily: Daily | None) -> str | None:
    """Return the unit of a daily dose that is known exactly."""
    return daily.unit if daily and daily.least == daily.most else None
