"""The questions of the safety screen that a policy calls its own."""

from tests.spec.oracle import below
from tests.spec.story_strategy import files


def asked(node):
    """Return the questions whose answers rules below a node ask for."""
    screens = [one["screen"] for one in below(node) if isinstance(one.get("screen"), dict)]
    return {one["item"] for one in screens if isinstance(one.get("item"), str)}


def test_the_screen_of_american_specialty_health_is_every_question_it_asks():
    policy = files()["ash-cpg-167"]
    own = policy["expressions"]["screened"]["screen"]["item"]
    assert len(own) == len(set(own))
    assert set(own) == asked(policy)
