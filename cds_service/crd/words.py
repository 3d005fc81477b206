"""Why an assertion is what it is, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cards.rows import holes_of, rows_of
from cards.tree import Tree
from cards.words import phrase
from cds_service.crd.state import Assertion, undecided
from cds_service.crd.table import TABLE
from cds_service.evaluation import Evaluation, number
from cds_service.evidence.answer import Status

_WORDS = TABLE["words"]


def text_of(assertion: Assertion, *, early: bool = False) -> str | None:
    """Return the words on coverage; None where the state says it all.

    `early`: the order is not signed yet, and nothing is asked for.
    """
    template = assertion.row.get("text")
    if template is None:
        return None
    evaluation = assertion.evaluation
    early = early and assertion.state == "conditional"
    items = [str(_WORDS["signing"])] if early else _items(assertion)
    view = {
        "items": _listed(items),
        "payer": evaluation.payer or _WORDS["payer"],
        "policy": evaluation.policy.title if evaluation.policy else _WORDS["policy"],
        "day": evaluation.day,
    }
    return phrase(template, view)


def unread_text(assertion: Assertion) -> str | None:
    """Return what could not be read beside what is missing, in words."""
    if assertion.state != "conditional":
        return None
    bearing = [hole for item in undecided(assertion.evaluation) for hole in item.holes]
    unread = _unique(hole.query for hole in holes_of(bearing))
    return str(_WORDS["unread"]).format(_listed(unread)) if unread else None


def _items(assertion: Assertion) -> list[str]:
    """Return what the result rests on."""
    evaluation = assertion.evaluation
    if assertion.state == "unread":
        return _unread(evaluation)
    if assertion.state == "not-covered":
        return _unmet(evaluation) or [str(_WORDS["criteria"])]
    if assertion.state == "conditional":
        return _wanted(evaluation) or [str(_WORDS["criteria"])]
    return []


def _unread(evaluation: Evaluation) -> list[str]:
    bearing = [hole for item in undecided(evaluation) for hole in item.holes]
    return _unique(hole.query for hole in holes_of(bearing))


def _unmet(evaluation: Evaluation) -> list[str]:
    rows = rows_of(Tree(evaluation.criteria).deciding, evaluation)
    return _unique(row.because or row.text for row in rows if row.verdict == "not-met")


def _wanted(evaluation: Evaluation) -> list[str]:
    """Return the items that block, or the part that is supported without them.

    Where neither is there, the criteria that are open.
    """
    tree = Tree(evaluation.criteria)
    blocking = [item for item in evaluation.missing if item.blocking]
    texts = _unique(item.text for item in blocking)
    if ways := tree.ways(item.id for item in blocking):
        named = {item.id: item.text for item in blocking}
        each = ("; ".join(_few(_unique(named[name] for name in way.asks))) for way in ways)
        texts = [str(_WORDS["or"]).join(dict.fromkeys(each))]
    dose = _dose(evaluation)
    if texts or dose:
        return [str(_WORDS["or"]).join(filter(None, ["; ".join(_few(texts)), dose]))]
    rows = rows_of(tree.deciding, evaluation)
    return _unique(row.because or row.text for row in rows if row.verdict != Status.MET.value)


def _dose(evaluation: Evaluation) -> str:
    amount = evaluation.approvable_now
    if amount is None:
        return ""
    one = amount.unit.removesuffix("s")
    unit = one if amount.value == 1 else amount.unit
    return str(_WORDS["dose"][one]).format(number(amount.value), unit)


def _unique(texts: Iterable[str]) -> list[str]:
    return [*dict.fromkeys(text.rstrip(" .;") for text in texts if text)]


def _listed(items: Sequence[str]) -> str:
    return "; ".join(_few(items))


def _few(items: Sequence[str]) -> list[str]:
    most = int(_WORDS["most"])
    more = [str(_WORDS["more"]).format(len(items) - most)] if len(items) > most else []
    return [*items[:most], *more]
