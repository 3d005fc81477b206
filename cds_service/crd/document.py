"""`python -m cds_service.crd.document`: write docs/crd.md from the table of codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from cds_service.crd.options import HOOKS, discovery_of, service_of
from cds_service.crd.table import TABLE, Json, load

PAGE = Path(__file__).parents[2] / "docs" / "crd.md"
COMMAND = "python -m cds_service.crd.document"

_FRAME = load("document.yaml")


def text() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _FRAME["head"].format(command=COMMAND)
    yield from _services()
    yield from _section("states", ("state", "when", "covered", "reason"), _states())
    yield from _section("prior-auth", ("policy", "pa-needed", "words"), _authorizations())
    yield from _section("items", ("click of the item", "is told as"), _items())
    yield from _section("versions", ("", *TABLE["shapes"]), _shapes())
    yield from _section("cards", ("card", "type", "in which states"), _cards())
    yield _FRAME["tail"]


def _section(name: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    titles = [*head]
    yield _FRAME["sections"][name]
    yield _row(titles)
    yield _row("---" for _ in titles)
    yield from map(_row, rows)
    yield ""


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _services() -> Iterator[str]:
    rows = ((f"`{service_of(hook)['id']}`", service_of(hook)["description"]) for hook in HOOKS)
    yield from _section("services", ("service", "what it does"), rows)
    options = next(value for key, value in discovery_of(HOOKS[0]).items() if "options" in key)
    told = ((f"`{one['code']}`", one["description"], f"{one['default']}") for one in options)
    yield from _section("options", ("option", "what it does", "default"), told)


def _states() -> Iterator[Iterable[str]]:
    for name, row in TABLE["states"].items():
        yield name, row["when"], _covered(row), row.get("reason", "")


def _covered(row: Json) -> str:
    silent = " or ".join(row.get("silent", ()))
    info = f", info-needed {row['info']}" if "info" in row else ""
    return f"{row['covered']}{info}" + (f"; nothing is said in {silent}" if silent else "")


def _authorizations() -> Iterator[Iterable[str]]:
    for name, row in TABLE["prior-auth"].items():
        yield name, row["code"], row.get("text", "")


def _items() -> Iterator[Iterable[str]]:
    for name, kind in TABLE["items"].items():
        yield f"`{name}`", _FRAME["kinds"][kind]
    yield _FRAME["others"], _FRAME["kinds"]["clinical"]


def _shapes() -> Iterator[Iterable[str]]:
    for name, words in _FRAME["shapes"].items():
        yield words, *(_told(shape.get(name, "")) for shape in TABLE["shapes"].values())


def _told(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cards() -> Iterator[Iterable[str]]:
    states = TABLE["cards"]
    for kind, name in _FRAME["cards"].items():
        listed = states.get(name)
        yield (
            _FRAME["names"][kind],
            TABLE["topics"][kind]["code"],
            ", ".join(listed) if listed else "",
        )


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
