"""Requests with everything that discovery asks for in prefetch, each search on one page."""

import sys
from dataclasses import dataclass
from urllib.parse import parse_qsl

import orjson

from cds_service.sandbox import SandboxStore
from cds_service.sandbox.search import parse, search
from tests.live import TOKEN, resources_of
from tests.long_record import CCA, everyday_record, long_record

REVIEW = "massage-order-review"


@dataclass(frozen=True)
class Call:
    """The body of a call, how many resources it carries, and the record behind it."""

    body: bytes
    resources: int
    built: object


def call_of(templates, size=150, payer=CCA, orders=1):
    """Return a call about a record of a size; `templates` are those of discovery."""
    return _call(templates, long_record(size, payer), orders)


def everyday_call(templates):
    """Return a call about a chart of everyday size, in which little is about massage."""
    return _call(templates, everyday_record(), 1)


def _call(templates, built, orders):
    request = built.request | {"context": _with_orders(built.request["context"], orders)}
    store = SandboxStore([built.record])
    held = {key: _answer(store, one) for key, one in _asked(templates, request).items()}
    resources = sum(1 for _ in resources_of(held))
    return Call(orjson.dumps(request | {"prefetch": held}), resources, built)


def without_prefetch(call, server):
    """Return the same request for a service that must read the record from a server."""
    request = orjson.loads(call.body)
    del request["prefetch"]
    return orjson.dumps(request | {"fhirServer": server})


def _with_orders(context, count):
    """Return a context in which the first order is signed so many times."""
    first = context["draftOrders"]["entry"][0]["resource"]
    listed = [{"resource": first | {"id": f"{first['id']}-{at}"}} for at in range(1, count)]
    drafts = context["draftOrders"]
    return context | {"draftOrders": drafts | {"entry": [{"resource": first}, *listed]}}


def _asked(templates, request):
    """Return the queries by key; one that names what the context lacks cannot be asked."""
    context = request["context"]
    return {
        key: TOKEN.sub(lambda m: context[m[1]], text)
        for key, text in templates.items()
        if all(name in context for name in TOKEN.findall(text))
    }


def _answer(store, question):
    """Return what a FHIR server answers to a read or a search."""
    kind, _, terms = question.partition("?")
    if not terms:
        return store.read(*kind.split("/"))
    query = parse(kind, parse_qsl(terms))
    query.count = sys.maxsize
    return search(store, query, "https://ehr.example.org/fhir")
