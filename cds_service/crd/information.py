"""The coverage-information extension of one assertion, in the shape of one version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cards.words import phrase
from cds_service.crd.state import Assertion
from cds_service.crd.table import EXTENSION, TABLE, Json
from cds_service.crd.words import text_of, unread_text
from cds_service.evaluation import MissingItem, number

_NAMESPACE = uuid5(NAMESPACE_URL, TABLE["namespace"])
_KINDS = ("clinical", "admin", "patient")
_OTHER = "OTH"
_TECHNICAL = "technical"
_CONDITIONAL = "conditional"
_NOT_COVERED = "not-covered"


@dataclass(frozen=True)
class Voice:
    """How to say it: the version ("both" for what is valid in each), the day it is said.

    `early` is for an order that is not signed yet: nothing is asked for.
    """

    version: str
    today: date
    early: bool = False

    @property
    def shape(self) -> Json:
        """The row of `shapes`."""
        row: Json = TABLE["shapes"][self.version]
        return row


def silent(assertion: Assertion, version: str) -> bool:
    """Whether nothing is said of it in a version."""
    return version in assertion.row.get("silent", ())


def assertion_id(assertion: Assertion) -> str:
    """Return the id of an assertion: the same facts have the same one."""
    evaluation = assertion.evaluation
    parts = (evaluation.digest, evaluation.coverage or "", assertion.state)
    return str(uuid5(_NAMESPACE, "|".join(parts)))


def information(assertion: Assertion, codes: Iterable[Json], voice: Voice) -> Json:
    """Return the extension; `codes` are the codings by which the order is to be billed."""
    return {"url": EXTENSION, "extension": [*_Parts(assertion, voice).parts(codes)]}


class _Parts:
    """The parts of one extension, in the order of the specification."""

    def __init__(self, assertion: Assertion, voice: Voice) -> None:
        self.assertion = assertion
        self.row = assertion.row
        self.evaluation = assertion.evaluation
        self.voice = voice
        self.shape = voice.shape
        self.info: dict[str, None] = {}
        self.covered = self._code(self.row["covered"])
        self.authorization, self.authorization_text = self._authorization()
        self.documents = self._documents()
        self._ask()

    def parts(self, codes: Iterable[Json]) -> Iterator[Json]:
        yield _part("coverage", "Reference", {"reference": self.evaluation.coverage})
        yield _part("covered", "Code", self.covered)
        if self.authorization:
            yield _part("pa-needed", "Code", self.authorization)
        yield from (_part("doc-needed", "Code", kind) for kind in self.documents)
        purpose = self._purpose()
        if purpose:
            yield _part("doc-purpose", "Code", purpose)
        yield from (_part("info-needed", "Code", code) for code in self.info)
        yield from (_part("billingCode", "Coding", code) for code in codes)
        yield from (_part("reason", "CodeableConcept", it) for it in self._reasons(purpose))
        yield from self._details()
        yield from (_part("questionnaire", "Canonical", url) for url in self._questionnaires())
        yield _part("date", "Date", self.voice.today.isoformat())
        yield _part("coverage-assertion-id", "String", assertion_id(self.assertion))
        if self.assertion.valid_until and self.shape["expiry"]:
            yield _part("expiry-date", "Date", self.assertion.valid_until)

    def _code(self, code: str) -> str:
        """Return a code as the version knows it, with what it then asks for."""
        if code != "indeterminate" or self.shape["indeterminate"]:
            return code
        other = TABLE["instead"][code]
        self._need(other.get("info"))
        return str(other["code"])

    def _need(self, code: str | None) -> None:
        if code:
            known = self.shape.get(code, True)
            self.info[code if known else TABLE["instead"][code]["info"]] = None

    def _authorization(self) -> tuple[str | None, str | None]:
        refused = self.covered == _NOT_COVERED and not self.shape["refused-too"]
        if refused or self.row.get("pa") is False:
            return None, None
        stated = self.row.get("pa-needed")
        if stated:
            return str(stated), None
        row = TABLE["prior-auth"][self.evaluation.prior_auth or "none"]
        return row["code"], row.get("text")

    def _blocking(self) -> list[MissingItem]:
        wanted = self.row.get("docs") and not self.voice.early
        return [item for item in self.evaluation.missing if item.blocking] if wanted else []

    def _documents(self) -> list[str]:
        """Return the kinds of documents that are missing, as the version knows them."""
        found = {_kind(item) for item in self._blocking()}
        known = [*dict.fromkeys(self._document(kind) for kind in _KINDS if kind in found)]
        together = self.shape["documents-together"]
        if together and len(known) > 1:
            return [str(together)]
        return known if self.shape["several-documents"] else known[:1]

    def _document(self, kind: str) -> str:
        known = kind in self.shape["documents"]
        return kind if known else str(TABLE["instead"][kind]["code"])

    def _ask(self) -> None:
        """Say what is needed if and only if something is conditional."""
        self._need(self.row.get("info"))
        for item in self._blocking():
            kind = _kind(item)
            self._need(None if kind in (*_KINDS, "none") else kind)
        if _CONDITIONAL not in (self.covered, self.authorization):
            self.info.clear()
        elif not self.info or self.authorization_text:
            self._need(_OTHER)

    def _purpose(self) -> str | None:
        purposes: Mapping[str, str] = TABLE["doc-purpose"]
        return purposes.get(self.authorization or "") if self.documents else None

    def _reasons(self, purpose: str | None) -> Iterator[Json]:
        text = text_of(self.assertion, early=self.voice.early)
        if text:
            yield {**self._reason_code(self.row.get("reason")), "text": text}
        if unread := unread_text(self.assertion):
            yield {**self._reason_code(_TECHNICAL), "text": unread}
        if self.authorization_text:
            yield {"text": self.authorization_text}
        if purpose:
            yield {"text": TABLE["purpose-text"]}
        if self._limits_hold() and self.shape["details"] == "reason":
            yield {"text": self._limits_told("reason")}

    def _reason_code(self, code: str | None) -> Json:
        if code is None or code not in self.shape["reasons"]:
            return {}
        named = TABLE["reason-names"][code]
        return {"coding": [_coding(TABLE["reason-system"], code, named)]}

    def _questionnaires(self) -> list[str]:
        if not self.documents:
            return []
        asked = (item for item in self._blocking() if _kind(item) in _KINDS)
        return [*dict.fromkeys(item.questionnaire for item in asked if item.questionnaire)]

    def _details(self) -> Iterator[Json]:
        if self.shape["details"] == "reason":
            return
        if self._limits_hold():
            value = {"value": number(self._visits), "unit": TABLE["details"]["unit"]}
            yield self._detail("quantity", "Quantity", value, self._limits_told("qualification"))
            span = _span(self.evaluation.day, self._period["years"])
            yield self._detail("period", "Period", span)
        policy = self.evaluation.policy
        if policy and policy.url and self.shape["details"] == "category":
            yield self._detail("link", "Url", policy.url)

    def _limits_hold(self) -> bool:
        """Whether the limits say something: what is covered beyond them has others."""
        if not self.row.get("limits") or not self._period:
            return False
        facts = self.evaluation.facts
        visits = facts.get(self._period["used"], 0) + facts.get("order.visits", 0)
        return self.covered != "covered" or visits <= self._visits

    @property
    def _visits(self) -> Fraction:
        return Fraction((self.evaluation.limits or {}).get("visits") or 0)

    @property
    def _period(self) -> Json:
        """The period of the policy's limits; {} where it has none that can be told."""
        row: Json | None = TABLE["periods"].get((self.evaluation.limits or {}).get("period"))
        return row or {}

    def _limits_told(self, template: str) -> str:
        used = self.evaluation.facts.get(self._period["used"])
        view = {"span": self._period["span"], "used": used, "visits": self._visits}
        return phrase(TABLE["details"][template], view)

    def _detail(self, name: str, kind: str, value: Any, told: str | None = None) -> Json:
        row = TABLE["details"][name]
        concept = {"coding": [_coding(self.shape["detail-system"], row["code"], row["display"])]}
        sorted_by = self.shape["details"] == "category"
        category = [_part("category", "Code", row["category"])] if sorted_by else []
        more = [_part("qualification", "String", told)] if told else []
        inner = [_part("code", "CodeableConcept", concept), _part("value", kind, value)]
        return {"url": "detail", "extension": [*category, *inner, *more]}


def _kind(item: MissingItem) -> str:
    kinds: Mapping[str, str] = TABLE["items"]
    return kinds.get(item.action or "", "clinical")


def _span(start: date, years: int) -> Json:
    """Return the Period of so many years from a day, its last day included."""
    try:
        following = start.replace(year=start.year + years)
    except ValueError:  # 29 February
        following = date(start.year + years, 3, 1)
    return {"start": start.isoformat(), "end": (following - timedelta(days=1)).isoformat()}


def _part(url: str, kind: str, value: Any) -> Json:
    return {"url": url, f"value{kind}": value}


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}
