"""Override reasons: our own codes and HL7's, in our words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True)
class Reason:
    """What a code means among our own (None: none of them), and whether it acknowledges (G-21)."""

    meaning: str | None = None
    acknowledges: bool = False


UNKNOWN = Reason()


def reason(system: str, code: str) -> Reason:
    """Return what a code means; UNKNOWN for one of neither system."""
    return _table().get((system, code), UNKNOWN)


@cache
def _table() -> dict[tuple[str, str], Reason]:
    text = Path(__file__).with_name("reasons.yaml").read_text(encoding="utf-8")
    listed = yaml.safe_load(text).items()
    return {(system, code): Reason(**row) for system, rows in listed for code, row in rows.items()}
