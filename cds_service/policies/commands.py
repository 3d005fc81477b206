"""What `massage-cds policies` prints, as text for a terminal a hundred columns wide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from textwrap import wrap

from cds_service.evaluation import number
from cds_service.policies.library import FRAGMENTS, PolicyLibrary, load_library, shipped
from cds_service.policies.outline import Outline, RuleLine
from cds_service.policies.source import PolicyError
from cds_service.terminology import Parameter
from cds_service.terminology.source import Problem

SHIPPED = Path(str(files("cds_service.policies"))).resolve() / "library"
WIDTH = 100
STEP = "  "
SIGN_OFF = "configured - awaits a clinician's sign-off"


class UnknownPolicyError(Exception):
    """A policy id or version that the library does not hold; the message lists what it holds."""


def outlines(library: PolicyLibrary) -> list[Outline]:
    """Return every version of every policy, ids in order, newest version first."""
    return [
        Outline(policy, library.sources[name, policy.head.version].data)
        for name in library.ids()
        for policy in library.versions[name]
    ]


def listing(library: PolicyLibrary) -> str:
    """Return all policies, three lines each."""
    return "\n".join(line for outline in outlines(library) for line in _listed(outline))


def _listed(outline: Outline) -> Iterator[str]:
    head = outline.policy.head
    yield f"{head.id}  {head.title}{' (draft)' if head.draft else ''}"
    due = f"review due {head.review_due}" if head.review_due else "no review date"
    yield f"{STEP}version {head.version}, effective {outline.effective()}, {due}"
    configured = len(outline.own_configured())
    numbers = len(outline.data.get("parameters", {}))
    counted = f"{len(outline.rule_ids())} rules; {numbers} numbers of its own"
    yield f"{STEP}{counted}, {configured} of them {SIGN_OFF}"


def chosen(library: PolicyLibrary, policy: str, version: str | None) -> Outline:
    """Return one policy, its newest version unless one is named; raise UnknownPolicyError."""
    found = [o for o in outlines(library) if o.policy.head.id == policy]
    if not found:
        raise UnknownPolicyError(f"no policy {policy}; there is {', '.join(library.ids())}")
    wanted = [o for o in found if version in (None, o.policy.head.version)]
    if not wanted:
        versions = ", ".join(o.policy.head.version for o in found)
        raise UnknownPolicyError(f"{policy} has no version {version}; there is {versions}")
    return wanted[0]


def shown(outline: Outline) -> str:
    """Return one policy whole: rules, numbers, safety, items, value sets."""
    parts = [
        list(_identity(outline)),
        _titled("How it decides", _rules(outline.rules())),
        _titled("Named questions", _named(outline)),
        _titled("Numbers", (line for use in outline.used_numbers() for line in _number(use))),
        _titled("Targets", outline.targets()),
        _titled("Safety", _safety(outline)),
        _titled("What can be asked for", _items(outline)),
        _titled("Information", _information(outline)),
        _titled("Value sets", (f"{item.id}: {item.title}" for item in outline.value_sets())),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _identity(outline: Outline) -> Iterator[str]:
    head, data = outline.policy.head, outline.data
    yield f"{head.title} ({head.id}){' - draft' if head.draft else ''}"
    yield f"{STEP}payer      {head.payer}"
    yield f"{STEP}source     {data['source']['id']}, {data['source']['title']}"
    yield f"{STEP}version    {head.version}, effective {outline.effective()}"
    yield f"{STEP}review     {f'due {head.review_due}' if head.review_due else 'no date is named'}"
    yield f"{STEP}codes      {', '.join(sorted(data['codes']))}"
    if head.note:
        yield from _wrapped(f"note       {head.note}")


def _titled(title: str, lines: Iterable[str]) -> list[str]:
    body = [part for line in lines for part in _wrapped(line)]
    return [title, *body] if body else []


def _wrapped(line: str) -> list[str]:
    indent = STEP + " " * (len(line) - len(line.lstrip()))
    return wrap(
        line.strip(),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + STEP * 2,
        break_on_hyphens=False,
    )


def _rules(lines: Iterable[RuleLine]) -> Iterator[str]:
    for line in lines:
        indent = STEP * line.depth
        operator = f" [{line.operator}]" if line.operator else ""
        again = "; see above" if line.repeated else ""
        yield f"{indent}{line.id}{operator}  {line.text} ({line.source}{again})"
        for row in line.decided:
            yield f"{indent}{STEP * 2}{row.words}"


def _named(outline: Outline) -> Iterator[str]:
    for name, words in outline.named():
        yield f'"{name}": {words}'


def _number(use: Parameter) -> Iterator[str]:
    origin = SIGN_OFF if use.configured else use.source
    yield f"{use.id} = {number(use.value):g} {use.unit} ({origin})"
    if use.note:
        yield f"{STEP * 2}{use.note}"


def _safety(outline: Outline) -> Iterator[str]:
    for rule in outline.safety():
        yield f"{rule.id}  {rule.text} ({rule.source})"
        for line in (*rule.evidence, *rule.effects):
            yield f"{STEP * 2}{line}"


def _items(outline: Outline) -> Iterator[str]:
    for name, entry in outline.data["items"].items():
        click = f"; click {entry['action']}" if entry.get("action") else ""
        yield f"{name}  {entry['text']} ({entry['source']}{click})"


def _information(outline: Outline) -> Iterator[str]:
    for name, entry in outline.data.get("information", {}).items():
        yield f"{name}  {entry['text']} ({entry['source']})"


def checked(paths: Iterable[Path]) -> dict[str, list[Problem]]:
    """Return what is wrong with policy files, by file, held beside each other and the shipped."""
    given = {str(path.resolve()): path for path in paths}
    found: dict[str, list[Problem]] = {_name(path): [] for path in given.values()}
    texts = [text for path in given.values() if (text := _text(path, found))]
    beside = [entry for entry in shipped() if str(SHIPPED / entry[0]) not in given]
    named = {name for name, _ in texts}
    try:
        load_library([*(entry for entry in beside if entry[0] not in named), *texts])
    except PolicyError as error:
        for problem in error.problems:
            found.setdefault(problem.file, []).append(problem)
    return found


def _name(path: Path) -> str:
    """Return the name a file goes by: the shared files are known by theirs alone."""
    return path.name if path.name in FRAGMENTS else str(path)


def _text(path: Path, found: dict[str, list[Problem]]) -> tuple[str, str] | None:
    try:
        return _name(path), path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        remedy = "give a YAML file in UTF-8"
        found[_name(path)].append(Problem(str(path), 1, f"cannot be read ({error})", remedy))
        return None
