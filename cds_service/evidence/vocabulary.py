"""The leaves and quantities that policy files may use: importing them registers them."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "allergies",
    "amounts",
    "conditions",
    "course",
    "coverage",
    "decrease",
    "documents",
    "encounters",
    "forms",
    "goals",
    "measures",
    "medications",
    "number",
    "other_orders",
    "people",
    "plans",
    "procedures",
    "programs",
    "progress",
    "readings",
    "sayings",
    "visits",
)


def load() -> None:
    """Register every leaf and quantity."""
    for name in MODULES:
        import_module(f"cds_service.evidence.{name}")
