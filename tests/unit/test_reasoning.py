from datetime import date
from fractions import Fraction

from msgspec.structs import replace

from cds_service.evaluation import (
    Amount,
    CriterionResult,
    Evaluation,
    MissingItem,
    PolicyHead,
    SafetyFinding,
)
from cds_service.evidence.answer import Finding, Status
from cds_service.reasoning import outline
from cds_service.record.model import Hole
from cds_service.terminology import Parameter

HOLE = Hole("vitals", "Observation?category=vital-signs", "timeout")
FOUND = Finding("Condition/c1", "2025-02-09", "G89.29", "Chronic low back pain")

EVALUATION = Evaluation(
    orders=("ServiceRequest/sr-1",),
    day=date(2026, 3, 16),
    coverage="Coverage/cov-1",
    policy=PolicyHead("cca", "CCA MNG", "CCA", "CCA", "2022-05-30", "S2"),
    determination="conditional",
    prior_auth="required",
    approvable_now=Amount(Fraction(4), "visits"),
    criteria=(
        CriterionResult("CCA", Status.UNKNOWN, "All", "S2 L64", operator="all"),
        CriterionResult(
            "CCA-E2",
            Status.MET,
            "Chronic pain",
            "S2 L65",
            sections=("Clinical Eligibility",),
            parent="CCA",
            because="three months passed",
            parameters=(Parameter("days", Fraction(90), "d", None, True),),
            evidence=(FOUND,),
        ),
        CriterionResult(
            "CCA-D2",
            Status.UNKNOWN,
            "PROMIS-29",
            "S2 L70",
            parent="CCA",
            would_change=("a PROMIS-29",),
            holes=(HOLE,),
        ),
    ),
    missing=(MissingItem("CCA-D2", True, "PROMIS-29 of this year"),),
    safety=(
        SafetyFinding(
            "CCA-S5", "specialist", "hold", "Cancer", "S2 L90", "cca", "S", True, evidence=(FOUND,)
        ),
    ),
    unread=(HOLE,),
    notes=("the order has no date",),
)

TEXT = """\
ServiceRequest/sr-1 under Coverage/cov-1, cca (2022-05-30), on 2026-03-16
Determination: conditional (prior authorization required; approvable now 4 visits)
Criteria:
  ? CCA unknown [all]: All (S2 L64)
    + CCA-E2 met: Chronic pain (S2 L65: Clinical Eligibility)
        because three months passed
        number days = 90 d (configured)
        evidence Condition/c1, 2025-02-09, G89.29, Chronic low back pain
    ? CCA-D2 unknown: PROMIS-29 (S2 L70)
        would change: a PROMIS-29
        not read: Observation?category=vital-signs (timeout)
Missing:
  CCA-D2 blocking: PROMIS-29 of this year
Safety:
  CCA-S5 specialist, effect hold, suspected: Cancer (S2 L90)
    evidence Condition/c1, 2025-02-09, G89.29, Chronic low back pain
Unread:
  not read: Observation?category=vital-signs (timeout)
Notes:
  the order has no date"""


def test_the_whole_reasoning_is_a_tree():
    assert outline([EVALUATION]) == TEXT


def test_one_visit_is_no_plural():
    one = replace(EVALUATION, approvable_now=Amount(Fraction(1), "visits"))
    assert "approvable now 1 visit)" in outline([one])


def test_an_evaluation_without_policy_says_so():
    bare = Evaluation((), date(2026, 3, 16), None, None, "not-applicable")
    assert outline([bare, bare]).count("no order under no coverage, no policy") == 2


def test_a_criterion_under_itself_is_told_once():
    ring = [
        CriterionResult("R", Status.MET, "root", "S"),
        CriterionResult("A", Status.MET, "a", "S", parent="R"),
        CriterionResult("R", Status.MET, "root", "S", parent="A"),
    ]
    text = outline([Evaluation((), date(2026, 3, 16), None, None, "covered", criteria=tuple(ring))])
    assert text.count("+ R met") == 1


def test_a_criterion_whose_parent_is_not_listed_stands_at_the_root():
    lone = (CriterionResult("A", Status.MET, "a", "S", parent="elsewhere"),)
    text = outline([Evaluation((), date(2026, 3, 16), None, None, "covered", criteria=lone)])
    assert "  + A met: a (S)" in text
