"""The page as a Flask blueprint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from cds_service.web.chart import (
    Fixtures,
    drafts_of,
    options,
    order_codes,
    patient_line,
    patient_lines,
    performers,
    reasons,
    sites,
)

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


def web_blueprint(
    store: Fixtures, fhir: str = "/fhir", services: str = "/cds-services"
) -> Blueprint:
    """Return the page over the store's patients.

    `fhir` and `services` are where this origin serves the store over FHIR and the CDS services.
    """
    blueprint = Blueprint(
        "web",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/assets",
    )
    blueprint.after_request(_protect)

    @blueprint.get("/")
    def page() -> tuple[str, int]:
        key = request.args.get("patient", "")
        shown = {"patients": patient_lines(store), "fhir": fhir, "services": services}
        chosen = _chosen(store, key) if key else None
        status = 404 if key and chosen is None else 200
        return render_template("page.html", **shown, chosen=chosen, asked=key), status

    @blueprint.post("/reset")
    def reset() -> AnyResponse:
        store.reset()
        return redirect(url_for("web.page", patient=request.form.get("patient") or None), 303)

    return blueprint


def _chosen(store: Fixtures, key: str) -> dict[str, Any] | None:
    patient = store.read("Patient", key)
    if patient is None:
        return None
    asked = next(iter(store.requests.get(key, [])), None) or _new_request(key)
    return {
        "line": patient_line(store, patient),
        "request": asked,
        "service": options()["service"],
        "codes": order_codes(),
        "sites": sites(),
        "reasons": reasons(store, key),
        "performers": performers(store, drafts_of(asked)),
        "periods": options()["periods"],
    }


def _new_request(patient: str) -> Mapping[str, Any]:
    """Return the start of an order for a patient whose fixture drafts none."""
    order = {
        "resourceType": "ServiceRequest",
        "id": f"{patient}-order",
        "status": "draft",
        "intent": "order",
        **order_codes()[0].fragment,
        "subject": {"reference": f"Patient/{patient}"},
    }
    drafts = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]}
    context = {"patientId": patient, "userId": "Practitioner/demo", "draftOrders": drafts}
    return {"hook": "order-sign", "context": context}


def _protect(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
