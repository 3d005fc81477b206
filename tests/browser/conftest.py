"""Chromium on the page, and a server to load it from."""

import os
import threading

import pytest
from playwright.sync_api import expect, sync_playwright
from werkzeug.serving import make_server

from tests.browser.chromium import EXECUTABLE, NEEDED, launched
from tests.browser.demo import running_demo
from tests.browser.fake_service import Calls, demo_store, fake_app
from tests.live import http

PATIENCE_MS = 15_000
DESK = {"width": 1280, "height": 900}


def _without_browser():
    if os.environ.get("MASSAGE_CDS_NO_SKIP"):
        pytest.fail(NEEDED)
    pytest.skip(NEEDED)


@pytest.fixture(scope="session")
def chromium():
    if not EXECUTABLE.exists():
        _without_browser()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright, launched(playwright) as browser:
        yield browser


class Site:
    """A running demo: `url`, the store behind it, and the calls its service got."""

    def __init__(self):
        self.store = demo_store()
        self.calls = Calls()
        self.server = make_server("127.0.0.1", 0, fake_app(self.store, self.calls), threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def kept(self, kind):
        return self.store.of_type(kind)


@pytest.fixture
def site():
    running = Site()
    yield running
    running.server.shutdown()


class Watch:
    """What a page must not do: complain, ask another origin, or ask in vain.

    `expected` are answers that a test provokes, such as 400 for a broken upload.
    """

    def __init__(self, page, origin):
        self.complaints, self.strays, self.failures = [], [], []
        self.asked, self.expected = [], set()
        self.origin = origin
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _heard(self, message):
        provoked = any(f"status of {status}" in message.text for status in self.expected)
        if message.type in {"error", "warning"} and not provoked:
            self.complaints.append(message.text)

    def _asked(self, request):
        self.asked.append(request.url)
        if not request.url.startswith((self.origin, "blob:" + self.origin, "data:")):
            self.strays.append(request.url)

    def _failed(self, request):
        # What a page gives up itself, or leaves behind, has not failed.
        if request.failure != "net::ERR_ABORTED":
            self.failures.append(f"{request.url}: {request.failure}")

    def _answered(self, response):
        if response.status >= 400 and response.status not in self.expected:
            self.failures.append(f"{response.url}: {response.status}")

    def told(self):
        """Return all that went wrong."""
        return [*self.complaints, *self.strays, *self.failures]


def new_page(context, url, path):
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.watch = Watch(page, url)
    page.goto(url + path)
    return page


@pytest.fixture
def open_page(chromium, site):
    """Open a page on the service of fixed answers."""
    contexts = []

    def make(path="/", **options):
        contexts.append(chromium.new_context(**{"viewport": DESK, **options}))
        return new_page(contexts[-1], site.url, path)

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def demo():
    """The base URL of the real demo."""
    with running_demo() as url:
        yield url


@pytest.fixture
def walk(chromium, demo):
    """Open a page on the real demo, its data as shipped; nothing may go wrong on it."""
    http().post(f"{demo}/reset", timeout=PATIENCE_MS / 1000).raise_for_status()
    contexts, pages = [], []

    def make(path="/", **options):
        contexts.append(chromium.new_context(**{"viewport": DESK, **options}))
        pages.append(new_page(contexts[-1], demo, path))
        return pages[-1]

    yield make
    for context in contexts:
        context.close()
    assert [page.watch.told() for page in pages] == [[]] * len(pages)
