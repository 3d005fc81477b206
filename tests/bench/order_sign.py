"""CPU time of one order-sign call with 150 resources in prefetch: `make bench`."""

import statistics
import time

import orjson

from cds_service.app import create_app
from cds_service.settings import load_settings
from fhir_fixtures.stories import build
from tests.live import FhirServer, Service, prefetch_of, resources_of, serve

CALLS = 200
WARM_UP = 20
SERVICE = "/cds-services/massage-order-review"
WEEKS = range(30, 0, -1)
STORY = {
    "title": "A long record: thirty visits, and pain and two T-scores with their form each week",
    "patient": {"age": 58, "sex": "female"},
    "coverage": ["CCA-ONE-CARE"],
    "conditions": [
        {"code": "G89.29 Chronic low back pain", "since": -900},
        {"code": "M54.50 Low back pain", "since": -900},
        {"code": "I10 Hypertension", "since": -2000},
    ],
    "orders": [
        {"code": 97124, "units": 4, "visits": 6, "weekly": 1, "site": "lumbar", "reason": "G89.29"}
    ],
    "visits": [-7 * week for week in WEEKS],
    "measures": [
        {
            "day": -7 * week,
            "nprs": 4 + week // 10,
            "promis-29": {"pain-interference": 55 + week / 2, "physical-function": 42 - week / 4},
        }
        for week in WEEKS
    ],
    "goals": [{"text": "Walk half an hour", "due": 60, "targets": ["walking-tolerance >= 30"]}],
}


def request_with_prefetch(app):
    """Return the request, everything that discovery asks for beside it."""
    built = build("bench", STORY)
    with serve(FhirServer([built.record]).app) as fhir, serve(app) as service:
        templates = Service(service).templates()
        prefetch, _ = prefetch_of(templates, built.request["context"], f"{fhir}/fhir")
    return built.request | {"prefetch": prefetch}


def cpu_times(client, body):
    """Return the CPU milliseconds of each measured call."""
    times = []
    for call in range(WARM_UP + CALLS):
        start = time.process_time()
        answer = client.post(SERVICE, data=body, content_type="application/json")
        if call >= WARM_UP:
            times.append((time.process_time() - start) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"HTTP {answer.status_code}: {answer.text}")
    return times


def main():
    app = create_app(load_settings({}), open_access=True, demo=False)
    body = request_with_prefetch(app)
    times = cpu_times(app.test_client(), orjson.dumps(body))
    held = sum(1 for _ in resources_of(body["prefetch"]))
    slow = statistics.quantiles(times, n=20)[-1]
    print(
        f"order-sign, {held} resources in prefetch: {statistics.median(times):.1f} ms of CPU a call"
        f" (19 of 20 under {slow:.1f} ms, {CALLS} calls)"
    )


if __name__ == "__main__":
    main()
