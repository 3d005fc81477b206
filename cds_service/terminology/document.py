"""`python -m cds_service.terminology.document`: write docs/value-sets.md from the value sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from cds_service.terminology.systems import NAMES
from cds_service.terminology.terminology import Terminology
from cds_service.terminology.value_sets import ValueSet

PAGE = Path(__file__).parents[2] / "docs" / "value-sets.md"
SHORT = {
    **NAMES,
    "http://terminology.hl7.org/CodeSystem/v2-0360": "v2-0360",
    "http://terminology.hl7.org/CodeSystem/v3-ActCode": "ActCode",
}


def page() -> str:
    """Return the whole page as Markdown."""
    terminology = Terminology.load()
    return "\n".join(
        [*_value_sets(terminology), *_measures(terminology), *_groups(terminology), ""]
    )


def _value_sets(terminology: Terminology) -> Iterator[str]:
    yield "# Value sets and measures"
    yield ""
    yield "Written by `python -m cds_service.terminology.document`; do not edit. A value set names"
    yield "a concept, never whether it speaks for or against massage: that stands in the policies."
    yield "ICD-10-CM entries are prefixes."
    yield ""
    yield f"## Value sets ({len(terminology.ids)})"
    yield ""
    yield "| id | title | codes | rules |"
    yield "|---|---|---|---|"
    for name in sorted(terminology.ids):
        value_set = terminology.value_set(name)
        rules = ", ".join(value_set.rules)
        yield f"| `{name}` | {value_set.title} | {_counts(value_set)} | {rules} |"
    yield ""


def _counts(value_set: ValueSet) -> str:
    counts: dict[str, int] = defaultdict(int)
    for part in value_set.resource["compose"]["include"]:
        name = SHORT.get(part["system"], "local")
        counts[name] += len(part.get("concept", part.get("filter", ())))
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _measures(terminology: Terminology) -> Iterator[str]:
    yield "## Measures"
    yield ""
    yield "| id | title | scale | better | groups |"
    yield "|---|---|---|---|---|"
    for name, measure in terminology.measures.items():
        groups = ", ".join(sorted(measure.groups))
        yield f"| `{name}` | {measure.title} | {measure.scale.id} | {measure.better} | {groups} |"
    yield ""


def _groups(terminology: Terminology) -> Iterator[str]:
    yield "## Groups of measures"
    yield ""
    yield "| group | measures |"
    yield "|---|---|"
    for name in sorted(terminology.groups):
        yield f"| `{name}` | {', '.join(terminology.measures_of([name]))} |"
    yield ""
    yield "## Body regions"
    yield ""
    yield ", ".join(sorted(terminology.region_names))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
