"""Records to measure by: of any length and about massage alone, or an everyday chart."""

from fhir_fixtures.stories import build

CCA, KAISER = "CCA-ONE-CARE", "KFHPWA-CORE"
PER_DAY = 5  # a visit, a pain score, a form and its two scores
PROBLEMS = (
    "G89.29 Chronic low back pain",
    "M54.50 Low back pain",
    "I10 Hypertension",
    "E78.5 High cholesterol",
    "K21.9 Reflux",
    "F41.1 Anxiety",
    "E03.9 Underactive thyroid",
    "J30.9 Hay fever",
    "E55.9 Low vitamin D",
    "M17.11 Arthrosis of the right knee",
    "H52.13 Short sight",
    "L30.9 Eczema",
)
ORDER = {"code": 97124, "units": 4, "visits": 6, "weekly": 1, "site": "lumbar", "reason": "G89.29"}
GOAL = {"text": "Walk half an hour", "due": 60, "targets": ["walking-tolerance >= 30"]}


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
        "orders": [ORDER],
        "visits": [-day for day in days],
        "measures": [_measured(day) for day in days],
        "goals": [GOAL],
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


def everyday_story(coverage=CCA):
    """Return a story of a chart in which little is about massage: years of other care."""
    return {
        "title": "A chart of everyday size: six visits of massage among years of other care",
        "patient": {"age": 58, "sex": "female"},
        "coverage": [coverage],
        "conditions": [{"code": c, "since": -900 - 40 * n} for n, c in enumerate(PROBLEMS)],
        "orders": [ORDER],
        "visits": [-7 * week for week in range(6, 0, -1)],
        "encounters": [
            {"day": -20 - 21 * n, "kind": "office-visit", "reason": "I10", "with": "physician"}
            for n in range(45)
        ],
        "measures": [
            *({"day": -20 - 45 * n, **_vital_signs(n)} for n in range(20)),
            *(_measured(day) for day in (45, 21, 5)),
        ],
        "medicines": [
            {"code": code, "started": -600, "dose": "one a day"}
            for code in (
                "314076 lisinopril 10 MG",
                "617311 atorvastatin 40 MG",
                "312940 sertraline",
            )
        ],
        "goals": [GOAL],
    }


def _vital_signs(n):
    return {"weight": 82 + n % 3, "temperature": "36.8 C", "blood-pressure": f"{128 + n % 9}/82"}


def everyday_record(coverage=CCA):
    """Return the request and the record of a patient with a chart of everyday size."""
    return build("everyday", everyday_story(coverage))
