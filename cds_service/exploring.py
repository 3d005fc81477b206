"""What the demo's page asks beside a hook call: what if, what other payers say, how scores went.

Each question carries the hook request as it was signed. Nothing is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from cds_service.comparison import Compared, compare
from cds_service.course import courses
from cds_service.evaluation import Evaluation
from cds_service.hooks.client import Client
from cds_service.hooks.errors import HookError
from cds_service.hooks.request import HookRequest, parse_request
from cds_service.pictured import shown
from cds_service.review import Case, Payer, review
from cds_service.reviewer import Reviewer

Json = dict[str, Any]

SUPPOSED = "massage-cds.supposed"


@dataclass(frozen=True)
class Explorer:
    """Answers questions about a call for the page; `client` is who the page calls as.

    Each method takes a hook request as JSON and raises HookError as the service would.
    """

    reviewer: Reviewer
    client: Client

    def what_if(self, body: bytes) -> Json:
        """Return the evaluations with what the request's extension supposes taken as shown."""
        request = self._request(body)
        case = self.reviewer.gather(request).case
        supposed = replace(case, supposed=_supposed(request))
        return {"evaluations": [made.as_json() for made in review(supposed, self.reviewer.rules)]}

    def compare(self, body: bytes) -> Json:
        """Return what every policy says of the orders."""
        request = self._request(body)
        found = compare(self._whole(request), self.reviewer.rules)
        return {"compared": [_compared(one) for one in found]}

    def course(self, body: bytes) -> Json:
        """Return how scores went, as each coverage's policy reads them."""
        request = self._request(body)
        case = self.reviewer.gather(request).case
        return {"courses": [shown(one) for one in courses(case, self.reviewer.rules)]}

    def _request(self, body: bytes) -> HookRequest:
        return replace(parse_request(body), client=self.client)

    def _whole(self, request: HookRequest) -> Case:
        """Return the case with all that any policy reads."""
        gathered = self.reviewer.gather(request)
        case = gathered.case
        if not gathered.group.orders:
            return case
        library = self.reviewer.rules.library
        every = [Payer(None, library.versions[name][0], None) for name in library.ids()]
        ends = monotonic() + self.reviewer.deadline
        return replace(case, record=self.reviewer.read_rest(request, case, every, ends))


def _supposed(request: HookRequest) -> frozenset[str]:
    listed = request.extension.get(SUPPOSED, [])
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        words = "Ids of criteria and missing items to suppose: send a list of texts."
        raise HookError(400, "value", words, f"extension['{SUPPOSED}']")
    return frozenset(listed)


def _compared(one: Compared) -> Json:
    head = one.policy.head
    return {
        "policy": head.id,
        "title": head.title,
        "payer": head.payer,
        "draft": head.draft,
        "own": one.own,
        "product": one.product,
        "evaluation": _shown(one.evaluation) if one.evaluation else None,
    }


def _shown(made: Evaluation) -> Json:
    return made.as_json() | {"gap": made.gap}
