"""A record of any length: visits, a pain score, and two T-scores with their form, day after day."""

from fhir_fixtures.stories import build

CCA, KAISER = "CCA-ONE-CARE", "KFHPWA-CORE"
PER_DAY = 5  # a visit, a pain score, a form and its two scores


def long_story(days, coverage=CCA):
    """Return a story with a visit and measurements on each of `days` before the order's date."""
    return {
        "title": "A long record: a visit, and pain and two T-scores with their form, on each day",
        "patient": {"age": 58, "sex": "female"},
        "coverage": [coverage],
        "conditions": [
            {"code": "G89.29 Chronic low back pain", "since": -900},
            {"code": "M54.50 Low back pain", "since": -900},
            {"code": "I10 Hypertension", "since": -2000},
        ],
        "orders": [
            {
                "code": 97124,
                "units": 4,
                "visits": 6,
                "weekly": 1,
                "site": "lumbar",
                "reason": "G89.29",
            }
        ],
        "visits": [-day for day in days],
        "measures": [_measured(day) for day in days],
        "goals": [{"text": "Walk half an hour", "due": 60, "targets": ["walking-tolerance >= 30"]}],
    }


def _measured(day):
    weeks = min(day // 7, 30)
    scores = {"pain-interference": 55 + weeks / 2, "physical-function": 42 - weeks / 4}
    return {"day": -day, "nprs": 4 + weeks // 10, "promis-29": scores}


def spread(resources):
    """Return the days of about so many resources: weekly for a short record, else daily."""
    count = resources // PER_DAY
    step = 7 if count <= 30 else 1
    return [step * place for place in range(count, 0, -1)]


def long_record(resources, coverage=CCA):
    """Return the request and the record of a patient with about so many resources."""
    return build("long", long_story(spread(resources), coverage))
