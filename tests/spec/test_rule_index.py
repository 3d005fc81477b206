"""Every rule of the policies is in a policy file, and nothing else is.

`docs/rule-index.csv` lists the rules. A rule is kept as a criterion, an item, a safety rule or
information, or is marked as asked of people, or as not computable with a reason.

Criteria of our own carry names that no rule can have: the root is the prefix alone (CCA); a family
gathers the rules that its name begins (CCA-D of CCA-D5); the last part of any other is a word of
capital letters (KP-MEDICARE, VHA-P-OPEN).
"""

import csv
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from tests.shared import SHARED, needs_shared

INDEX = Path(__file__).parents[2] / "docs" / "rule-index.csv"
LIBRARY = Path(str(files("cds_service.policies"))) / "library"
PREFIX = {
    "evicore-massage-2017": "EV",
    "ash-cpg-167": "ASH",
    "cca-mng-084": "CCA",
    "kpwa-massage": "KP",
    "vha-cdi-00036": "VHA",
    "overlay": "OVERLAY",
}
KEPT = ("criteria", "items", "safety", "information")
OUR_WORD = re.compile(r"[A-Z]{2,}")
# Ours as well, looked at one by one: the name follows the rule that it adapts.
REVIEWED = {
    "KP-BX1": "KP-X1 as it binds the terminally ill",
    "CCA-V4-weekly": "the item whose click brings the frequency down to what CCA-V4 supports",
    "CCA-E2-onset": "the item whose click asks for the onset on which CCA-E2 rests",
    "CCA-V1-split": "the item whose click splits an order at the limit of CCA-V1",
}
SHORTEST_REASON = 20
# Readings of the text are no rules; a file may name one where it stands for a line of its own.
READING = re.compile(r"(EV|ASH|CCA|VHA)-A\d+|KP-A-\d+")
MENTION = re.compile(r"\b(?:EV|ASH|CCA|KP|VHA|OVERLAY)-[A-Z][A-Za-z0-9-]*(?:\.\d)?(?<!-)")


def index():
    lines = INDEX.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


ROWS = index()
RULES = {row["id"] for row in ROWS}


def read(policy):
    """Return the file of a policy; of several versions all in one."""
    found = {name: {} for name in KEPT}
    for path in sorted(LIBRARY.glob("*.yaml")):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        if policy in (data.get("policy"), path.stem):
            for name in KEPT:
                found[name] |= data.get(name) or {}
    return found


FILES = {policy: read(policy) for policy in PREFIX}


def kept(policy):
    """Return the ids of a policy, those under which contraindications are listed among them."""
    listed = {entry.get("criterion") for entry in FILES[policy]["safety"].values()} - {None}
    return listed | {rule for part in FILES[policy].values() for rule in part}


def family(name):
    """Whether rules of the index go on where this name ends."""
    return any(re.fullmatch(rf"{re.escape(name)}-?[A-Za-z]?\d*[a-z]?", rule) for rule in RULES)


def ours(name, policy):
    if name == PREFIX[policy] or name in REVIEWED or family(name):
        return True
    return bool(OUR_WORD.fullmatch(name.rpartition("-")[2]))


def test_each_rule_stands_once_with_its_words():
    assert [name for name, count in Counter(row["id"] for row in ROWS).items() if count > 1] == []
    assert [row["id"] for row in ROWS if not row["rule"]] == []
    assert {row["policy"] for row in ROWS} == set(PREFIX)
    for row in ROWS:
        assert row["id"].startswith(f"{PREFIX[row['policy']]}-")


@pytest.mark.parametrize("policy", PREFIX)
def test_each_rule_is_kept(policy):
    wanted = {row["id"]: row["rule"] for row in ROWS if row["policy"] == policy}
    lacking = {rule: wanted[rule] for rule in wanted.keys() - kept(policy)}
    assert lacking == {}, f"{policy} keeps {len(wanted) - len(lacking)} of {len(wanted)} rules"


@pytest.mark.parametrize("policy", PREFIX)
def test_nothing_else_is_kept(policy):
    criteria = FILES[policy]["criteria"].keys()
    others = {name for name in kept(policy) - RULES - set(REVIEWED) if not READING.fullmatch(name)}
    assert {name for name in others if name not in criteria or not ours(name, policy)} == set()


@pytest.mark.parametrize("policy", PREFIX)
def test_what_is_not_decided_says_why(policy):
    entries = FILES[policy]["criteria"] | FILES[policy]["safety"]
    silent = [
        name
        for name, entry in entries.items()
        if len(entry.get("not-computable", "x" * SHORTEST_REASON)) < SHORTEST_REASON
    ]
    assert silent == []


def test_reviewed_names_are_still_in_use():
    used = {name for policy in PREFIX for name in kept(policy)}
    assert set(REVIEWED) - used == set()


@needs_shared
def test_each_rule_that_the_digest_names_is_in_the_index():
    text = (SHARED / "policies" / "digest.md").read_text(encoding="utf-8")
    named = {name for name in MENTION.findall(text) if not READING.fullmatch(name)}
    assert {name for name in named - RULES if not family(name)} == set()
