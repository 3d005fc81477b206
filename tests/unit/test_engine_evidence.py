"""What is met says what it rests on, also where it is met by default."""

from cds_service.evidence.answer import Finding, Status, not_shown, shown
from cds_service.policies.criteria import Decision, Group, Outcome, Row
from tests.unit.evidence_help import coded, context

ORDER = {"resourceType": "ServiceRequest", "id": "o", "code": coded("97124")}
SEEN = Finding("Observation/nprs", "2026-03-10", "7", "Pain")
FOUND = Finding("Condition/c", "2025-01-01", "M54.2", "Neck pain")


def decided(*answers):
    rows = [Row(lambda _context, a=answer: a, Status.NOT_MET) for answer in answers]
    decision = Decision((*rows, Row(None, Status.MET)))
    return decision(context(orders=(ORDER,)), lambda _name: Outcome(Status.MET, Status.MET))


def test_what_was_looked_at_is_cited_by_default():
    assert decided(not_shown([SEEN]), not_shown([SEEN])).findings == (SEEN,)


def test_with_nothing_on_file_the_order_is_cited():
    (found,) = decided(not_shown()).findings
    assert (found.reference, found.value) == ("ServiceRequest/o", "97124")


def test_what_is_not_met_by_a_row_cites_that_row_alone():
    assert decided(not_shown([SEEN]), shown([FOUND])).findings == (FOUND,)


def test_a_group_cites_what_its_members_cite():
    members = {
        "a": Outcome(Status.MET, Status.MET, (FOUND,)),
        "b": Outcome(Status.UNKNOWN, Status.UNKNOWN, (SEEN,)),
    }
    asked = context(orders=(ORDER,))
    assert Group("any", ("a", "b"))(asked, members.get).findings == (FOUND,)
    assert Group("all", ("a", "b"))(asked, members.get).findings == ()
