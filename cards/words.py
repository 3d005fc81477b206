"""The words: templates compiled once, short labels from `words.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from cards.escape import bare, markdown, plain, sentence, short

_HERE = Path(__file__).parent


def load(name: str) -> dict[str, Any]:
    """Return the content of a YAML file of this package."""
    content = yaml.safe_load((_HERE / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


WORDS = load("words.yaml")


def _environment(finalize: Any, autoescape: bool) -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        undefined=StrictUndefined,
        autoescape=autoescape,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for function in (sentence, short, bare, day, reason):
        made.filters[function.__name__] = function
    made.globals |= {"words": WORDS}
    return made


def day(value: object) -> str:
    """Return the calendar part of a FHIR date or dateTime."""
    return str(value)[:10] if value else ""


def reason(word: str) -> str:
    """Return why a query failed, in plain words."""
    head, _, rest = word.partition("-")
    told = WORDS["hole-reasons"].get(word) or WORDS["hole-reasons"].get(f"{head}-*")
    return str(told).format(rest) if told else word


_PLAIN = _environment(plain, autoescape=False)
_MARKDOWN = _environment(markdown, autoescape=True)


def summary(name: str, view: dict[str, Any]) -> str:
    """Return the one-line summary of a card, 139 characters at most."""
    lines = _PLAIN.get_template(f"{name}.txt.j2").render(view).split()
    return sentence(" ".join(lines))


def detail(name: str, view: dict[str, Any]) -> str:
    """Return the detail of a card in GitHub-flavoured Markdown."""
    text = _MARKDOWN.get_template(f"{name}.md.j2").render(view)
    blocks = [block.strip("\n").rstrip() for block in text.split("\n\n")]
    return "\n\n".join(filter(None, blocks))


def note(name: str, view: dict[str, Any]) -> str:
    """Return a plain text of one paragraph for a resource that a suggestion creates."""
    return " ".join(_PLAIN.get_template(f"{name}.txt.j2").render(view).split())


@cache
def _phrase(source: str) -> Template | str:
    """Return a template, or the words themselves where nothing stands in them for another."""
    made = _PLAIN.from_string(source)
    return made if "{" in source else made.render()


def phrase(source: str, view: dict[str, Any]) -> str:
    """Return a short label or description written as a template in a YAML file."""
    made = _phrase(source)
    return made if isinstance(made, str) else made.render(view)
