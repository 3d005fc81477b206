"""The line that each call leaves in the log."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from cds_service.observe import bounded
from cds_service.observe.call import Call

log = logging.getLogger(__name__)

MILLION = 1e6


def tell(call: Call) -> None:
    """Write the line of a call that has ended."""
    level = logging.ERROR if call.status >= 500 else logging.INFO
    if log.isEnabledFor(level):
        # Made here, for log.log() would look through the stack for who logs.
        record = logging.LogRecord(log.name, level, __file__, 0, call.kind, (), None)
        record.event, record.fields = call.kind, fields_of(call)
        log.handle(record)


def fields_of(call: Call) -> dict[str, Any]:
    """Return what is told of a call: codes, counts and milliseconds, nothing of the patient."""
    fields = {
        "call": call.id,
        "service": call.service,
        "hook": call.hook,
        "client": call.client,
        "status": call.status,
        "ms": _milliseconds(call.ended - call.started),
        "steps": {name: _milliseconds(spent) for name, spent in call.steps.items()},
        "orders": call.orders,
        "determinations": _determinations(call),
        "holes": _holes(call) if call.holes else None,
        "fetches": len(call.fetches) or None,
        "fetchErrors": _fetch_errors(call) if call.fetches else None,
    }
    return {name: value for name, value in fields.items() if value not in (None, {}, [])}


def _determinations(call: Call) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for policy, determination in call.determinations:
        found.setdefault(policy, []).append(determination)
    return found


def _holes(call: Call) -> list[dict[str, Any]]:
    return [
        {"query": key, "reason": bounded.reason(reason), "count": count}
        for (key, reason), count in call.lacking.items()
    ]


def _fetch_errors(call: Call) -> dict[str, int]:
    return dict(Counter(bounded.reason(reason) for _, reason, _ in call.fetches if reason))


def _milliseconds(nanoseconds: int) -> float:
    return round(nanoseconds / MILLION, 3)
