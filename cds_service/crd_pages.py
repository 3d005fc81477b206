"""What a card of the CRD services links to: a policy as it is applied, in plain text."""

from __future__ import annotations

from flask import Blueprint, Response

from cds_service.hooks.errors import HookError
from cds_service.policies.commands import UnknownPolicyError, chosen, shown
from cds_service.policies.library import PolicyLibrary

PREFIX = "/crd"
FOLDER = "/policies"


def policy_pages(library: PolicyLibrary) -> Blueprint:
    """Return the route `/crd/policies/{id}`; nobody needs a token for it."""
    pages = Blueprint("crd-policies", __name__, url_prefix=PREFIX)

    @pages.get(f"{FOLDER}/<policy>")
    def page(policy: str) -> Response:
        try:
            text = shown(chosen(library, policy, None))
        except UnknownPolicyError as unknown:
            raise HookError(404, "not-found", f"There is {unknown}.") from None
        return Response(f"{text}\n", content_type="text/plain; charset=utf-8")

    return pages


def address(base: str, policy: str) -> str:
    """Return the address of a policy's page under the base URL of the service."""
    return f"{base.rstrip('/')}{PREFIX}{FOLDER}/{policy}"
