"""The floor: the same server, framework and parser, which reads the body and says one fixed card.

Nothing that answers over HTTP with Flask can be faster; every figure is held against it.
"""

import sys
from uuid import UUID

import orjson
from flask import Flask, Response, request

from cds_service.server import serve, served
from cds_service.settings import load_settings

BYTES = 2000


def app():
    made = Flask("floor", static_folder=None)

    @made.post("/cds-services/<service>")
    def call(service):
        held = orjson.loads(request.get_data(cache=False))
        return Response(
            orjson.dumps({"cards": [card(held["hookInstance"])]}), content_type="application/json"
        )

    @made.get("/readyz")
    def ready():
        return "ok\n"

    return served(made, load_settings())


def card(instance):
    return {
        "uuid": str(UUID(instance)),
        "summary": "The floor says the same of every order",
        "indicator": "info",
        "detail": "x" * (BYTES - 250),
        "source": {"label": "Floor"},
    }


if __name__ == "__main__":
    port, workers = map(int, sys.argv[1:])
    serve(f"{__spec__.name}:app", "127.0.0.1", port, workers)
