"""One order under every policy: what each would say, had its payer to answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cds_service.evaluation import Evaluation
from cds_service.policies.policy import Policy
from cds_service.policies.routing import PayerEntry
from cds_service.review import Case, Rules, review

NOBODY = ("", "")


@dataclass(frozen=True, slots=True)
class Compared:
    """What one policy says. `own` tells that the patient's own coverage leads there; otherwise the
    coverage was taken for `product`, a line of business of that payer (None: none is known)."""

    policy: Policy
    own: bool
    product: str | None
    evaluation: Evaluation | None


def compare(case: Case, rules: Rules) -> list[Compared]:
    """Return what each policy says of the same orders and record, policies by id.

    `evaluation` is None where no order is in scope.
    """
    own = {made.policy.id: made for made in review(case, rules) if made.policy}
    return list(_compared(case, rules, own))


def _compared(case: Case, rules: Rules, own: dict[str, Evaluation]) -> Iterator[Compared]:
    for name in rules.library.ids():
        policy = rules.library.policy(name, case.day) or rules.library.versions[name][0]
        if name in own:
            yield Compared(policy, True, None, own[name])
            continue
        row = _row(name, rules)
        made = review(case, replace(rules, taken_as=row))
        yield Compared(policy, False, row.line_of_business, next(iter(made), None))


def _row(policy: str, rules: Rules) -> PayerEntry:
    """Return the first row of the table that leads to a policy; a bare one where none does."""
    rows = (row for row in rules.payers if row.policy == policy)
    return next(rows, PayerEntry(NOBODY, frozenset(), None, policy, None))
