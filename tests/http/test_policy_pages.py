"""The pages on which an owner reads a policy."""

import re
from functools import cache
from html import unescape

import pytest
from flask import Flask

from cds_service.policies.commands import outlines
from cds_service.policies.library import load_library
from cds_service.sandbox import SandboxStore
from cds_service.services import rules_of
from cds_service.settings import load_settings
from cds_service.web import web_blueprint
from cds_service.web.headers import CONTENT_SECURITY_POLICY
from cds_service.web.navigation import navigation
from cds_service.web.policies import Stories, StoryLine, policies_blueprint
from tests.unit.engine_parts import fragments, library, small

FAILED = StoryLine("A <b>story</b>", "x.yaml:3", ("covered",), ("determination is covered",))


@cache
def rules():
    return rules_of(load_settings({}))


UNTESTED = Stories({}, lambda _name: ())


def client_of(held, *, stories=UNTESTED, payers=()):
    app = Flask("pages", static_folder=None)
    app.context_processor(lambda: {"navigation": navigation()})
    app.register_blueprint(web_blueprint(SandboxStore([])))
    app.register_blueprint(policies_blueprint(held, payers, stories))
    return app.test_client()


@cache
def client():
    return client_of(rules().library, payers=rules().payers)


def words(answer):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


POLICIES = [outline.policy.head.id for outline in outlines(rules().library)]


@pytest.mark.parametrize("name", POLICIES)
def test_page_holds_every_rule_with_its_citation(name):
    answer = client().get(f"/policies/{name}")
    outline = next(o for o in outlines(rules().library) if o.policy.head.id == name)
    told = words(answer)
    assert answer.status_code == 200
    for line in outline.rules():
        assert f"{line.id} {line.text}" in told
        assert line.source in told
        assert f'id="{line.id}"' in answer.text
    for one in outline.safety():
        assert f"{one.id} {one.text}" in told
    assert answer.text.count("Awaits sign-off") == sum(u.configured for u in outline.used_numbers())


@pytest.mark.parametrize("name", POLICIES)
def test_ids_on_a_page_are_its_own(name):
    ids = re.findall(r' id="([^"]+)"', client().get(f"/policies/{name}").text)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", POLICIES)
def test_value_sets_lead_to_their_codes(name):
    links = re.findall(r'/policies/value-sets/[^"]+', client().get(f"/policies/{name}").text)
    assert links
    for link in links:
        answer = client().get(link)
        assert answer.status_code == 200
        assert "Holds: " in words(answer)


def test_list_marks_drafts_and_counts():
    told = words(client().get("/policies"))
    assert "VHA CDI 00036 Medical Massage Therapy Draft" in told
    assert "5 versions of policies" in told


def test_versions_are_told_apart():
    first = small(effective={"start": "2020-01-01", "end": "2024-12-31"})
    second = small(version="2", effective={"start": "2025-01-01", "end": None}, draft=True)
    pages = client_of(library(first, second))
    newest, older = pages.get("/policies/small"), pages.get("/policies/small?version=1")
    assert "A small policy Draft" in words(newest)
    assert "Other versions 1 (2020-01-01 to 2024-12-31)" in words(newest)
    assert "for orders 2020-01-01 to 2024-12-31" in words(older)
    assert pages.get("/policies/small?version=3").status_code == 404


def test_library_without_policies_says_so():
    told = words(client_of(load_library(fragments())).get("/policies"))
    assert "0 versions of policies" in told


@pytest.mark.parametrize("path", ["/policies/none", "/policies/value-sets/none"])
def test_unknown_name_is_told_and_leads_back(path):
    answer = client().get(path)
    assert answer.status_code == 404
    assert "Not found" in words(answer)
    assert 'href="/policies"' in answer.text


def test_story_that_differs_is_shown_with_what_differs():
    stories = Stories({"cca-mng-084": 1}, lambda _name: (FAILED,))
    answer = client_of(rules().library, stories=stories).get("/policies/cca-mng-084/stories")
    assert "1 of 1 not as expected" in words(answer)
    assert "determination is covered" in words(answer)
    assert "<b>story" not in answer.text


def test_page_loads_from_its_own_origin_alone():
    answer = client().get("/policies")
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "style=" not in answer.text
    assert 'aria-current="page">Policies' in answer.text
