"""Debian's Chromium under Playwright."""

from contextlib import contextmanager
from pathlib import Path

EXECUTABLE = Path("/usr/bin/chromium")
NEEDED = f"needs Debian's package chromium ({EXECUTABLE})"


@contextmanager
def launched(playwright):
    """Give a browser for as long as the block lasts."""
    browser = playwright.chromium.launch(
        executable_path=str(EXECUTABLE), args=["--no-sandbox", "--disable-dev-shm-usage"]
    )
    try:
        yield browser
    finally:
        browser.close()
