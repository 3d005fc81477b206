"""Where a store keeps things."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

SECONDS = 2.0


@dataclass(frozen=True)
class Setup:
    """What a site sets up.

    `folder` holds the spool, and the SQLite file and the secret where `url` and `secret` are not
    given; `zone` is the site's, `spool_limit` bytes the most that may wait in the files of a
    worker, `seconds` the longest wait for the database, `retention` the days that guidance and
    feedback are kept (None: nobody but the command prunes).
    """

    folder: Path
    zone: tzinfo
    url: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    spool_limit: int = 1 << 30
    seconds: float = SECONDS
    retention: int | None = None
