"""What is gathered for one call before it is reviewed."""

from datetime import timedelta

from cds_service.hooks.request import DraftOrder, HookRequest
from cds_service.record.gathering import Gathering
from cds_service.reviewer import Reviewer
from tests.unit.engine_parts import DAY, MEMBER, condition, order, rules

EXERCISE = {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "97110"}]}
THERAPIST = {
    "resourceType": "PractitionerRole",
    "id": "therapist",
    "code": [{"coding": [{"system": "http://nucc.org/provider-taxonomy", "code": "225700000X"}]}],
}
BY_WORDS = order(id="by-words", code=EXERCISE, category=[{"text": "Massage therapy"}])
BY_PERFORMER = order(
    id="by-performer", code=EXERCISE, performer=[{"reference": "PractitionerRole/therapist"}]
)


class InRounds:
    """Reads the patient and a condition at once, and one thing more in each round after that."""

    def __init__(self, *later):
        self.gathering = Gathering("p1")
        self.gathering.take("patient", [{"resource": {"resourceType": "Patient", "id": "p1"}}])
        self.gathering.take("conditions", [{"resource": condition("G89.29", "pain")}])
        self.rounds = iter([None, *later])

    def read(self, **_):
        if resource := next(self.rounds, None):
            self.gathering.take("references", [{"resource": resource}])
        return self.gathering.record()


def gathered(reader, *orders):
    reviewer = Reviewer(rules(), reader, 5.0, lambda: DAY + timedelta(days=1))
    drafts = tuple(DraftOrder(at, one) for at, one in enumerate(orders, start=1))
    request = HookRequest("order-sign", "", "p1", None, None, {}, drafts)
    found = reviewer.gather(request)
    return found, reviewer.evaluations(found)


def test_orders_in_scope_are_those_of_all_that_was_read():
    found, [made] = gathered(InRounds(THERAPIST), BY_WORDS, BY_PERFORMER)
    assert found.group.references == made.orders
    assert made.orders == ("ServiceRequest/by-words", "ServiceRequest/by-performer")


def test_without_the_role_the_second_order_is_out_of_scope():
    found, [made] = gathered(InRounds(), BY_WORDS, BY_PERFORMER)
    assert found.group.references == made.orders == ("ServiceRequest/by-words",)


def test_coverage_read_late_answers():
    found, [made] = gathered(InRounds(MEMBER), order())
    assert [payer.coverage.reference for payer in found.payers] == [made.coverage]
    assert made.policy.id == "cca-mng-084"
