"""The words: templates compiled once, short labels from `words.yaml`, findings and lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from cards.escape import Marked, bare, markdown, plain, sentence, short
from cds_service.evidence.answer import Finding
from cds_service.record.model import Hole

_HERE = Path(__file__).parent


def load(name: str) -> dict[str, Any]:
    """Return the content of a YAML file of this package."""
    content = yaml.safe_load((_HERE / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


WORDS = load("words.yaml")


def day(value: object) -> str:
    """Return the calendar part of a FHIR date or dateTime."""
    return str(value)[:10] if value else ""


def said(word: str, table: str) -> str:
    """Return a word as a table of `words.yaml` puts it."""
    return str(WORDS[table][word])


def reason(word: str) -> str:
    """Return why a query failed, in plain words."""
    head, _, rest = word.partition("-")
    told = WORDS["hole-reasons"].get(word) or WORDS["hole-reasons"].get(f"{head}-*")
    return str(told).format(rest) if told else word


def some(texts: Sequence[str], most: int) -> Marked:
    """Return the first of several texts within a sentence, and how many more there are."""
    told = [markdown(bare(text)) for text in texts[:most]]
    return Marked("; ".join(told + _more(texts, most)))


def named(holes: Iterable[Hole]) -> Marked:
    """Return what could not be read, each with its reason."""
    told = (
        f"{markdown(hole.query)} ({markdown(hole.key)}: {markdown(reason(hole.reason))})"
        for hole in holes
    )
    return Marked(", ".join(told))


def evidence(findings: Sequence[Finding], most: int) -> Marked:
    """Return the first of several findings, and how many more there are."""
    told = "; ".join(map(_finding, findings[:most]))
    return Marked(" ".join([told, *_more(findings, most)]))


def proof(because: str, findings: Sequence[Finding], most: int) -> Marked:
    """Return why a criterion is what it is, and what shows it."""
    joint = ": " if because and findings else ""
    return Marked(f"{markdown(bare(because))}{joint}{evidence(findings, most)}")


def _finding(finding: Finding) -> str:
    value = f" {markdown(finding.value)}" if finding.value else ""
    dated = f", {markdown(day(finding.date))}" if finding.date else ""
    doubt = f" {WORDS['lists']['suspected']}" if finding.suspected else ""
    return f"{markdown(finding.text)}{value}{dated}{doubt}"


def _more(items: Sequence[object], most: int) -> list[str]:
    rest = len(items) - most
    return [str(WORDS["lists"]["more"]).format(rest)] if rest > 0 else []


def _environment(finalize: Callable[[object], str]) -> Environment:
    """Return an environment in which whatever a template inserts is made harmless."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for function in (sentence, short, bare, day, said, reason, some, named, evidence, proof):
        made.filters[function.__name__] = function
    # Each rendering copies them; no template uses Jinja's own.
    made.globals.clear()
    return made


_PLAIN = _environment(plain)
_MARKDOWN = _environment(markdown)


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
