"""The demo's FHIR server: invented patients in memory, FHIR R4 over HTTP."""

from cds_service.sandbox.routes import sandbox_blueprint
from cds_service.sandbox.store import SandboxStore

__all__ = ["SandboxStore", "sandbox_blueprint"]
