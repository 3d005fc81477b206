"""Hold a page against the rules of axe-core, on a desk and in the dark on a phone."""

import os
from functools import cache
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".cache/npm/node_modules/axe-core/axe.min.js"
NEEDED = "needs axe-core: npm install --prefix .cache/npm --no-save 'axe-core@^4.10'"
PHONE = {"width": 360, "height": 740}
FOUND = """async (part) => {
  const { violations } = await axe.run(part, { resultTypes: ["violations"] });
  return violations.map(({ id, help, nodes }) =>
    `${id}: ${help}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`);
}"""


@cache
def rules():
    """Return axe-core's text; skip where it is not installed."""
    if not SCRIPT.exists():
        missing = pytest.fail if os.environ.get("MASSAGE_CDS_NO_SKIP") else pytest.skip
        missing(NEEDED)
    return SCRIPT.read_text(encoding="utf-8")


def violations(page, part):
    """Return what axe finds in a part of the page as it is now."""
    page.evaluate(f"window.axe || (() => {{ {rules()} }})()")
    return page.evaluate(FOUND, part)


def violations_everywhere(page, part="html"):
    """Return what axe finds by daylight on a desk, and in the dark on a phone."""
    desk = page.viewport_size
    found = {"desk": violations(page, part)}
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    found["dark phone"] = violations(page, part)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(desk)
    return {look: told for look, told in found.items() if told}
