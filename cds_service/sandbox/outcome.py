"""Errors of the sandbox server, told as OperationOutcome."""

from __future__ import annotations

from typing import Any


class FhirError(Exception):
    """A request that cannot be served; `code` is an IssueType of FHIR R4."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text

    def outcome(self) -> dict[str, Any]:
        """Return the error as OperationOutcome."""
        return outcome("error", self.code, self.text)


def outcome(severity: str, code: str, text: str) -> dict[str, Any]:
    """Return an OperationOutcome with one issue."""
    issue = {"severity": severity, "code": code, "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}
