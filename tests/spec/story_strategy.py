"""Stories drawn at random around what policies look at: their days, codes, scores and words."""

from functools import cache

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from cds_service.evidence.codings import data as room_data
from cds_service.policies.library import default_library
from cds_service.policies.routing import load_table
from fhir_fixtures.fhir import CPT, ICD10, SNOMED, tables
from tests.spec.corpus import EXAMPLES
from tests.spec.oracle import below
from tests.spec.oracle_chart import all_value_sets
from tests.spec.oracle_leaves import names

ICD_URL = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ORDINARY = ["M54.2", "M54.50", "M54.6", "G89.29", "G89.4", "M79.7", "F41.1", "M17.11", "M25.511"]
ORDINARY += ["M54.16", "M62.830", "I89.0", "M79.661", "R51.9", "C50.911", "I10", "E11.9", "Z51.5"]
SIDES = ["", "left ", "right "]
SMALL = st.integers(0, 10)
FEW = st.integers(1, 12)


def drawn(share):
    """Return settings that draw one in `share` of all examples, spread over the policies."""
    return settings(
        max_examples=max(EXAMPLES // (len(default_library().ids()) * share), 1),
        suppress_health_check=list(HealthCheck),
    )


@cache
def files():
    library = default_library()
    sources = {key: source.data for key, source in library.sources.items()}
    return {name: data for (name, _), data in sources.items() if name in library.ids()}


@cache
def products(policy):
    """Return the plans that lead to a policy and that stories can name."""
    known = tables()["products"]
    return [row.plan for row in load_table() if row.policy == policy and row.plan in known]


@cache
def thresholds(policy):
    """Return the days that a policy compares with, and those of a beginner's calendar."""
    stated = files()[policy].get("parameters", {}).values()
    days = {int(float(one["value"])) for one in stated if one["unit"] == "d"}
    return sorted(day for day in days | {7, 14, 28, 30, 84, 90, 365} if 0 < day < 4000)


@cache
def named_sets(policy, *leaves):
    """Return the value sets that leaves of a policy name."""
    found = set()
    for node in below(files()[policy]):
        for leaf in leaves:
            spec = node.get(leaf)
            for word in ("in", "only-in", "not-in", "reason-in", "ended-by"):
                found.update(names(spec.get(word)) if isinstance(spec, dict) else ())
    return frozenset(found)


@cache
def codes_of(policy, system, form, *leaves):
    """Return some codes of each value set that leaves of a policy name, as a story writes them."""
    found = []
    for one in all_value_sets():
        if one["id"] in named_sets(policy, *leaves):
            parts = [part for part in one["compose"]["include"] if part["system"] == system]
            listed = [c["code"] for part in parts for c in part.get("concept", [])[:2]]
            listed += [f["value"] for part in parts[:3] for f in part.get("filter", [])]
            found += [code for code in listed if form.fullmatch(code)]
    return sorted(set(found))


def labelled(codes):
    return st.sampled_from(codes).map(lambda code: f"{code} Something")


def days_ago(policy):
    """Draw a day around a threshold of the policy, or any day of two years."""
    near = st.tuples(st.sampled_from(thresholds(policy)), st.integers(-1, 1))
    return st.one_of(
        near.map(lambda pair: -max(pair[0] + pair[1], 0)), st.integers(-700, 0), st.integers(-40, 0)
    )


def partly(strategy, other):
    return st.one_of(strategy, strategy, strategy, other)


def optional(**fields):
    """Draw a map with any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def merged(*parts):
    return st.tuples(*parts).map(lambda maps: {k: v for one in maps for k, v in one.items()})


def sites():
    places = st.sampled_from(["neck", "lumbar", "back", "shoulder", "lower leg", "knee", "hip"])
    return st.tuples(st.sampled_from(SIDES), places).map("".join)


def notes():
    lists = room_data("phrases.yaml")["lists"].values()
    phrases = st.sampled_from([phrase for entry in lists for phrase in entry["phrases"]])
    return st.one_of(phrases, phrases.map(lambda words: f"not {words}"), st.just("as discussed"))


CLINICIANS = st.sampled_from(
    ["physician", "nurse practitioner", "massage therapist", "physical therapist", "oncologist"]
)


def diagnoses(policy):
    conditions = codes_of(policy, ICD_URL, ICD10, "condition", "reason")
    snomed = codes_of(policy, "http://snomed.info/sct", SNOMED, "condition", "reason")
    return st.one_of(labelled(ORDINARY), labelled(conditions), labelled(snomed))


def conditions(policy):
    begun = partly(days_ago(policy), st.sampled_from(["2025", "2025-12", "2026-02", "2026-03"]))
    status = st.sampled_from(["active", "recurrence", "inactive", "remission", "resolved"])
    verification = st.sampled_from(
        ["confirmed", "unconfirmed", "provisional", "refuted", "entered-in-error"]
    )
    return merged(
        st.fixed_dictionaries({"code": diagnoses(policy)}),
        optional(since=begun, recorded=days_ago(policy), site=sites()),
        st.one_of(st.just({}), st.just({}), optional(status=status, verification=verification)),
        st.sampled_from([{}, {}, {"category": "encounter-diagnosis"}]),
        st.one_of(
            st.just({}),
            st.just({}),
            st.fixed_dictionaries({"status": st.just("resolved"), "ended": days_ago(policy)}),
        ),
    )


def orders(policy, coded):
    reason = st.one_of(st.sampled_from(coded), diagnoses(policy), st.just("pain all over"))
    return merged(
        st.fixed_dictionaries({"code": st.sampled_from([97124, 97124, 97140])}),
        optional(
            units=st.integers(1, 6),
            visits=st.one_of(st.integers(1, 14), st.integers(1, 40)),
            weekly=st.integers(1, 4),
            site=sites(),
            reason=partly(st.sampled_from(coded), reason),
            by=CLINICIANS,
            note=notes(),
        ),
        st.one_of(
            st.just({}),
            st.fixed_dictionaries({"visits": FEW, "weekly": st.just(1)}),
        ),
    )


SCORES = {
    "nprs": SMALL,
    "pain-days": st.integers(0, 7),
    "odi": st.sampled_from([0, 18, 20, 28, 30, 32, 40, 42, 50, 60]),
    "ndi": st.sampled_from([0, 10, 16, 17, 18, 20, 24, 25, 30]),
    "dash": st.sampled_from([0, 20, 30, 30.8, 31, 40, 41, 50]),
    "lefs": st.sampled_from([20, 28, 29, 30, 38, 39, 60, 80]),
    "cervical-rotation": st.integers(30, 90),
    "temperature": st.sampled_from(["101.5 F", "101.6 F", "38.6 C", "38.7 C", "37 C"]),
    "weight": st.sampled_from([70, 74.4, 74.5, 74.6, 80]),
    "platelets": st.sampled_from([40, 49, 50, 51, 149, 150, 200]),
    "blood-pressure": st.sampled_from(["120/80", "139/89", "140/90", "180/110", "179/109"]),
    "pregnancy": st.just("pregnant"),
    "promis-29": st.fixed_dictionaries(
        {
            "pain-interference": st.sampled_from([40.0, 55.0, 55.1, 58.0, 60.0, 62.0, 65.0]),
            "physical-function": st.sampled_from([35.0, 37.0, 40.0, 42.0, 45.0, 50.0]),
        }
    ),
}


def measures(policy):
    state = st.sampled_from(["final", "final", "amended", "preliminary", "cancelled"])
    line = merged(
        st.fixed_dictionaries({"day": days_ago(policy)}),
        st.one_of(st.just({}), optional(status=state)),
        optional(**SCORES).filter(bool),
    )
    return st.lists(line, max_size=6, unique_by=lambda one: one["day"])


def forms(policy):
    table = tables()["forms"]
    screened = st.sampled_from([i for g in table["safety-screen"]["groups"].values() for i in g])
    answers = st.dictionaries(screened, st.sampled_from(["yes", "unknown"]), min_size=1, max_size=2)
    limited = st.lists(st.sampled_from(table["functional-status"]["items"]), max_size=2)
    line = merged(
        st.fixed_dictionaries({"day": days_ago(policy)}),
        optional(
            **{
                "limited-in": limited,
                "safety-screen": st.one_of(st.just("all no"), st.just("all no"), answers),
                "satisfied": st.booleans(),
            }
        ).filter(bool),
    )
    return st.lists(line, max_size=3, unique_by=lambda one: one["day"])


def goals(policy):
    achieved = ["achieved", "improving", "no-progress", "sustaining", "not-achieved", "worsening"]
    kinds = st.sampled_from(["functional", "comfort", "maintenance", "self-management"])
    target = st.sampled_from(["odi <= 20", "nprs <= 3", "walking-tolerance >= 30"])
    return merged(
        st.just({"text": "A goal"}),
        optional(
            kind=st.lists(kinds, min_size=1, max_size=2, unique=True),
            started=days_ago(policy),
            due=st.sampled_from([-1, 0, 28, 84, 85, 200]),
            achievement=st.sampled_from(achieved),
            targets=st.lists(target, min_size=1, max_size=2, unique=True),
        ),
    )


def visits(policy):
    """Draw the days of a course: none, weekly ones, or some around the thresholds."""
    last, count = st.integers(-60, 0), st.integers(1, 14)
    weekly = st.tuples(last, count).map(lambda pair: [pair[0] - 7 * n for n in range(pair[1])])
    some = st.lists(days_ago(policy), max_size=5, unique=True)
    return st.one_of(st.just([]), weekly, weekly, some).map(sorted)


def documents(policy):
    asked = [node["document"] for node in below(files()[policy]) if "document" in node]
    wanted = {code for spec in asked for code in names(spec.get("content"))}
    content = st.sampled_from(sorted(wanted | {"subjective-findings", "objective-findings"}))
    return merged(
        st.fixed_dictionaries(
            {"day": days_ago(policy), "type": st.sampled_from(sorted(tables()["documents"]))}
        ),
        optional(content=st.lists(content, max_size=2, unique=True), unsigned=st.just(True)),
    )


def encounters(policy, coded):
    state = st.sampled_from(["finished", "finished", "in-progress", "planned", "cancelled"])
    return merged(
        st.fixed_dictionaries(
            {"day": days_ago(policy), "kind": st.sampled_from(sorted(tables()["encounters"]))}
        ),
        optional(
            reason=st.sampled_from(coded),
            confirms=st.sampled_from(coded),
            status=state,
            **{"with": CLINICIANS},
        ),
    )


def plans():
    return merged(
        st.just({"started": -20, "text": "A plan"}),
        optional(
            **{
                "release": st.sampled_from([-1, 0, 1, 56]),
                "kind": st.just(["rehabilitation"]),
                "massage-weekly": st.integers(1, 2),
                "self-management": st.just("exercises"),
                "follow-up": st.sampled_from([-1, 0, 30]),
            }
        ),
    )


def medicines(policy):
    codes = codes_of(policy, RXNORM, SNOMED, "medication", "medication-decrease") or ["161"]
    status = st.sampled_from(["active", "active", "stopped", "completed", "cancelled"])
    return merged(
        st.fixed_dictionaries({"code": labelled(codes)}),
        optional(started=days_ago(policy), status=status),
    )


def procedures(policy):
    leaves, known = ("procedure", "service"), tables()["systems"]
    snomed = codes_of(policy, known["snomed"], SNOMED, *leaves)
    codes = [*snomed, *codes_of(policy, known["cpt"], CPT, *leaves), "97110"]
    return merged(
        st.fixed_dictionaries({"code": labelled(codes), "day": days_ago(policy)}),
        optional(site=sites(), status=st.sampled_from(["completed", "not-done", "in-progress"])),
    )


def other_orders():
    return merged(
        st.fixed_dictionaries({"code": st.sampled_from([97124, 97110, 97161])}),
        optional(
            **{
                "from": st.integers(-60, 5),
                "to": st.integers(0, 60),
                "site": sites(),
                "by": CLINICIANS,
                "status": st.sampled_from(["active", "completed", "revoked"]),
            }
        ),
    )


@st.composite
def stories(draw, policy):
    """Draw a story of somebody whose payer decides by a policy."""
    listed = draw(st.lists(conditions(policy), max_size=5))
    coded = [one["code"] for one in listed] or ["M54.50 Something"]
    few = {"max_size": 3}
    illnesses = diagnoses(policy)
    parts = {
        "measures": measures(policy),
        "forms": forms(policy),
        "goals": st.lists(goals(policy), **few),
        "visits": visits(policy),
        "procedures": st.lists(procedures(policy), max_size=2),
        "documents": st.lists(documents(policy), max_size=5),
        "encounters": st.lists(encounters(policy, coded), **few),
        "plans": st.lists(plans(), max_size=1),
        "medicines": st.lists(medicines(policy), **few),
        "other-orders": st.lists(other_orders(), max_size=2),
        "programs": st.sampled_from([[], [], ["HOPE"], ["hospice"]]),
        "family": st.lists(illnesses, max_size=1),
    }
    return {
        "title": "drawn",
        "patient": {"age": draw(st.sampled_from([8, 20, 44, 64, 65, 66, 80])), "sex": "female"},
        "coverage": [draw(st.sampled_from(products(policy)))],
        "requester": draw(partly(CLINICIANS, st.just("patient"))),
        "orders": draw(st.lists(orders(policy, coded), min_size=1, max_size=2)),
        "conditions": listed,
        **draw(optional(**parts)),
    }
