"""`python -m cds_service.policies.document`: write docs/policies/*.md from the policy files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from cds_service.evaluation import number
from cds_service.policies.commands import SHIPPED, outlines
from cds_service.policies.library import default_library
from cds_service.policies.outline import Outline, RuleLine
from cds_service.terminology import Parameter

FOLDER = Path(__file__).parents[2] / "docs" / "policies"
COMMAND = "python -m cds_service.policies.document"


def pages() -> dict[str, str]:
    """Return the name and Markdown of every page: one for each policy, and a list of them."""
    found: dict[str, list[Outline]] = {}
    for outline in outlines(default_library()):
        found.setdefault(outline.policy.head.id, []).append(outline)
    made = {f"{name}.md": "\n".join(_page(versions)) for name, versions in found.items()}
    return {"README.md": "\n".join(_contents(found.values())), **made}


def _contents(policies: Iterable[list[Outline]]) -> Iterator[str]:
    yield "# Policies"
    yield ""
    yield f"Written by `{COMMAND}` from the policy files; do not edit."
    yield ""
    yield "| policy | payer | version | rules | numbers that await a sign-off |"
    yield "|---|---|---|---|---|"
    for newest, *_ in policies:
        head = newest.policy.head
        draft = " (draft)" if head.draft else ""
        cells = (f"[{head.title}]({head.id}.md){draft}", head.payer, head.version)
        yield _row(*cells, str(len(newest.rule_ids())), str(len(newest.own_configured())))
    yield ""


def _page(versions: list[Outline]) -> Iterator[str]:
    newest = versions[0]
    yield f"# {newest.policy.head.title}"
    yield ""
    yield f"Written by `{COMMAND}` from the policy file; do not edit. The words are ours; the"
    yield "source of a rule stands beside it: its section, and `L` lines of its text or `p.` pages."
    for outline in versions:
        yield from _version(outline, bool(versions[1:]))


def _version(outline: Outline, several: bool) -> Iterator[str]:
    if several:
        yield from ("", f"# Version {outline.policy.head.version}")
    yield from _identity(outline)
    yield from _titled("How it decides", _rules(outline.rules()))
    yield from _titled("Named questions", _named(outline))
    yield from _titled("Numbers", _numbers(outline))
    yield from _titled("Targets", (f"- {_plain(line)}" for line in outline.targets()))
    yield from _titled("Safety", _safety(outline))
    yield from _titled("What can be asked for", _items(outline))
    yield from _titled("Information", _information(outline))
    yield from _titled("Value sets", _value_sets(outline))
    yield ""


def _identity(outline: Outline) -> Iterator[str]:
    head, data = outline.policy.head, outline.data
    facts = {
        "Id": f"`{head.id}`{' (draft)' if head.draft else ''}",
        "Payer": head.payer,
        "Source": f"{data['source']['id']}: {data['source']['title']}",
        "Version": f"{head.version}, effective {outline.effective()}",
        "Review due": str(head.review_due) if head.review_due else "no date is named",
        "Codes": ", ".join(sorted(data["codes"])),
        "Note": head.note,
        "When it is not met": data.get("route"),
        "Stories that test it": str(_stories(head.id)),
    }
    yield from ("", "| | |", "|---|---|")
    for name, fact in facts.items():
        if fact:
            yield _row(name, fact)


def _stories(policy: str) -> int:
    path = SHIPPED / "tests" / f"{policy}.yaml"
    return len(yaml.safe_load(path.read_text(encoding="utf-8"))) if path.is_file() else 0


def _titled(title: str, lines: Iterable[str]) -> Iterator[str]:
    body = list(lines)
    if body:
        yield from ("", f"## {title}", "", *body)


def _row(*cells: str) -> str:
    return f"| {' | '.join(_plain(cell).replace('|', '/') for cell in cells)} |"


def _plain(words: str) -> str:
    return words.replace("<", "&lt;").replace("*", r"\*").replace("\n", " ")


def _rules(rules: Iterable[RuleLine]) -> Iterator[str]:
    for rule in rules:
        indent = "  " * rule.depth
        operator = f" - {rule.operator}:" if rule.operator and not rule.repeated else ""
        place = ", ".join((*rule.sections, rule.source, *(["see above"] if rule.repeated else [])))
        yield f"{indent}- **{rule.id}** {_plain(rule.text)} ({place}){operator}"
        for line in rule.decided:
            because = f" - *{_plain(line.because)}*" if line.because else ""
            yield f"{indent}  - {_plain(line.words)}{because}"


def _named(outline: Outline) -> Iterator[str]:
    for name, words in outline.named():
        yield f"- **{name}**: {_plain(words)}"


def _numbers(outline: Outline) -> Iterator[str]:
    used = outline.used_numbers()
    if used:
        yield from ("| number | value | from | note |", "|---|---|---|---|")
    for use in used:
        yield _row(use.id, f"{number(use.value):g} {use.unit}", _origin(use), use.note or "")


def _origin(use: Parameter) -> str:
    return "configured: a clinician signs it off" if use.configured else str(use.source)


def _safety(outline: Outline) -> Iterator[str]:
    for rule in outline.safety():
        yield f"- **{rule.id}** {_plain(rule.text)} ({rule.source})"
        yield from (f"  - evidence {_plain(line)}" for line in rule.evidence)
        yield from (f"  - {_plain(line)}" for line in rule.effects)


def _items(outline: Outline) -> Iterator[str]:
    items = outline.data["items"]
    if items:
        yield from ("| item | what | click | source |", "|---|---|---|---|")
    for name, entry in items.items():
        yield _row(name, entry["text"], entry.get("action") or "", entry["source"])


def _information(outline: Outline) -> Iterator[str]:
    for name, entry in outline.data.get("information", {}).items():
        yield f"- **{name}** {_plain(entry['text'])} ({entry['source']})"


def _value_sets(outline: Outline) -> Iterator[str]:
    for item in outline.value_sets():
        yield f"- [`{item.id}`](../value-sets.md): {_plain(item.title)}"


def write() -> None:
    """Write the pages, and take away those of policies that are gone."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
