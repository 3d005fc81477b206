"""Hold evaluations against what a story expects, and name every difference.

Evaluations come as JSON (`Evaluation.as_json`); those of one policy are put together. Listed
criteria and advice are an "includes", blocking items and binding safety findings are exact.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

ADVERSE = ("not-covered", "conditional", "covered", "not-applicable")
BINDING = ("stop", "hold")

Json = Mapping[str, Any]
Own = Sequence[Json]


def differences(expect: Json, policy: str, evaluations: Own) -> list[str]:
    """Return what is wrong as sentences; an empty list when the story comes out as expected."""
    if expect["determination"] == "not-applicable":
        others = {e["determination"] for e in evaluations} - {"not-applicable"}
        return [f"nothing should apply, but there is {sorted(others)}"] if others else []
    found = policy_differences(expect, policy, evaluations)
    if "secondary" in expect:
        second = expect["secondary"]
        found += policy_differences(second, second["policy"], evaluations)
    return found


def policy_differences(expect: Json, policy: str, evaluations: Own) -> list[str]:
    """Return what is wrong with the evaluations of one policy."""
    own = [e for e in evaluations if e["policy"] == policy]
    if not own:
        return [f"no evaluation of {policy}"]
    checks = (determination, criteria, missing, safety, authorization, raised)
    return [f"{policy}: {problem}" for check in checks for problem in check(expect, own)]


def determination(expect: Json, own: Own) -> Iterator[str]:
    """Compare the most adverse determination."""
    worst = min((e["determination"] for e in own), key=ADVERSE.index)
    if worst != expect["determination"]:
        yield f"determination is {worst}, not {expect['determination']}"


def criteria(expect: Json, own: Own) -> Iterator[str]:
    """Look for each expected criterion; more may be listed."""
    wanted = {
        "unmetCriteria": "not-met",
        "unknownCriteria": "unknown",
        "complexFactors": "met",
        "metCriteria": "met",
        "notApplicable": "not-applicable",
    }
    for field, status in wanted.items():
        for name in sorted(set(expect.get(field, [])) - with_status(own, status)):
            yield f"{name} is {status_of(own, name)}, not {status}"


def status_of(own: Own, name: str) -> str:
    """Return the status under which a criterion is listed."""
    found = sorted({c["status"] for e in own for c in e["criteria"] if c["id"] == name})
    return " and ".join(found) or "not listed"


def with_status(own: Own, *statuses: str) -> set[str]:
    """Return the ids of criteria that have one of the statuses."""
    return {c["id"] for e in own for c in e["criteria"] if c["status"] in statuses}


def missing(expect: Json, own: Own) -> Iterator[str]:
    """Compare blocking items exactly; advice is looked for."""
    items = [item for e in own for item in e["missing"]]
    blocking = {item["id"] for item in items if item["blocking"]}
    advice = {item["id"] for item in items if not item["blocking"]}
    for name in sorted(set(expect.get("advisory", [])) - advice):
        yield f"{name} is no advice"
    if "missing" not in expect or expect["determination"] == "not-covered":
        return
    wanted = set(expect["missing"])
    for name in sorted(wanted - blocking):
        yield f"{name} is not asked for"
    if expect.get("missingMatch") != "includes" and blocking - wanted:
        yield f"asked for without need: {sorted(blocking - wanted)}"


def safety(expect: Json, own: Own) -> Iterator[str]:
    """Look for each expected finding; no other may stop or hold."""
    if "redFlags" not in expect:
        return
    found = {(f["id"], f["urgency"], f["effect"]) for e in own for f in e["safety"]}
    wanted = {(f["id"], f["urgency"], f["effect"]) for f in expect["redFlags"]}
    for flag in sorted(wanted - found):
        yield f"safety finding {flag} is absent; there is {sorted(found)}"
    ids = {flag[0] for flag in wanted}
    for flag in sorted(found):
        if flag[2] in BINDING and flag[0] not in ids:
            yield f"safety finding {flag} should not be there"


def authorization(expect: Json, own: Own) -> Iterator[str]:
    """Compare prior authorization and the part that can be supported, where stated."""
    if "priorAuth" in expect:
        found = {e["priorAuth"] for e in own if e["priorAuth"] is not None}
        if found != {expect["priorAuth"]}:
            yield f"prior authorization is {sorted(found)}, not {expect['priorAuth']}"
    if "approvableNow" in expect:
        yield from approvable(expect["approvableNow"], own)


def approvable(wanted: Any, own: Own) -> Iterator[str]:
    """Compare the part that can be supported; null expects that no part is named."""
    amounts = [amount(e["approvableNow"]) for e in own if e["approvableNow"] is not None]
    as_wanted = not amounts if wanted is None else amount(wanted) in amounts
    if not as_wanted:
        yield f"approvable now is {amounts}, not {wanted}"


def amount(written: Any) -> tuple[float, str]:
    """Return (number, unit) of 4, "4 units" or {"value": 4, "unit": "units"}."""
    if isinstance(written, dict):
        return float(written["value"]), written.get("unit") or "visits"
    number, _, unit = str(written).partition(" ")
    return float(number), unit or "visits"


def raised(expect: Json, own: Own) -> Iterator[str]:
    """Look for ids that must not be raised."""
    flags = {f["id"] for e in own for f in e["safety"]}
    for name in sorted(set(expect.get("mustNotInclude", []))):
        if name in flags | with_status(own, "not-met", "unknown"):
            yield f"{name} must not be raised"
