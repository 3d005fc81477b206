"""The rules of coverage-information, written down once more: parts, codes, and q1 to q9.

`breaches` judges an extension by the rules of CRD 2.0.1, of 2.2.1, or ("both") of the two.
"""

import re
import uuid
from datetime import date

URL = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information"
TEMP = "http://hl7.org/fhir/us/davinci-crd/CodeSystem/temp"
DETAILS = "http://terminology.hl7.org/CodeSystem/crd-coverage-detail"

COVERED = {"covered", "not-covered", "conditional"}
PA = {"no-auth", "auth-needed", "satisfied", "performpa", "conditional"}
PURPOSES = {"withpa", "withclaim", "withorder", "retain-doc", "OTH"}
INFO = {"performer", "location", "timeframe", "contract-window", "OTH"}
DETAIL_CODES = {
    "allowed-quantity",
    "allowed-period",
    "in-network-copay",
    "out-network-copay",
    "concurrent-review",
    "appropriate-use-needed",
}
REASONS = {
    "2.0": {"gold-card", "detail-code"},
    "2.2": {
        "gold-card",
        "no-member-found",
        "no-active-coverage",
        "coverage-not-found",
        "auth-out-network",
        "technical",
    },
}

# part: (least, most, type of its value, codes); None: without limit
PARTS = {
    "2.0": {
        "coverage": (1, 1, "valueReference", None),
        "covered": (1, 1, "valueCode", COVERED),
        "pa-needed": (0, 1, "valueCode", PA),
        "doc-needed": (0, 1, "valueCode", {"clinical", "admin", "both", "conditional"}),
        "doc-purpose": (0, None, "valueCode", PURPOSES),
        "info-needed": (0, None, "valueCode", INFO),
        "billingCode": (0, None, "valueCoding", None),
        "reason": (0, None, "valueCodeableConcept", None),
        "detail": (0, None, "extension", None),
        "dependency": (0, None, "valueReference", None),
        "questionnaire": (0, None, "valueCanonical", None),
        "response": (0, None, "valueReference", None),
        "date": (1, 1, "valueDate", None),
        "coverage-assertion-id": (1, 1, "valueString", None),
        "satisfied-pa-id": (0, 1, "valueString", None),
        "contact": (0, None, "valueContactPoint", None),
    },
    "2.2": {
        "coverage": (1, 1, "valueReference", None),
        "covered": (1, 1, "valueCode", COVERED | {"indeterminate"}),
        "pa-needed": (0, 1, "valueCode", PA | {"indeterminate"}),
        "doc-needed": (
            0,
            None,
            "valueCode",
            {"clinical", "admin", "patient", "conditional", "indeterminate"},
        ),
        "doc-purpose": (0, None, "valueCode", PURPOSES),
        "info-needed": (0, None, "valueCode", INFO | {"detail-code"}),
        "billingCode": (0, None, "valueCoding", None),
        "reason": (0, None, "valueCodeableConcept", None),
        "detail": (0, None, "extension", None),
        "dependency": (0, None, "valueReference", None),
        "questionnaire": (0, None, "valueCanonical", None),
        "date": (1, 1, "valueDate", None),
        "coverage-assertion-id": (1, 1, "valueString", None),
        "satisfied-pa-id": (0, 1, "valueString", None),
        "contact": (0, None, "valueContactDetail", None),
        "expiry-date": (0, 1, "valueDate", None),
    },
}
DETAIL_VALUES = {
    "2.0": {"valueBoolean", "valueString", "valuePeriod", "valueQuantity"},
    "2.2": {"valueBoolean", "valueString", "valueUrl", "valuePeriod", "valueQuantity"},
}


def breaches(extension, version):
    """Return what is wrong with a coverage-information extension, [] if nothing.

    No extension that says not-covered passes the invariant q2 of both versions as they are coded;
    for "both" its words count, which are the same.
    """
    if version != "both":
        return [*dict.fromkeys(_breaches(extension, version))]
    found = [text for one in ("2.0", "2.2") for text in _breaches(extension, one)]
    refused = "not-covered" in Parts(extension.get("extension", [])).codes("covered")
    return [one for one in dict.fromkeys(found) if not (refused and one == Q2_OF_OLD)]


def _breaches(extension, version):
    if extension.get("url") != URL or set(extension) - {"url", "extension", "id"}:
        return ["not the extension coverage-information"]
    parts = extension.get("extension", [])
    told = [text for part in parts for text in _part(part, version)]
    return [*told, *_counts(parts, version), *_invariants(Parts(parts), version)]


class Parts:
    """The parts by url."""

    def __init__(self, parts):
        self.parts = [part for part in parts if isinstance(part, dict)]

    def codes(self, *urls):
        return [part.get("valueCode") for part in self.parts if part.get("url") in urls]

    def has(self, url):
        return any(part.get("url") == url for part in self.parts)

    def of(self, url):
        return [part for part in self.parts if part.get("url") == url]


def values_of(part):
    return [key for key in part if key.startswith("value")]


def _part(part, version):
    url = part.get("url")
    row = PARTS[version].get(url)
    if row is None:
        yield f"{url}: no part of {version}"
        return
    _, _, kind, codes = row
    if kind == "extension":
        yield from _detail(part, version)
        return
    if values_of(part) != [kind] or "extension" in part:
        yield f"{url}: its value is a {kind}"
        return
    if codes and part[kind] not in codes:
        yield f"{url}: {part[kind]} is no code of {version}"
    yield from _value(url, part[kind], version)


def _value(url, value, version):
    if url == "coverage" and not re.fullmatch(r"(\S*/)?Coverage/\S+|#\S+", str(value["reference"])):
        yield "coverage: refers to no Coverage"
    if url in ("date", "expiry-date"):
        date.fromisoformat(value)
    if url == "coverage-assertion-id" and not value.strip():
        yield "coverage-assertion-id: empty"
    if url == "billingCode" and not {"system", "code"} <= set(value):
        yield "billingCode: lacks system or code"
    if url == "reason":
        yield from _reason(value, version)


def _reason(value, version):
    for coding in value.get("coding", ()):
        ours = coding.get("system") == TEMP
        if ours and coding.get("code") not in REASONS[version]:
            yield f"reason: {coding.get('code')} is no code of {version}"
    if not value.get("coding") and not value.get("text"):
        yield "reason: says nothing"


def _detail(part, version):
    inner = {one["url"]: one for one in part.get("extension", ())}
    for name in ("code", "value", *(("category",) if version == "2.2" else ())):
        if name not in inner:
            yield f"detail: lacks {name}"
            return
    if version == "2.0" and "category" in inner:
        yield "detail: 2.0 knows no category"
    if len(inner) != len(part["extension"]) or values_of(part):
        yield "detail: a part twice, or a value of its own"
    if values_of(inner["value"])[0] not in DETAIL_VALUES[version]:
        yield f"detail: {values_of(inner['value'])} is no value of {version}"
    if version == "2.2" and inner["category"].get("valueCode") not in (
        "cat-limitation",
        "cat-decisional",
        "cat-other",
    ):
        yield "detail: no such category"
    codings = inner["code"]["valueCodeableConcept"]["coding"]
    wanted = {"2.0": TEMP, "2.2": DETAILS}[version]
    if not any(coding["system"] == wanted for coding in codings):
        yield f"detail: no code of {wanted}"
    for coding in codings:
        known = DETAIL_CODES | ({"policy-link", "instructions"} if version == "2.2" else set())
        if coding["code"] not in known:
            yield f"detail: {coding['code']} is no code of {version}"


def _counts(parts, version):
    for url, (least, most, _, _) in PARTS[version].items():
        count = sum(part.get("url") == url for part in parts)
        if count < least or (most is not None and count > most):
            yield f"{url}: stands {count} times"


def _invariants(parts, version):
    """Yield the invariants that do not hold: q1 to q9, and what 2.0.1 says in other words."""
    for name, holds in INVARIANTS.items():
        if not holds(parts, version):
            yield name


def _stated(parts):
    return parts.codes("covered", "pa-needed", "doc-needed")


def _reasons(parts):
    return [one.get("valueCodeableConcept", {}) for one in parts.of("reason")]


# As coded it is empty, and so fails, wherever pa-needed is missing.
Q2_OF_OLD = "q2 of 2.0.1: pa-needed is wanted"
INVARIANTS = {
    "q1: a questionnaire without doc-needed": lambda p, _: (
        not p.has("questionnaire") or p.has("doc-needed")
    ),
    "q2: not-covered with pa-needed": lambda p, version: (
        version == "2.0" or "not-covered" not in p.codes("covered") or not p.has("pa-needed")
    ),
    Q2_OF_OLD: lambda p, version: version == "2.2" or p.has("pa-needed"),
    "q3: info-needed goes with conditional alone": lambda p, _: (
        ("conditional" in _stated(p)) == p.has("info-needed")
    ),
    "q4: documents for an authorization that is not needed": lambda p, _: (
        not set(p.codes("pa-needed")) & {"satisfied", "no-auth"}
        or "withpa" not in p.codes("doc-purpose")
    ),
    "q5: satisfied-pa-id goes with satisfied alone": lambda p, _: (
        ("satisfied" in p.codes("pa-needed")) == p.has("satisfied-pa-id")
    ),
    "q6: OTH without a reason": lambda p, _: "OTH" not in p.codes("info-needed") or p.has("reason"),
    "q7: a reason outside the value set without text": lambda p, version: all(
        one.get("text") or _is_known(one, version) for one in _reasons(p)
    ),
    "q8: a purpose without a reason": lambda p, _: not p.has("doc-purpose") or p.has("reason"),
    "q9: indeterminate without a reason": lambda p, _: (
        "indeterminate" not in _stated(p) or p.has("reason")
    ),
    "not-covered without a reason in words": lambda p, _: (
        "not-covered" not in p.codes("covered") or any(one.get("text") for one in _reasons(p))
    ),
}


def _is_known(reason, version):
    codings = reason.get("coding", ())
    return any(c.get("system") == TEMP and c.get("code") in REASONS[version] for c in codings)


def information_of(order):
    """Return the coverage-information extensions of an order."""
    return [one for one in order.get("extension", ()) if one.get("url") == URL]


def part(extension, url):
    """Return the value of a part, None where there is none."""
    values = parts(extension, url)
    return values[0] if values else None


def parts(extension, url):
    """Return the values of all parts of a url."""
    found = [one for one in extension["extension"] if one["url"] == url]
    return [one[values_of(one)[0]] for one in found]


def text_of(extension):
    """Return all reasons as one text."""
    return " ".join(one.get("text", "") for one in parts(extension, "reason"))


def is_uuid(text):
    return str(uuid.UUID(text)) == text
