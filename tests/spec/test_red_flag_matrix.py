"""eviCore's red flags by chapter: each is raised where the source lists it, and nowhere else."""

import pytest

from cds_service.policy_tests.stories import PolicyTest, evaluate
from cds_service.services import rules_of
from cds_service.settings import load_settings

POLICY = "evicore-massage-2017"

# key: reason and site
CHAPTERS = {
    "N": ("M54.2", "neck"),
    "UB": ("M54.6", "upper back"),
    "LB": ("M54.50", "lumbar"),
    "SH": ("M25.511", "right shoulder"),
    "UA": ("M79.621", "right upper arm"),
    "FA": ("M79.631", "right forearm"),
    "HW": ("M79.641", "right hand"),
    "HI": ("M25.551", "right hip"),
    "UL": ("M79.651", "right thigh"),
    "LL": ("M79.661", "right lower leg"),
    "AF": ("M79.671", "right foot"),
    "FM": ("M79.7", None),
}

# What the twelve tables of the source hold (S0 L159-2425): urgency, chapters.
TABLES = {
    "EV-RF01": ("ED-now", "N UB LB SH UA FA HW HI UL LL AF FM"),
    "EV-RF02": ("ED-now", "N"),
    "EV-RF03": ("ED-now", "N FM"),
    "EV-RF04": ("ED-now", "N FM"),
    "EV-RF05": ("ED-now", "N FM"),
    "EV-RF06": ("ED-now", "N FM"),
    "EV-RF07": ("PCP-prompt", "N FM"),
    "EV-RF08": ("PCP-prompt", "N UB LB SH UA FA HW HI UL LL AF FM"),
    "EV-RF09": ("PCP-prompt", "N FM"),
    "EV-RF10": ("PCP-prompt", "N UB LB SH UA FA HW HI UL LL AF FM"),
    "EV-RF11": ("ED-now", "UB LB"),
    "EV-RF12": ("ED-now", "UB LB"),
    "EV-RF13": ("ED-now", "UB"),
    "EV-RF14": ("PCP-prompt", "UB LB"),
    "EV-RF15": ("PCP-prompt", "UB LB"),
    "EV-RF16": ("PCP-prompt", "UB LB"),
    "EV-RF17": ("PCP-prompt", "UB LB"),
    "EV-RF18": ("ED-now", "LB"),
    "EV-RF19": ("ED-now", "LB"),
    "EV-RF20": ("ED-now", "LB"),
    "EV-RF21": ("ED-now", "LB"),
    "EV-RF22": ("ED-now", "SH"),
    "EV-RF23": ("ED-now", "SH"),
    "EV-RF24": ("PCP-prompt", "SH"),
    "EV-RF25": ("PCP-prompt", "SH UA FA HW HI UL LL AF"),
    "EV-RF26": ("ED-now", "SH UA FA HW HI UL LL AF"),
    "EV-RF27": ("ED-now", "SH UA FA HW HI UL LL AF"),
    "EV-RF28": ("PCP-prompt", "UA FA HW HI UL LL AF"),
    "EV-RF29": ("ED-now", "UA FA HW"),
    "EV-RF30": ("ED-now", "HI UL LL AF"),
    "EV-RF31": ("ED-now", "UL LL"),
    "EV-RF32": ("PCP-prompt", "FM"),
}

# What shows a flag that the safety screen does not ask about.
ON_FILE = {
    "EV-RF05": {"code": "R47.01 Aphasia", "since": -3},
    "EV-RF09": {"code": "F10.20 Alcohol dependence", "since": -900},
    "EV-RF10": {"code": "D84.9 Immune deficiency", "since": -900},
    "EV-RF15": {"code": "Z79.52 Long-term steroid use", "since": -200},
    "EV-RF16": {"code": "N39.0 Urinary tract infection", "since": -8},
    "EV-RF25": {"code": "M06.9 Rheumatoid arthritis", "since": -900},
    "EV-RF28": {"code": "E11.9 Type 2 diabetes", "since": -900},
    "EV-RF32": {"code": "M54.12 Cervical radiculopathy", "since": -50},
}


@pytest.fixture(scope="module")
def rules():
    return rules_of(load_settings({}))


def story(flag, reasons, site):
    order = {"code": 97124, "units": 4, "visits": 1, "weekly": 1, "by": "massage therapist"}
    orders = [order | {"reason": reason} | ({"site": site} if site else {}) for reason in reasons]
    conditions = [{"code": f"{reason} Pain", "since": -60} for reason in reasons]
    made = {"title": flag, "patient": {"age": 40, "sex": "female"}, "coverage": ["CASCADIA-PPO"]}
    made |= {"orders": orders, "conditions": conditions, "expect": {"determination": "covered"}}
    if flag in ON_FILE:
        return made | {"conditions": [*conditions, ON_FILE[flag]]}
    return made | {"forms": [{"day": -1, "safety-screen": {flag: "yes"}}]}


def raised(flag, reasons, site, rules):
    made = story(flag, reasons, site)
    (found,) = evaluate(PolicyTest(POLICY, flag, made, "matrix", 1), rules)
    return {one.id: (one.urgency, one.effect) for one in found.safety}


def effect(urgency):
    return "stop" if urgency == "ED-now" else "hold"


@pytest.mark.parametrize("flag", TABLES)
def test_flag_is_raised_in_its_chapters_and_in_no_other(flag, rules):
    urgency, listed = TABLES[flag]
    for chapter, (reason, site) in CHAPTERS.items():
        found = raised(flag, [reason], site, rules)
        expected = (urgency, effect(urgency)) if chapter in listed.split() else None
        assert found.get(flag) == expected, chapter


@pytest.mark.parametrize(
    ("flag", "reasons", "expected"),
    [
        ("EV-RF28", ["M54.2", "M79.671"], ("PCP-prompt", "hold")),
        ("EV-RF02", ["M54.2", "M79.671"], ("ED-now", "stop")),
        ("EV-RF28", ["M54.2", "M25.511"], None),
    ],
)
def test_several_chapters_are_taken_together(flag, reasons, expected, rules):
    assert raised(flag, reasons, None, rules).get(flag) == expected


@pytest.mark.parametrize(
    ("flag", "site", "expected"),
    [
        ("EV-RF31", "right lower leg", ("ED-now", "stop")),
        ("EV-RF31", "right foot", None),
        ("EV-RF31", None, ("ED-now", "stop")),
        ("EV-RF30", None, ("ED-now", "stop")),
        ("EV-RF29", None, None),
        ("EV-RF28", "knee", ("PCP-prompt", "hold")),
    ],
)
def test_a_leg_without_region_is_placed_by_the_site(flag, site, expected, rules):
    assert raised(flag, ["M79.604"], site, rules).get(flag) == expected


@pytest.mark.parametrize("flag", TABLES)
def test_the_knee_has_no_chapter(flag, rules):
    assert flag not in raised(flag, ["M25.561"], "right knee", rules)
