"""The published schemas as judge of every answer under /cds-services that a test gets."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import orjson
from flask.testing import FlaskClient

from cds_service.hooks import schemas
from cds_service.hooks.response import check_response


def breaches(method: str, path: str, status: int, body: bytes) -> list[str]:
    """Return where an answer breaks the protocol; what is no answer of a service is not judged."""
    steps = path.strip("/").split("/")
    if "cds-services" not in steps or method in ("OPTIONS", "HEAD"):
        return []
    answer = orjson.loads(body)
    if status >= 400:
        return [*map(str, schemas.problems("operation-outcome", answer))]
    assert status == 200, f"no service answers with {status}"
    return _successes(steps[steps.index("cds-services") + 1 :], answer)


def _successes(rest: list[str], answer: Any) -> list[str]:
    if not rest:
        return [*map(str, schemas.problems("discovery", answer))]
    if rest[1:]:
        return [] if isinstance(answer, dict) else ["feedback is answered with an object"]
    return check_response(answer, acts=rest[0].endswith("-crd"))


class CheckedClient(FlaskClient):
    """A test client that accepts no answer against the schemas."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        response = super().open(*args, **kwargs)
        asked = response.request
        found = breaches(asked.method, asked.path, response.status_code, response.get_data())
        assert found == [], f"{asked.method} {asked.path}: {found}"
        return response


def checked(answer: Any) -> Any:
    """Return an answer of the requests library if it keeps the protocol."""
    asked = answer.request
    path = urlsplit(asked.url).path
    found = breaches(asked.method, path, answer.status_code, answer.content)
    assert found == [], f"{asked.method} {path}: {found}"
    return answer
