"""The page as a Flask blueprint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from cds_service.web.chart import (
    Chart,
    Fixtures,
    coverages,
    drafts_of,
    options,
    order_codes,
    patient_head,
    patient_line,
    patient_lines,
    performers,
    plans,
    reasons,
    sites,
    unsigned,
)
from cds_service.web.headers import protect
from cds_service.web.navigation import navigation
from cds_service.web.outside import Outside, OutsideError, Server, as_answer
from cds_service.web.upload import LARGEST, UploadError, read_upload, too_large

READABLE = ("application/json", "application/fhir+json")
FHIR_JSON = "application/fhir+json"

Sign = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where this origin serves the store over FHIR and the CDS services."""

    fhir: str = "/fhir"
    services: str = "/cds-services"


def web_blueprint(
    store: Fixtures,
    place: Place = Place(),
    *,
    sign: Sign | None = None,
    outside: Outside | None = None,
    largest: int = LARGEST,
) -> Blueprint:
    """Return the page over the store's patients.

    `sign` makes the token of a call to a URL; without it calls go unsigned. `outside` are other
    FHIR servers whose patients the page may show; without it there are none. `largest` is the most
    bytes of a Bundle that a visitor may bring along.
    """
    blueprint = Blueprint(
        "web",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/assets",
    )
    blueprint.after_request(protect)
    blueprint.app_context_processor(lambda: {"navigation": navigation()})
    _add_page(blueprint, View(store, place, bool(sign), outside, largest))
    _add_upload(blueprint, store, largest)
    if outside:
        _add_outside(blueprint, outside)
    if sign:
        _add_token(blueprint, sign, place)

    @blueprint.post("/reset")
    def reset() -> AnyResponse:
        store.reset()
        key = request.form.get("patient", "")
        held = store.read("Patient", key) if key else None
        return redirect(url_for("web.page", patient=key if held else None), 303)

    return blueprint


@dataclass(frozen=True, slots=True)
class View:
    """Makes what the page's template shows."""

    store: Fixtures
    place: Place
    signs: bool
    outside: Outside | None
    largest: int

    def page(self, asked: Mapping[str, str]) -> tuple[dict[str, Any], int]:
        """Return the template's values for the parameters of the address, and the HTTP status."""
        shown = {
            "patients": patient_lines(self.store),
            "place": self.place,
            "signs": self.signs,
            "outside": self.outside,
            "largest": self.largest,
            "asked": asked.get("patient", ""),
            "server": asked.get("server", ""),
            "find": asked.get("find", ""),
            "found": None,
            "chosen": None,
            "problem": "",
        }
        try:
            shown |= self._read(shown)
        except OutsideError as error:
            # The page itself is sound: what it tells is the answer.
            return shown | {"problem": str(error)}, 200
        return shown, 404 if shown["asked"] and shown["chosen"] is None else 200

    def _read(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        key, base = shown["asked"], shown["server"]
        if not base or self.outside is None:
            chosen = _chosen(self.store, key, self.store.read("Patient", key)) if key else None
            if chosen and not chosen["coverages"]:
                chosen["plans"] = plans(self.store)
            return {"chosen": chosen}
        server = self.outside.server(base)
        if key:
            return {"chosen": _chosen(server, key, server.patient(key)), "away": server}
        return {"found": [patient_head(one) for one in server.patients(shown["find"])]}


def _add_page(blueprint: Blueprint, view: View) -> None:
    @blueprint.get("/")
    def page() -> tuple[str, int]:
        shown, status = view.page(request.args)
        return render_template("page.html", **shown), status


def _chosen(chart: Chart, key: str, patient: dict[str, Any] | None) -> dict[str, Any] | None:
    if patient is None:
        return None
    waiting = unsigned(chart, key)
    return {
        "line": patient_line(chart, patient),
        "request": waiting.request,
        "others": waiting.others,
        "service": options()["service"],
        "codes": order_codes(),
        "sites": sites(),
        "coverages": coverages(chart, key),
        "reasons": reasons(chart, key),
        "performers": performers(chart, drafts_of(waiting.request)),
        "periods": options()["periods"],
        "plans": [],
        "away": isinstance(chart, Server),
    }


def _add_upload(blueprint: Blueprint, store: Fixtures, largest: int) -> None:
    @blueprint.post("/patients")
    def bring() -> tuple[Response, int]:
        # JSON alone: a page of another origin cannot send it without asking first.
        if request.mimetype not in READABLE:
            return _refused("Send the Bundle as application/fhir+json.", 415)
        length = request.content_length or 0
        if length > largest:
            return _refused(too_large(length, largest), 413)
        try:
            upload = read_upload(request.get_data(cache=False), largest)
            key = store.admit(upload.entries, upload.story)
        except UploadError as error:
            return _refused(str(error))
        except RecursionError:
            return _refused("The Bundle is nested too deeply to be FHIR.")
        return jsonify(patient=key, page=url_for("web.page", patient=key)), 201


def _refused(words: str, status: int = 200) -> tuple[Response, int]:
    """Tell what is wrong: 200 where the question was in order and the Bundle is not."""
    return jsonify(problem=words), status


def _add_outside(blueprint: Blueprint, outside: Outside) -> None:
    @blueprint.get("/outside/<token>/<path:form>")
    def read(token: str, form: str) -> tuple[Response, int]:
        query = request.query_string.decode("ascii", "replace")
        whole = f"{form}?{query}" if query else form
        try:
            server = outside.by_token(token)
        except OutsideError as error:
            return _refused(str(error), 403)
        answer, status = as_answer(server.fetch(whole), whole)
        told = jsonify(answer)
        told.content_type = FHIR_JSON
        return told, status


def _asked() -> Any:
    """Return the JSON of a body; None where it is none, also where it is nested too deeply."""
    try:
        return orjson.loads(request.get_data())
    except orjson.JSONDecodeError:
        return None


def _add_token(blueprint: Blueprint, sign: Sign, place: Place) -> None:
    @blueprint.post("/token")
    def token() -> tuple[Response, int]:
        asked = _asked()
        audience = asked.get("audience") if isinstance(asked, dict) else None
        services = f"{request.host_url.rstrip('/')}{place.services}"
        ours = isinstance(audience, str) and f"{audience}/".startswith(f"{services}/")
        if not ours:
            return _refused(f"Name as audience a URL at or below {services}.", 400)
        return jsonify(token=sign(str(audience))), 200
