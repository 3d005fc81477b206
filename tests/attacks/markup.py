"""Texts that would act if a card let them, and what a reader's program would make of a card."""

import copy
import re

from markdown_it import MarkdownIt

EVIL = (
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "<svg/onload=window.pwned=1>",
    "<a href='//evil.example/'>x</a>",
    "</td></tr></table><iframe src=//evil.example></iframe>",
    "<!-- x -->",
    "<![CDATA[x]]>",
    "<?php x ?>",
    "<b",
    "&lt;script&gt;window.pwned=1&lt;/script&gt;",
    "&#60;img src=x onerror=window.pwned=1&#62;",
    "[x](javascript:window.pwned=1)",
    "[x](<javascript:window.pwned=1>)",
    "[x](https://evil.example/)",
    "![x](https://evil.example/x.png)",
    "[x]: https://evil.example/\n\n[x]",
    "\\[x](https://evil.example/)",
    "<https://evil.example/>",
    "https://evil.example/x",
    "HTTPS://evil.example/x",
    "www.evil.example/x",
    "evil@evil.example",
    "javascript:window.pwned=1",
    "data:text/html,<script>window.pwned=1</script>",
    "| a | b |\n|---|---|\n| c | d |",
    "x | y",
    "x \\| y",
    "x `|` y",
    "ends with \\",
    "\n\n# heading\n\n- item\n\n1. item\n\n> quote\n\n---\n",
    "\n===\n",
    "```\ncode\n```",
    "~~~\ncode",
    "*a* _b_ **c** __d__ ~~e~~ `f`",
    "a\r\nSet-Cookie: evil=1",
    "a\u2028b\u2029c\u0085d\x0be",
    "\u202egnp.exe\u2066",
    "{{7*7}} {% raw %} ${7*7} #{7*7}",
    "%s %n {0} {card.__class__}",
)
# Members whose text is free, wherever they stand in FHIR.
FREE = {"text", "display", "family", "given", "prefix", "name", "description", "title", "comment"}
FREE |= {"valueString", "line", "city", "conclusion", "patientInstruction", "label"}
PAYERS = ("Organization", "Coverage")
ACTIVE = re.compile(r"(?i)<[a-z/!?]|https?://evil|www\.evil|@evil\.|javascript:\S|data:text")
LINES = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def spoilt(call, first, payers=True):
    """Return a call with every free text in it taken from EVIL, one after the other."""
    made = copy.deepcopy(call)
    state = [first]
    for part in ("context", "prefetch"):
        _spoil(made.get(part), state, payers)
    return made


def _spoil(node, state, payers):
    if isinstance(node, dict):
        if not payers and node.get("resourceType") in PAYERS:
            return
        for key, value in node.items():
            node[key] = _spoilt_value(key, value, state, payers)
    elif isinstance(node, list):
        for item in node:
            _spoil(item, state, payers)


def _spoilt_value(key, value, state, payers):
    if key in FREE and isinstance(value, str):
        return _next(state)
    if key in FREE and isinstance(value, list) and value and isinstance(value[0], str):
        return [_next(state) for _ in value]
    _spoil(value, state, payers)
    return value


def _next(state):
    state[0] += 1
    return EVIL[state[0] % len(EVIL)]


def tokens(markdown):
    for token in _parser.parse(markdown):
        yield token
        yield from token.children or ()


def links(markdown):
    return {token.attrs["href"] for token in tokens(markdown) if token.type == "link_open"}


def faults(markdown, allowed):
    """Return what of a detail is active: HTML, images, foreign links, broken tables."""
    found = [
        t.content for t in tokens(markdown) if t.type in ("html_block", "html_inline", "image")
    ]
    found += sorted(links(markdown) - allowed)
    found += ACTIVE.findall(_without_own(markdown, allowed))
    return found + list(uneven_rows(markdown))


def _without_own(markdown, allowed):
    for link in allowed:
        markdown = markdown.replace(link, "")
    return markdown


def uneven_rows(markdown):
    """Yield the table rows that have not as many cells as their head."""
    width = None
    for line in markdown.split("\n"):
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
        if cells is not None and width is not None and cells != width:
            yield line
        width = (width or cells) if cells is not None else None


def words_of(card):
    """Yield the texts of a card that programs show as they are."""
    yield card["summary"]
    yield from card["source"].values() if isinstance(card["source"], dict) else ()
    for suggestion in card.get("suggestions", ()):
        yield suggestion["label"]
        yield from (action["description"] for action in suggestion.get("actions", ()))
    yield from (link["label"] for link in card.get("links", ()))
    yield from (reason["display"] for reason in card.get("overrideReasons", ()))
