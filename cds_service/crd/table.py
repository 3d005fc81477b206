"""The table of codes, `mapping.yaml`, read once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from typing import Any

import yaml

Json = dict[str, Any]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

BOTH = "both"
"""The shape that is valid in every version, spoken where none is asked for."""


def load(name: str) -> Json:
    """Return the content of a YAML file of this room."""
    text = files("cds_service.crd").joinpath(name).read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    assert isinstance(content, dict)
    return content


def parse_day(written: Any) -> date | None:
    """Return a whole date as FHIR writes it; None for anything else."""
    try:
        return date.fromisoformat(written) if _DAY.fullmatch(written) else None
    except (TypeError, ValueError):
        return None


TABLE: Mapping[str, Any] = load("mapping.yaml")
EXTENSION: str = TABLE["extension"]
