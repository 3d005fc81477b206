"""A slow, obvious evaluator of policy files: reads the YAML as it stands, and walks it.

Nothing is compiled, remembered or left out because something else has decided already. It says
what docs/policy-format.md and the conventions G-01 to G-25 say, and nothing of how to say it fast.
"""

from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from functools import cached_property
from math import floor

from tests.spec.oracle_chart import MET, NA, NOT_MET, TERMS, UNKNOWN, Found, sets, span, table
from tests.spec.oracle_leaves import (
    Said,
    ask_leaf,
    contents,
    documents,
    encounter_kinds,
    encounter_reasons,
    encounters,
    names,
    newest_form,
    practitioners,
    quantity,
    terms,
    turned,
)

URGENCIES = ("ED-now", "PCP-prompt", "specialist", "caution")
EFFECTS = ("stop", "hold", "none")
UNDECIDED = ("not-computable", "asked")
CRITERION_WORDS = {"text", "source", "applies", "decide", "unsure", "all", "any", "at-least"}
CRITERION_WORDS |= {"documented", "blocking", "advisory", "definite", *UNDECIDED}
ROW_WORDS = {"when", "is", "else", "asks", "advises", "because", "change", "supports"}
ROW_WORDS |= {"conditional", "aside"}
RULE_WORDS = {"text", "source", "evidence", "judge", "criterion", "suggests", "addressed-by"}
RULE_WORDS |= {"applies", *UNDECIDED}
FIT_WORDS = {"in", "not-in", "within", "older-than", "site", "area", "grade", "suspected"}
FIT_WORDS |= {"addressed", "evaluated", "when"}


@dataclass(frozen=True)
class Out:
    """What a criterion comes to: what is listed, what it weighs, what it asks for and rests on."""

    status: str
    weight: str
    asks: tuple = ()
    advises: tuple = ()
    holes: frozenset = frozenset()
    supports: tuple | None = None
    found: tuple = ()


@dataclass(frozen=True)
class Seen:
    """One finding of a safety rule, judged."""

    found: object
    grade: str
    urgency: str
    effect: str
    addressed: bool
    asks: tuple
    advises: tuple
    holes: frozenset


def known_words(name, entry, words):
    """Refuse to pass over a word of the format that nobody has taught this evaluator."""
    assert set(entry) <= words, f"{name}: the slow evaluator knows no {sorted(set(entry) - words)}"


def all_of(statuses):
    kept = [status for status in statuses if status != NA]
    if NOT_MET in kept:
        return NOT_MET
    return UNKNOWN if UNKNOWN in kept else MET if kept else NA


def any_of(statuses):
    return turned(all_of(map(turned, statuses)))


def at_least(statuses, count):
    met, open_ = statuses.count(MET), statuses.count(UNKNOWN)
    return MET if met >= count else UNKNOWN if met + open_ >= count else NOT_MET


def numbers_of(*files):
    """Return the parameters by name; a later file overrides an earlier one."""
    known = {name: one.value for name, one in TERMS.parameters.items()}
    for data in files:
        stated = data.get("parameters", {})
        known |= {name: Fraction(str(one["value"])) for name, one in stated.items()}
    return known


class Oracle:
    """One policy held against one chart."""

    def __init__(self, data, chart, acknowledged=None):
        self.data, self.chart = data, chart
        self.overlay = table("policies/library/overlay.yaml")
        shared = table("policies/library/shared.yaml")
        chart.numbers = numbers_of(shared, self.overlay, data)
        self.acknowledged = acknowledged or {}
        self.expressions = data.get("expressions", {})
        self.known = {}
        self.named = {}

    # Expressions.

    def resolve(self, node):
        if isinstance(node, str) and node.startswith("$"):
            return self.chart.numbers[node[1:]]
        if isinstance(node, bool) or node is None:
            return node
        if isinstance(node, (int, float)):
            return Fraction(str(node))
        if isinstance(node, dict):
            return {key: self.resolve(value) for key, value in node.items()}
        return [self.resolve(one) for one in node] if isinstance(node, list) else node

    def ask(self, node):
        (word, argument), *_ = node.items()
        if word == "always":
            return Said(MET)
        if word == "named":
            return self.ask_named(argument)
        if word == "criterion":
            return self.ask_criterion(argument)
        if word == "open-finding":
            return self.ask_findings(argument)
        if word == "not":
            said = self.ask(argument)
            return replace(said, status=turned(said.status))
        if word in ("all", "any", "at-least"):
            return self.combined(word, argument)
        return ask_leaf(self.chart, word, self.resolve(argument))

    def ask_named(self, name):
        if name not in self.named:
            self.named[name] = self.ask(self.expressions[name])
        return self.named[name]

    def combined(self, word, argument):
        parts = [self.ask(one) for one in (argument["of"] if word == "at-least" else argument)]
        statuses = [part.status for part in parts]
        if word == "at-least":
            status = at_least(statuses, argument["count"])
        else:
            status = all_of(statuses) if word == "all" else any_of(statuses)
        bearing = [part for part in parts if part.status == status]
        if status == UNKNOWN:
            bearing = [part for part in parts if part.status in (UNKNOWN, MET)]
        found = tuple(dict.fromkeys(one for part in bearing for one in part.found))
        open_ = [part.holes for part in parts if part.status == status == UNKNOWN]
        return Said(status, found, frozenset().union(*open_))

    def ask_criterion(self, argument):
        name = argument if isinstance(argument, str) else argument["id"]
        wanted = MET if isinstance(argument, str) else argument["is"]
        out = self.criterion(name)
        if out.status == wanted:
            return Said(MET, out.found)
        if out.status == UNKNOWN:
            return Said(UNKNOWN, out.found, out.holes)
        return Said(NOT_MET, out.found)

    def ask_findings(self, argument):
        ids, grade = names(argument.get("id")), argument.get("grade")
        fitting, holes = [], frozenset()
        for name, rule, seen, unread in self.raised():
            if ids and name not in ids:
                continue
            holes |= unread if matters(rule) else frozenset()
            fitting += [
                one
                for one in seen
                if not one.addressed
                and one.urgency in (names(argument.get("urgency")) or URGENCIES)
                and one.effect in (names(argument.get("effect")) or EFFECTS)
                and grade in (None, one.grade)
            ]
        if any(not one.holes for one in fitting):
            return Said(MET, tuple(one.found for one in fitting if not one.holes))
        if fitting:
            return Said(UNKNOWN, (), frozenset().union(*(one.holes for one in fitting)))
        return Said(UNKNOWN, (), holes) if holes else Said(NOT_MET)

    # Criteria.

    @cached_property
    def entries(self):
        """The criteria that structured data can decide."""
        criteria = self.data["criteria"]
        return {n: e for n, e in criteria.items() if not any(word in e for word in UNDECIDED)}

    def criterion(self, name):
        if name not in self.known:
            self.known[name] = self.judged(name, self.entries[name])
        return self.known[name]

    def judged(self, name, entry):
        assert set(entry) <= CRITERION_WORDS, (
            f"{name}: unknown words {set(entry) - CRITERION_WORDS}"
        )
        if "applies" not in entry:
            return self.body(name, entry)
        applies, out = self.ask(entry["applies"]), self.body(name, entry)
        if applies.status in (NOT_MET, NA):
            return Out(NA, NA)
        if applies.status == MET or out.status in (MET, NA):
            return out
        asks = () if applies.holes else out.asks
        holes, found = applies.holes | out.holes, (*applies.found, *out.found)
        return Out(UNKNOWN, UNKNOWN, asks, out.advises, holes, found=found)

    def body(self, name, entry):
        for word in ("all", "any", "at-least"):
            if word in entry:
                return self.group(word, entry[word])
        out = self.documented(name, entry) if "documented" in entry else self.decided(entry)
        undecided = out.status == out.weight == UNKNOWN and not (out.holes or out.supports)
        if entry.get("definite") and undecided:
            return replace(out, weight=NA, asks=(), advises=(*out.asks, *out.advises))
        return out

    def group(self, word, members):
        listed = members["of"] if word == "at-least" else members
        outs = [self.criterion(one) for one in listed]
        weights = [out.weight for out in outs]
        if word == "at-least":
            status = at_least(weights, members["count"])
        else:
            status = all_of(weights) if word == "all" else any_of(weights)
        found = [one for out in outs if out.weight == status in (MET, NOT_MET) for one in out.found]
        return Out(status, status, found=tuple(found))

    def decided(self, entry):
        """Walk the rows: the first that is met decides, those nobody can answer are carried."""
        carried, against = [], []
        for row in entry["decide"]:
            known_words("a row", row, ROW_WORDS)
            said = self.ask(row["when"]) if "when" in row else Said(MET)
            if said.status == MET:
                out = self.rested(self.settled(row, said), against)
                return self.combine(out, carried, tuple(entry.get("unsure", ())))
            if said.status == UNKNOWN:
                carried.append((row, said))
            else:
                against += said.found
        raise AssertionError("a decision ends with an else")

    def rested(self, out, against):
        """Return what it rests on by default: what was looked at, or else the orders."""
        if out.status not in (MET, NOT_MET) or out.found:
            return out
        orders = [Found(f"ServiceRequest/{order['id']}") for order in self.chart.orders]
        return replace(out, found=tuple(against or orders))

    def settled(self, row, said):
        status, asks = row.get("else") or row["is"], tuple(row.get("asks", ()))
        out = Out(status, status, asks, tuple(row.get("advises", ())), found=said.found)
        if "supports" in row:
            out = self.limited(out, row["supports"])
        if row.get("aside"):
            return replace(out, weight=NA)
        if row.get("conditional") and out.weight == NOT_MET:
            return replace(out, weight=UNKNOWN)
        return out

    def limited(self, out, supports):
        """Apply a dose limit: what fits is supportable now (G-25)."""
        ((unit, amount),) = supports.items()
        value, holes = self.amount(self.resolve(amount))
        if value is None or holes:
            return replace(out, weight=UNKNOWN, holes=holes)
        part = Fraction(max(floor(value), 0))
        return replace(out, weight=UNKNOWN if part > 0 else out.weight, supports=(unit, part))

    def amount(self, node):
        """Return (value, holes) of a number; None where a part is not known exactly."""
        if not isinstance(node, dict):
            low, high, holes = quantity(self.chart, node)
            return (low if holes or low == high else None), holes
        parts = {
            w: [self.amount(t) for t in terms(node.get(w))]
            for w in ("times", "plus", "minus", "no-more-than")
        }
        value, holes = self.amount(node["of"])
        every = [value, *(v for listed in parts.values() for v, _ in listed)]
        holes = holes.union(*(h for listed in parts.values() for _, h in listed))
        if None in every:
            return None, holes
        for factor, _ in parts["times"]:
            value *= factor
        value += sum(v for v, _ in parts["plus"]) - sum(v for v, _ in parts["minus"])
        return min([value, *(v for v, _ in parts["no-more-than"])]), holes

    def combine(self, out, carried, unsure):
        """Put together what the rows could come to; a hole asks for nothing."""
        if not carried:
            return out
        holes = frozenset().union(*(said.holes for _, said in carried))
        found = tuple(one for _, said in carried for one in said.found) + out.found
        out = replace(out, found=found)
        alike = all(row["is"] == out.status for row, _ in carried)
        if alike and out.status == NOT_MET:
            weights = {out.weight, *(weight_of(row) for row, _ in carried)}
            weight = out.weight if len(weights) == 1 else UNKNOWN
            return replace(
                out, weight=weight, asks=() if holes else out.asks, holes=holes | out.holes
            )
        if alike and out.status != UNKNOWN:
            return out
        asides = all(row.get("aside") for row, _ in carried)
        if alike and out.weight == NA and asides:
            return replace(out, holes=holes)
        if out.status == UNKNOWN and out.weight == NA and not holes:
            return out
        asks = () if holes else (*unsure, *out.asks)
        return Out(UNKNOWN, UNKNOWN, asks, out.advises, holes | out.holes, found=found)

    def documented(self, name, entry):
        there = self.ask(entry["documented"])
        if there.status == MET:
            return self.rested(Out(MET, MET, found=there.found), ())
        if entry.get("advisory"):
            if there.status == UNKNOWN:
                return Out(UNKNOWN, NA, (), () if there.holes else (name,), there.holes)
            return Out(NA, NA, (), (name,))
        wanted = self.ask(entry["blocking"]) if "blocking" in entry else Said(MET)
        if there.status == NOT_MET and wanted.status == MET:
            return Out(UNKNOWN, UNKNOWN, (name,))
        if there.status == NOT_MET and wanted.status == NOT_MET:
            return Out(NA, NA, (), (name,))
        if wanted.status == NOT_MET:
            return Out(UNKNOWN, NA, (), () if there.holes else (name,), there.holes)
        holes = there.holes | (wanted.holes if wanted.status == UNKNOWN else frozenset())
        advises = (name,) if wanted.status == UNKNOWN else ()
        return Out(UNKNOWN, UNKNOWN, () if holes else (name,), advises, holes)

    # Safety.

    def raised(self):
        """Return (id, rule, what was seen, unread) of the policy's rules and the shared ones."""
        if "raised" not in self.known:
            self.known["raised"] = self.raise_all()
        return self.known["raised"]

    def raise_all(self):
        own = [self.raise_rule(n, r) for n, r in safety_of(self.data).items()]
        stated = self.data.get("overlay")
        if stated is None:
            return own
        seen = {name: {one.found.name for one in found} for name, _, found, _ in own}
        mine, self.expressions = self.expressions, self.overlay.get("expressions", {})
        shared = []
        for name, rule in safety_of(self.overlay).items():
            covering = stated.get("covered-by", {}).get(name, ())
            hidden = set().union(*(seen.get(other, set()) for other in covering))
            _, _, found, holes = self.raise_rule(name, rule, hidden)
            shared.append((name, rule, [weighed(one, stated["ed-now"]) for one in found], holes))
        self.expressions = mine
        return own + shared

    def raise_rule(self, name, rule, hidden=()):
        known_words(name, rule, RULE_WORDS)
        applies = self.ask(rule["applies"]) if "applies" in rule else Said(MET)
        if applies.status in (NOT_MET, NA):
            return name, rule, [], frozenset()
        beside = applies.holes if applies.status == UNKNOWN else frozenset()
        questions = screened(rule["evidence"])
        denied = self.denied(questions)
        unread = self.chart.unread("responses") if questions else frozenset()
        kept, holes = {}, frozenset()
        for piece in rule["evidence"]:
            said, grade = self.evidence(piece)
            holes |= frozenset() if piece.get("minor") else said.holes
            doubts = (said.holes if said.status == UNKNOWN else frozenset()) | (
                unread if grade == "P" else frozenset()
            )
            for found in said.found if said.status != NOT_MET else ():
                if grade == "P" and denied and (found.day or date.min) <= denied:
                    continue
                before = kept.get(found.name)
                if before is None or firmer(grade, doubts, before):
                    kept[found.name] = (found, grade, doubts)
        seen = [
            one
            for found, grade, doubts in kept.values()
            if found.name not in hidden
            for one in self.judge(name, rule, found, grade, doubts | beside)
        ]
        return name, rule, seen, holes.union(*(one.holes for one in seen))

    def evidence(self, piece):
        """Return the answer to one piece of evidence and its grade; a doubt leaves it partial."""
        beside = self.ask(piece["when"]) if "when" in piece else Said(MET)
        said = self.ask(piece["is"])
        if beside.status in (NOT_MET, NA) or said.status == NOT_MET:
            return Said(
                NOT_MET, (), said.holes if beside.status in (MET, UNKNOWN) else frozenset()
            ), "P"
        if beside.status == UNKNOWN:
            return Said(UNKNOWN, said.found, beside.holes | said.holes), "P"
        if said.status == UNKNOWN:
            return said, "P"
        return said, "S" if piece["grade"] == "Q" else piece["grade"]

    def denied(self, questions):
        """Return the day of a valid screen that answers each of the questions with no."""
        form, answers = newest_form(self.chart, "massage-safety-screen")
        if not questions or form is None:
            return None
        day = span(form["authored"]).first
        young = (self.chart.day - day).days <= self.chart.number("screen-days")
        return day if young and all(answers.get(q) == "no" for q in questions) else None

    def judge(self, name, rule, found, grade, doubts):
        """Yield the verdict of the first row that fits."""
        evaluated, cleared = self.standing(rule, found)
        standing = (evaluated is not None, cleared)
        for row in rule["judge"]:
            fit = row.get("if", {})
            if not self.row_fits(fit, found, grade, standing):
                continue
            said = self.ask(fit["when"]) if "when" in fit else Said(MET)
            if said.status == MET:
                break
            doubts = doubts | said.holes
        else:
            return
        urgency = row.get("else") or row["urgency"]
        answered = self.acknowledged.get(name)
        known = answered is not None and (found.day or date.min) <= answered
        recent = evaluated and (self.chart.day - evaluated).days <= self.chart.number(
            "addressed-chronic-days"
        )
        must_clear = urgency == "ED-now" or (urgency == "PCP-prompt" and row["effect"] == "stop")
        reviewed = cleared if must_clear else cleared or known or bool(recent)
        advises = tuple(row.get("advises", ()))
        if reviewed and urgency in ("ED-now", "PCP-prompt"):
            yield Seen(found, grade, urgency, "none", True, (), advises, frozenset())
            return
        if urgency in ("ED-now", "PCP-prompt"):
            doubts = doubts | self.chart.unread("encounters", "documents")
        effect = row["effect"]
        looked_into = urgency == "ED-now" and found.suspected and (evaluated or known)
        if effect == "stop" and (grade != "S" or doubts or looked_into):
            effect = "hold"
        asks = () if doubts else tuple(row.get("asks", ()))
        yield Seen(found, grade, urgency, effect, False, asks, advises, doubts)

    def row_fits(self, fit, found, grade, standing):
        known_words("if", fit, FIT_WORDS)
        evaluated, cleared = standing
        area = frozenset(names(fit.get("area"))) or found.regions
        tests = {
            "in": lambda v: bool(found.sets & set(names(v))),
            "not-in": lambda v: not found.sets & set(names(v)),
            "within": lambda v: found.day is None or self.age(found) <= self.resolve(v),
            "older-than": lambda v: found.day is not None and self.age(found) > self.resolve(v),
            "site": lambda v: self.chart.relation(area, found.side) in v,
            "grade": lambda v: (grade == "S") is (v == "S"),
            "suspected": lambda v: found.suspected is v,
            "addressed": lambda v: cleared is v,
            "evaluated": lambda v: evaluated is v,
        }
        return all(tests[word](value) for word, value in fit.items() if word in tests)

    def age(self, found):
        return (self.chart.day - found.day).days

    def standing(self, rule, found):
        """Return the day of the newest evaluation, and whether massage was cleared since (G-21)."""
        subject = set(names(rule.get("addressed-by"))) or set(self.sets_named(rule["evidence"]))
        wanted, since = found.sets & subject or subject, found.day or date.min
        rules = table("evidence/standing.yaml")
        days = [
            when.first for one, when in encounters(self.chart) if self.evaluates(one, wanted, rules)
        ]
        notes = [(one, when) for one, when in documents(self.chart) if when and signed(one)]
        days += [
            when.first
            for one, when in notes
            if sets(one["type"]) & set(rules["consults"]) and about(one) & wanted
        ]
        evaluated = max((day for day in days if day >= since), default=None)
        cleared = [when.first for one, when in notes if rules["cleared"] in contents(one)]
        return evaluated, any(day >= (evaluated or since) for day in cleared)

    def evaluates(self, one, wanted, rules):
        """Whether a finished encounter, with somebody who may evaluate, was for the flag."""
        kinds = encounter_kinds(one)
        if one["status"] != "finished" or not kinds & set(rules["encounters"]):
            return False
        people = [p["individual"]["reference"] for p in one.get("participant", [])]
        roles = set().union(*(practitioners(self.chart, name)[1] for name in people))
        able = not roles or roles & set(rules["evaluators"]) or kinds & set(rules["always"])
        return bool(able and encounter_reasons(self.chart, one)[0] & wanted)

    def sets_named(self, evidence):
        """Yield the value sets of the diagnoses that evidence names."""
        for node in below([piece["is"] for piece in evidence]):
            if "condition" in node:
                yield from names(node["condition"].get("in"))
            if isinstance(node.get("named"), str):
                yield from self.sets_named([{"is": self.expressions[node["named"]]}])

    # The verdict.

    def verdict(self):
        """Return determination, criteria, missing items and safety findings (G-02)."""
        listed = [(name, self.criterion(name).status) for name in self.entries]
        found = [(name, rule, seen, holes) for name, rule, seen, holes in self.raised()]
        for name, rule, seen, holes in found:
            stopped = any(one.effect == "stop" for one in seen)
            if stopped and "criterion" in rule:
                listed.append((rule["criterion"], NOT_MET))
            elif holes and matters(rule):
                listed.append((rule.get("criterion", name), UNKNOWN))
        listed = [one for one in listed if one[1] != UNKNOWN or (one[0], NOT_MET) not in listed]
        determination = self.determination(found)
        blocking = self.blocking(found)
        advisory = self.advisory(found, determination) - blocking
        return {
            "determination": determination,
            "criteria": set(listed),
            "missing": {(n, True) for n in blocking} | {(n, False) for n in advisory},
            "safety": {
                (name, first(URGENCIES, "urgency", seen), first(EFFECTS, "effect", seen))
                for name, _, seen, _ in found
                if seen
            },
            "approvableNow": self.approvable(determination),
            "priorAuth": self.prior_auth(),
        }

    def determination(self, found):
        effects = {one.effect for _, _, seen, _ in found for one in seen}
        root = self.criterion(self.data["root"]).weight
        if "stop" in effects or root == NOT_MET:
            return "not-covered"
        unread = any(holes and matters(rule) for _, rule, _, holes in found)
        if root != MET or "hold" in effects or unread or self.blocking(found):
            return "conditional"
        return "covered"

    def blocking(self, found):
        asked = {
            item for name in self.bearing(self.data["root"]) for item in self.criterion(name).asks
        }
        return asked | {item for _, _, seen, _ in found for one in seen for item in one.asks}

    def members(self, name):
        entry = self.entries[name]
        if "at-least" in entry:
            return "at-least", entry["at-least"]["of"]
        word = next((w for w in ("all", "any") if w in entry), None)
        return word, entry.get(word, [])

    def bearing(self, name):
        """Return the criteria that keep this one from being met.

        Beside an alternative that only unread data keep open, nothing is asked for.
        """
        if self.criterion(name).weight in (MET, NA):
            return []
        word, members = self.members(name)
        unread = [one for one in members if word == "any" and self.only_unread(one)]
        return [name, *(n for one in unread or members for n in self.bearing(one))]

    def only_unread(self, name):
        outs = [self.criterion(one) for one in self.bearing(name)]
        return (
            self.criterion(name).weight == UNKNOWN
            and not any(out.asks for out in outs)
            and any(out.holes for out in outs)
        )

    def advisory(self, found, determination):
        heard = self.heard(self.data["root"])
        reached = self.reached(self.data["root"])
        asked = {item for name in heard for item in self.criterion(name).advises}
        for name in self.entries:
            if name not in reached:
                asked |= {*self.criterion(name).asks, *self.criterion(name).advises}
        asked |= {item for _, _, seen, _ in found for one in seen for item in one.advises}
        if determination == "not-covered":
            asked |= set(self.data.get("not-covered-route", ()))
        return asked

    def heard(self, name):
        """Return the criteria whose advice counts: alternatives not taken stay silent."""
        word, members = self.members(name)
        taken = [one for one in members if word == "any" and self.criterion(one).weight == MET]
        return {name}.union(*(self.heard(one) for one in taken or members))

    def reached(self, name):
        return {name}.union(*(self.reached(one) for one in self.members(name)[1]))

    def approvable(self, determination):
        counted = [self.criterion(name).supports for name in self.reached(self.data["root"])]
        parts = [part for part in counted if part]
        if determination != "conditional" or not parts:
            return None
        unit = "units" if any(kind == "units" for kind, _ in parts) else "visits"
        return min(value for kind, value in parts if kind == unit), unit

    def prior_auth(self):
        stated = self.data.get("prior-auth")
        if not isinstance(stated, dict):
            return stated
        for row in stated["decide"]:
            if "else" in row or self.ask(row["when"]).status == MET:
                return row.get("else") or row["is"]
        return None


def weight_of(row):
    """Return what a row could weigh."""
    if row.get("aside"):
        return NA
    lenient = row.get("conditional") or "supports" in row
    return UNKNOWN if lenient and row["is"] == NOT_MET else row["is"]


def safety_of(data):
    rules = data.get("safety", {})
    return {n: r for n, r in rules.items() if not any(word in r for word in UNDECIDED)}


def matters(rule):
    """Whether a finding of a rule could change a result."""
    rows = rule["judge"]
    return any(
        row["effect"] != "none" or "ED-now" in (row.get("else"), row.get("urgency")) for row in rows
    )


def weighed(one, emergency):
    """Give an open emergency with sufficient evidence the effect that the policy states (G-20)."""
    if one.urgency != "ED-now" or one.addressed or one.grade != "S":
        return replace(one, effect="none", asks=())
    asks = () if one.holes else tuple(emergency.get("asks", ()))
    return replace(one, effect=emergency["effect"], asks=asks)


def firmer(grade, doubts, before):
    _, known, holes = before
    return grade == "S" if grade != known else bool(holes) and not doubts


def first(ranking, name, seen):
    held = {getattr(one, name) for one in seen}
    return next(word for word in ranking if word in held)


def below(node):
    """Yield every map in a node."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from below(value)
    elif isinstance(node, list):
        for one in node:
            yield from below(one)


def screened(evidence):
    """Return the questions of the safety screen that evidence asks."""
    nodes = (node for piece in evidence for node in below(piece["is"]) if "screen" in node)
    return [item for node in nodes for item in names(node["screen"].get("item"))]


def signed(one):
    return one.get("docStatus") in ("final", "amended")


def about(one):
    return sets(*one.get("category", []), *one.get("context", {}).get("event", []))
