"""Chromium on the page, and a server to load it from."""

import os
import threading
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from werkzeug.serving import make_server

from tests.browser.fake_service import demo_store, fake_app

PATIENCE_MS = 15_000
CHROMIUM = Path("/usr/bin/chromium")
NEEDED = "needs Debian's package chromium (/usr/bin/chromium)"


def _without_browser():
    if os.environ.get("MASSAGE_CDS_NO_SKIP"):
        pytest.fail(NEEDED)
    pytest.skip(NEEDED)


@pytest.fixture(scope="session")
def chromium():
    if not CHROMIUM.exists():
        _without_browser()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


class Site:
    """A running demo: `url`, the store behind it, and the calls its service got."""

    def __init__(self):
        self.store = demo_store()
        self.calls = []
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
    """What a page must not do: complain, or ask another origin."""

    def __init__(self, page, origin):
        self.complaints, self.strays = [], []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._asked(request.url, origin))

    def _heard(self, message):
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _asked(self, url, origin):
        if not url.startswith(origin):
            self.strays.append(url)


@pytest.fixture
def open_page(chromium, site):
    contexts = []

    def make(path="/", **options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.watch = Watch(page, site.url)
        page.goto(site.url + path)
        return page

    yield make
    for context in contexts:
        context.close()
