"""A checked policy file becomes a Policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from cds_service.evaluation import PolicyHead
from cds_service.evidence.answer import Status
from cds_service.evidence.context import LEAVES, Context, Leaf
from cds_service.evidence.quantities import QUANTITIES
from cds_service.evidence.sites import relation
from cds_service.evidence.standing import KEYS as STANDING_KEYS
from cds_service.policies.citations import sections_of, sources_of, titles_of
from cds_service.policies.criteria import Body, Criterion, Decision, Definite, Group, Guarded, Row
from cds_service.policies.expressions import Scope, parameters_in, walk
from cds_service.policies.policy import Item, Policy
from cds_service.policies.safety import Evidence, Fits, JudgeRow, Overlay, SafetyRule, Sighting
from cds_service.policies.targets import targets_of
from cds_service.terminology import Parameter
from cds_service.terminology.measures import parameters_of

UNDECIDED = ("not-computable", "asked")
GROUPS = ("all", "any", "at-least")
REFERRING = ("criterion", "named", "always")


class Compiler:
    """Compiles one file against the shared parameters and the overlay."""

    def __init__(
        self,
        data: Mapping[str, Any],
        shared: Mapping[str, Parameter],
        overlay: Mapping[str, Any],
    ) -> None:
        self.data = data
        self.parameters = {**shared, **parameters_of(overlay), **parameters_of(data)}
        numbers = {name: use.value for name, use in self.parameters.items()}
        self.scope = Scope(numbers, data.get("expressions", {}))
        self.overlay_scope = Scope(numbers, overlay.get("expressions", {}))
        self.overlay_data = overlay
        self.parents = _parents(data["criteria"])
        self.counted = _reached(data["criteria"], data["root"])
        self.sources = {**sources_of(overlay), **sources_of(data)}

    def policy(self) -> Policy:
        """Return the compiled policy."""
        data = self.data
        effective = data["effective"]
        return Policy(
            head=_head(data),
            start=date.fromisoformat(effective["start"]),
            end=date.fromisoformat(effective["end"]) if effective.get("end") else None,
            codes=frozenset(data["codes"]),
            root=data["root"],
            criteria=self._criteria(),
            items={name: _item(name, entry) for name, entry in data["items"].items()},
            safety=tuple(self._safety(self.scope, data.get("safety", {}), data["policy"])),
            overlay=self._overlay(),
            prior_auth=self._prior_auth(),
            limits=self._limits(),
            route=tuple(data.get("not-covered-route", ())),
            parameters=self.parameters,
            keys=keys_of(data) | keys_of(self.overlay_data),
            targets=tuple(targets_of(data, self.scope)),
        )

    def _criteria(self) -> dict[str, Criterion]:
        return {
            name: self._criterion(name, entry)
            for name, entry in self.data["criteria"].items()
            if not any(word in entry for word in UNDECIDED)
        }

    def _criterion(self, name: str, entry: Mapping[str, Any]) -> Criterion:
        body = self._body(name, entry)
        group = body if isinstance(body, Group) else None
        if entry.get("definite"):
            body = Definite(body)
        if "applies" in entry:
            body = Guarded(self.scope.leaf(entry["applies"]), body)
        return Criterion(
            id=name,
            text=entry["text"],
            source=entry["source"],
            body=body,
            group=group,
            parent=self.parents.get(name),
            counts=name in self.counted,
            parameters=tuple(
                self.parameters[used] for used in parameters_in(entry, self.scope.expressions)
            ),
            sections=sections_of(entry["source"], self.sources),
            derived=_derived(entry),
        )

    def _body(self, name: str, entry: Mapping[str, Any]) -> Body:
        for word in ("all", "any"):
            if word in entry:
                return Group(word, tuple(entry[word]))
        if "at-least" in entry:
            return Group("at-least", tuple(entry["at-least"]["of"]), entry["at-least"]["count"])
        if "documented" in entry:
            return self._documented(name, entry)
        rows = tuple(self._row(row) for row in entry["decide"])
        return Decision(rows, tuple(entry.get("unsure", ())))

    def _documented(self, name: str, entry: Mapping[str, Any]) -> Decision:
        """Met when documented; else the item of the same id is asked for, or only advised."""
        there = Row(self.scope.leaf(entry["documented"]), Status.MET)
        if entry.get("advisory"):
            return Decision((there, Row(None, Status.NA, advises=(name,))), optional=True)
        asked = Row(None, Status.UNKNOWN, asks=(name,))
        if "blocking" not in entry:
            return Decision((there, asked))
        asked = Row(self.scope.leaf(entry["blocking"]), Status.UNKNOWN, asks=(name,), guard=True)
        advised = Row(None, Status.NA, advises=(name,))
        return Decision((there, asked, advised), unsure=(name,), optional=True)

    def _row(self, row: Mapping[str, Any]) -> Row:
        supports = None
        if "supports" in row:
            (unit, amount), *_ = row["supports"].items()
            supports = (unit, self.scope.amount(amount))
        return Row(
            when=self.scope.leaf(row["when"]) if "when" in row else None,
            status=Status(row["else"] if "else" in row else row["is"]),
            asks=tuple(row.get("asks", ())),
            advises=tuple(row.get("advises", ())),
            because=row.get("because"),
            change=row.get("change"),
            supports=supports,
            conditional=bool(row.get("conditional")),
            aside=bool(row.get("aside")),
        )

    def _prior_auth(self) -> tuple[tuple[Leaf | None, str], ...]:
        stated = self.data.get("prior-auth")
        if stated is None:
            return ()
        if isinstance(stated, str):
            return ((None, stated),)
        rows = stated["decide"]
        return tuple(
            (self.scope.leaf(r["when"]), r["is"]) if "when" in r else (None, r["else"])
            for r in rows
        )

    def _limits(self) -> dict[str, Any] | None:
        stated = self.data.get("limits")
        if not stated:
            return None
        visits = self.scope.resolve(stated["visits"])
        return {"visits": int(visits), "period": stated["period"]}

    def _overlay(self) -> Overlay | None:
        stated = self.data.get("overlay")
        if stated is None:
            return None
        rules = self._safety(self.overlay_scope, self.overlay_data.get("safety", {}), "overlay")
        covered = {name: tuple(ids) for name, ids in stated.get("covered-by", {}).items()}
        emergency = stated["ed-now"]
        return Overlay(tuple(rules), covered, emergency["effect"], tuple(emergency.get("asks", ())))

    def _safety(
        self, scope: Scope, entries: Mapping[str, Any], policy: str
    ) -> Iterator[SafetyRule]:
        for name, entry in entries.items():
            if any(word in entry for word in UNDECIDED):
                continue
            yield SafetyRule(
                id=name,
                policy=policy,
                text=entry["text"],
                source=entry["source"],
                evidence=tuple(_evidence(scope, piece) for piece in entry["evidence"]),
                judge=tuple(_judge_row(scope, row) for row in entry["judge"]),
                criterion=entry.get("criterion"),
                suggests=tuple(entry.get("suggests", ())),
                subject=_subject(entry, scope),
                questions=_questions(entry["evidence"]),
                applies=scope.leaf(entry["applies"]) if "applies" in entry else None,
                origins=titles_of(entry["source"], self.sources),
                sections=sections_of(entry["source"], self.sources),
            )


def _head(data: Mapping[str, Any]) -> PolicyHead:
    due = data.get("review-due")
    return PolicyHead(
        id=data["policy"],
        title=data["title"],
        short=data["short"],
        payer=data["payer"],
        version=data["version"],
        source=data["source"]["title"],
        draft=bool(data.get("draft")),
        review_due=date.fromisoformat(due) if due else None,
        note=data.get("note"),
        route=data.get("route"),
        route_items=tuple(data.get("not-covered-route", ())),
        url=data["source"].get("url"),
    )


def _derived(entry: Mapping[str, Any]) -> bool:
    """Whether other criteria alone decide a criterion."""
    asked = [row["when"] for row in entry.get("decide", ()) if "when" in row]
    words = {word for word, _ in walk(asked) if word in LEAVES or word in REFERRING}
    return "criterion" in words and words <= {"criterion", "always"}


def _item(name: str, entry: Mapping[str, Any]) -> Item:
    return Item(
        name,
        entry["text"],
        entry["source"],
        entry.get("action"),
        entry.get("questionnaire"),
        entry.get("link-id"),
    )


def _members(entry: Mapping[str, Any]) -> tuple[str, ...]:
    if "at-least" in entry:
        return tuple(entry["at-least"]["of"])
    return tuple(entry.get("all") or entry.get("any") or ())


def _parents(criteria: Mapping[str, Any]) -> dict[str, str]:
    parents: dict[str, str] = {}
    for name, entry in criteria.items():
        for member in _members(entry):
            parents.setdefault(member, name)
    return parents


def _reached(criteria: Mapping[str, Any], root: str) -> frozenset[str]:
    reached: set[str] = set()
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(_members(criteria.get(name, {})))
    return frozenset(reached)


def keys_of(data: Mapping[str, Any]) -> frozenset[str]:
    """Return the query keys that the leaves of a file read."""
    keys = set(STANDING_KEYS) if data.get("safety") else set()
    for word, argument in walk(data):
        kind = LEAVES.get(word)
        if kind and isinstance(argument, Mapping):
            keys.update(kind.keys(argument))
        for term in argument if isinstance(argument, list) else [argument]:
            if isinstance(term, str) and term in QUANTITIES:
                keys.update(QUANTITIES[term].keys)
    return frozenset(keys)


def _evidence(scope: Scope, piece: Mapping[str, Any]) -> Evidence:
    when = scope.leaf(piece["when"]) if "when" in piece else None
    return Evidence(piece["grade"], scope.leaf(piece["is"]), when, bool(piece.get("minor")))


def _subject(entry: Mapping[str, Any], scope: Scope) -> frozenset[str]:
    """Return the value sets that name the flag, for encounters that looked at it."""
    stated = entry.get("addressed-by")
    if stated:
        return frozenset([stated] if isinstance(stated, str) else stated)
    return frozenset(_sets_in([piece["is"] for piece in entry["evidence"]], scope))


def _questions(evidence: Any) -> tuple[str, ...]:
    """Return the items of the safety screen that evidence asks for."""
    asked = [spec for piece in evidence for word, spec in walk(piece["is"]) if word == "screen"]
    return tuple(dict.fromkeys(item for one in asked for item in _list(one.get("item"))))


def _sets_in(node: Any, scope: Scope) -> Iterator[str]:
    for word, argument in walk(node):
        if word == "condition" and isinstance(argument, Mapping):
            sets = argument.get("in", ())
            yield from [sets] if isinstance(sets, str) else sets
        elif word == "named" and isinstance(argument, str):
            yield from _sets_in(scope.expressions.get(argument), scope)


def _judge_row(scope: Scope, row: Mapping[str, Any]) -> JudgeRow:
    fit = row.get("if", {})
    return JudgeRow(
        fits=_fit(scope, fit),
        urgency=row["else"] if "else" in row else row["urgency"],
        effect=row["effect"],
        asks=tuple(row.get("asks", ())),
        advises=tuple(row.get("advises", ())),
        when=scope.leaf(fit["when"]) if "when" in fit else None,
    )


def _fit(scope: Scope, spec: Mapping[str, Any]) -> Fits:
    area = frozenset(_list(spec.get("area")))
    tests = [
        _TESTS[word](scope, argument, area) for word, argument in spec.items() if word in _TESTS
    ]

    def fits(sighting: Sighting, context: Context) -> bool:
        return all(test(sighting, context) for test in tests)

    return fits


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _in(_scope: Scope, argument: Any, _area: frozenset[str]) -> Fits:
    wanted = frozenset(_list(argument))
    return lambda sighting, _context: bool(sighting.finding.value_sets & wanted)


def _not_in(_scope: Scope, argument: Any, _area: frozenset[str]) -> Fits:
    unwanted = frozenset(_list(argument))
    return lambda sighting, _context: not sighting.finding.value_sets & unwanted


def _within(scope: Scope, argument: Any, _area: frozenset[str]) -> Fits:
    """An undated finding counts as recent: a missing date must not hide an emergency."""
    days = scope.resolve(argument)

    def fits(sighting: Sighting, context: Context) -> bool:
        day = sighting.finding.day
        return day is None or (context.facts.day - day).days <= days

    return fits


def _older_than(scope: Scope, argument: Any, area: frozenset[str]) -> Fits:
    recent = _within(scope, argument, area)
    return lambda sighting, context: not recent(sighting, context)


def _site(_scope: Scope, argument: Any, area: frozenset[str]) -> Fits:
    wanted = frozenset(argument)

    def fits(sighting: Sighting, context: Context) -> bool:
        finding = sighting.finding
        return relation(area or finding.regions, finding.side, context.group) in wanted

    return fits


def _grade(_scope: Scope, argument: Any, _area: frozenset[str]) -> Fits:
    return lambda sighting, _context: (sighting.grade == "S") is (argument == "S")


def _suspected(_scope: Scope, argument: Any, _area: frozenset[str]) -> Fits:
    return lambda sighting, _context: sighting.finding.suspected is argument


def _is_addressed(_scope: Scope, argument: Any, _area: frozenset[str]) -> Fits:
    return lambda sighting, _context: (sighting.standing.cleared is not None) is argument


def _is_evaluated(_scope: Scope, argument: Any, _area: frozenset[str]) -> Fits:
    return lambda sighting, _context: (sighting.standing.evaluated is not None) is argument


_TESTS = {
    "in": _in,
    "not-in": _not_in,
    "within": _within,
    "older-than": _older_than,
    "site": _site,
    "grade": _grade,
    "suspected": _suspected,
    "addressed": _is_addressed,
    "evaluated": _is_evaluated,
}
