"""The table of codes, `mapping.yaml`, read once."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import yaml

Json = dict[str, Any]

BOTH = "both"
"""The shape that is valid in every version, spoken where none is asked for."""


def load(name: str) -> Json:
    """Return the content of a YAML file of this room."""
    text = files("cds_service.crd").joinpath(name).read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    assert isinstance(content, dict)
    return content


TABLE: Mapping[str, Any] = load("mapping.yaml")
EXTENSION: str = TABLE["extension"]
