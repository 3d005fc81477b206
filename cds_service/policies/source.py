"""Policy files as YAML, and the error of a policy set that cannot be used."""

from __future__ import annotations

from cds_service.terminology.measures import Loader
from cds_service.terminology.source import Source, SourceError, parse_yaml


class PolicyError(SourceError):
    """A policy set that cannot be used; `problems` holds every reason found."""


def read_source(name: str, text: str) -> Source:
    """Parse YAML; raise PolicyError when it is no YAML or a key stands twice in one map."""
    return parse_yaml(name, text, Loader, PolicyError)
