"""A FHIR server in a process of its own that takes its time for each query, and little CPU.

It answers as the sandbox does, from memory after the first time. `/told?seconds=` sets how long a
query takes and returns the span of each query since it was last asked.
"""

import asyncio
import sys
import time
from urllib.parse import parse_qs

import orjson
from werkzeug.test import Client

from cds_service.server import serve
from tests.live import FhirServer
from tests.long_record import CCA, long_record

JSON = [("content-type", "application/fhir+json")]


class Slow:
    def __init__(self, bundle):
        self.inner = Client(FhirServer([bundle]).app)
        self.answers, self.spans = {}, []
        self.seconds = 0.0

    async def __rsgi__(self, scope, protocol):
        if scope.path == "/readyz":
            protocol.response_empty(200, [])
        elif scope.path == "/told":
            protocol.response_bytes(200, JSON, self._told(scope.query_string))
        else:
            await self._slowly(scope, protocol)

    async def _slowly(self, scope, protocol):
        start = time.monotonic()
        status, body = self._answer(f"{scope.path}?{scope.query_string}")
        await asyncio.sleep(max(0.0, self.seconds - (time.monotonic() - start)))
        protocol.response_bytes(status, JSON, body)
        self.spans.append((start, time.monotonic()))

    def _answer(self, asked):
        if asked not in self.answers:
            answer = self.inner.get(asked)
            self.answers[asked] = answer.status_code, answer.data
        return self.answers[asked]

    def _told(self, query):
        spans, self.spans = self.spans, []
        self.seconds = float(parse_qs(query)["seconds"][0])
        return orjson.dumps(spans)


def app():
    return Slow(long_record(150, CCA).record)


if __name__ == "__main__":
    serve(f"{__spec__.name}:app", "127.0.0.1", int(sys.argv[1]), 1)
