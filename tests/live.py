"""A FHIR server that logs what it is asked, and an EHR that calls the service over HTTP."""

import re
import socket
import threading
from contextlib import closing, contextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from flask import Flask, request
from werkzeug.serving import WSGIRequestHandler, make_server

from cds_service.sandbox import SandboxStore, sandbox_blueprint
from tests.oracle import checked

UNTOLD = {"_count", "_format", "_sort", "_offset", "page", "_page"}
UNHURRIED = {"MASSAGE_CDS_DEADLINE": "60"}
"""Settings of a service under test whose answers are not about time: the machine may be busy."""

TOKEN = re.compile(r"\{\{\s*%?context\.(\w+)\s*\}\}")


class Quiet(WSGIRequestHandler):
    """Says nothing of each request."""

    def log_request(self, *_):
        pass


@contextmanager
def serve(app):
    """Serve a WSGI application on a free loopback port; gives its base URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http():
    session = requests.Session()
    session.trust_env = False
    return session


def question(url):
    """Return what a FHIR query asks, however its parameters are ordered: (path, parameters)."""
    parts = urlsplit(url)
    path = (parts.path.partition("/fhir/")[2] or parts.path).removesuffix("/_search")
    pairs = [(n, v) for n, v in parse_qsl(parts.query) if n not in UNTOLD]
    return path, frozenset((n, frozenset(v.split(","))) for n, v in pairs)


class FhirServer:
    """The sandbox over some records, with a log of every query."""

    def __init__(self, bundles):
        self.log = []
        self.url = ""
        self.app = Flask("fhir_server")
        self.app.register_blueprint(sandbox_blueprint(SandboxStore(bundles)))
        self.app.before_request(self._note)

    def _note(self):
        told = urlencode(list(request.form.items(multi=True)))
        self.log.append(question(f"{request.full_path}&{told}"))


class Service:
    """The service as an EHR sees it."""

    def __init__(self, url, service_id="massage-order-review"):
        self.url = url
        self.service_id = service_id
        self.session = http()

    def templates(self):
        """Return the prefetch templates that discovery names."""
        answer = checked(self.session.get(f"{self.url}/cds-services", timeout=10))
        answer.raise_for_status()
        named = {entry["id"]: entry for entry in answer.json()["services"]}
        return named[self.service_id].get("prefetch", {})

    def post(self, body):
        """Return the answer to a hook request."""
        address = f"{self.url}/cds-services/{self.service_id}"
        return checked(self.session.post(address, json=body, timeout=30))

    def evaluations(self, body):
        """Return the evaluations of a request that asks for them."""
        answer = self.post(body | {"extension": {"massage-cds.explain": True}})
        assert answer.status_code == 200, answer.text
        return answer.json()["extension"]["massage-cds.evaluations"]


def prefetch_of(templates, context, fhir_url):
    """Return (prefetch, questions it answers) as an EHR resolves the templates."""
    session, held, asked = http(), {}, set()
    for key, template in templates.items():
        query = TOKEN.sub(lambda found: context[found[1]], template)
        assert "{{" not in query, f"{key}: {query} holds a token that this EHR does not know"
        held[key] = whole_answer(session, f"{fhir_url}/{query}")
        asked.add(question(f"{fhir_url}/{query}"))
    return held, asked | {(read, frozenset()) for read in resources_of(held)}


def whole_answer(session, url):
    """Return a resource, or a search with all its pages; None where there is nothing."""
    answer = session.get(url, timeout=10)
    if answer.status_code == 404:
        return None
    answer.raise_for_status()
    whole = answer.json()
    following = next_page(whole)
    while following:
        page = session.get(following, timeout=10).json()
        whole["entry"] = whole.get("entry", []) + page.get("entry", [])
        following = next_page(page)
    whole.pop("link", None)
    return whole


def next_page(bundle):
    links = [link["url"] for link in bundle.get("link", []) if link["relation"] == "next"]
    return links[0] if links else None


def resources_of(prefetch):
    """Yield `Type/id` of every resource that prefetch holds."""
    for value in filter(None, prefetch.values()):
        entries = [e["resource"] for e in value.get("entry", [])]
        for resource in entries if value["resourceType"] == "Bundle" else [value]:
            yield f"{resource['resourceType']}/{resource['id']}"
