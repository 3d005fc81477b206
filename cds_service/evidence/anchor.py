"""The day from which `since` counts: the baseline measurement's, or that of the first visit."""

from __future__ import annotations

from datetime import date

from cds_service.evidence.context import Context
from cds_service.evidence.measures import earliest_baseline
from cds_service.evidence.visits import episode


def anchor(context: Context, since: str) -> date | None:
    """Return the day; None when nothing was measured, or care has not begun."""
    return earliest_baseline(context) if since == "baseline" else episode(context).anchor
