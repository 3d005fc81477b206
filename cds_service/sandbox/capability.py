"""What the sandbox server can do, as CapabilityStatement."""

from __future__ import annotations

from typing import Any

from cds_service.sandbox.parameters import Parameter, catalogue

INTERACTIONS = ("read", "search-type", "create", "update", "delete")


def capability(base: str) -> dict[str, Any]:
    """Return the CapabilityStatement of the server at `base`."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-01",
        "kind": "instance",
        "implementation": {"description": "massage-cds sandbox, invented patients", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [_rest()],
    }


def _rest() -> dict[str, Any]:
    kinds = sorted(catalogue().items())
    return {
        "mode": "server",
        "security": {"cors": True, "description": "Open. For demonstration on loopback only."},
        "resource": [_resource(kind, known) for kind, known in kinds],
        "interaction": [{"code": "transaction"}, {"code": "batch"}],
    }


def _resource(kind: str, known: dict[str, Parameter]) -> dict[str, Any]:
    references = [f"{kind}:{name}" for name, item in known.items() if item.kind == "reference"]
    described = {
        "type": kind,
        "interaction": [{"code": code} for code in INTERACTIONS],
        "versioning": "versioned",
        "updateCreate": True,
        "searchParam": [{"name": name, "type": item.kind} for name, item in known.items()],
    }
    return described | ({"searchInclude": references} if references else {})
