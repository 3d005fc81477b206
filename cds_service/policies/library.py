"""All policies of a service: loaded, checked together, chosen by the order's date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path

from cds_service.evidence import vocabulary
from cds_service.policies.check import Names, check_file, check_fragment, unused_parameters
from cds_service.policies.compiler import Compiler
from cds_service.policies.policy import Policy
from cds_service.policies.source import PolicyError, read_source
from cds_service.terminology import Parameter, Terminology
from cds_service.terminology.measures import parameters_of
from cds_service.terminology.source import Problem, Source

SHARED = "shared.yaml"
OVERLAY = "overlay.yaml"
FRAGMENTS = (SHARED, OVERLAY)
UNROUTED = "unrouted"


@dataclass(frozen=True)
class PolicyLibrary:
    """The policies of a service.

    `versions` holds every version of a policy by id, newest first; `sources` the file each came
    from, by (id, version); `shared` the parameters that all policies use.
    """

    versions: Mapping[str, Sequence[Policy]]
    sources: Mapping[tuple[str, str], Source]
    shared: Mapping[str, Parameter]

    def ids(self) -> list[str]:
        """Return the policy ids."""
        return sorted(set(self.versions) - {UNROUTED})

    @property
    def unrouted(self) -> Policy:
        """What judges safety alone, where no policy was routed."""
        return self.versions[UNROUTED][0]

    @cached_property
    def common_keys(self) -> frozenset[str]:
        """Query keys that every policy reads."""
        keys = [policy.keys for name in self.ids() for policy in self.versions[name]]
        return frozenset.intersection(*keys) if keys else frozenset()

    def policy(self, policy_id: str | None, day: date) -> Policy | None:
        """Return the version that governs an order of that day; None when there is none.

        An order dated before the oldest version is judged by that one, and the card says so: the
        record of an older order is looked at again with the policy there is.
        """
        versions = self.versions.get(policy_id or "", ())
        for version in versions:
            if version.in_force(day):
                return version
        return versions[-1] if versions and day < versions[-1].start else None


def shipped() -> list[tuple[str, str]]:
    """Return (name, text) of the policy files that come with the package."""
    folder = files("cds_service.policies") / "library"
    return sorted(
        (item.name, item.read_text(encoding="utf-8"))
        for item in folder.iterdir()
        if item.name.endswith(".yaml")
    )


def in_folder(folder: Path) -> list[tuple[str, str]]:
    """Return (name, text) of the policy files of a site's own folder."""
    paths = sorted(folder.glob("*.yaml"))
    return [(str(path), path.read_text(encoding="utf-8")) for path in paths]


@cache
def default_library() -> PolicyLibrary:
    """Return the policies that come with the package."""
    return load_library(shipped())


def load_library(texts: Iterable[tuple[str, str]]) -> PolicyLibrary:
    """Read, check and compile a set of files; raise PolicyError when any of it is wrong."""
    problems: list[Problem] = []
    sources = [source for name, text in texts if (source := _read(name, text, problems))]
    _raise(problems)
    fragments = {source.name: source for source in sources if source.name in FRAGMENTS}
    names = _names(fragments)
    for source in sources:
        check = check_fragment if source.name in FRAGMENTS else check_file
        problems += check(source, names)
    _raise(problems)
    policies = [source for source in sources if source.name not in FRAGMENTS]
    _raise(_together(policies) + [p for source in policies for p in unused_parameters(source)])
    return _compile(policies, fragments)


def _read(name: str, text: str, problems: list[Problem]) -> Source | None:
    try:
        return read_source(name, text)
    except PolicyError as error:
        problems += error.problems
        return None


def _raise(problems: Sequence[Problem]) -> None:
    if problems:
        raise PolicyError(problems)


def _names(fragments: Mapping[str, Source]) -> Names:
    vocabulary.load()
    terminology = Terminology.load()
    stated = {
        name: entry["unit"]
        for fragment in fragments.values()
        for name, entry in fragment.data.get("parameters", {}).items()
    }
    known = {name: use.unit for name, use in terminology.parameters.items()}
    return Names({**known, **stated}, terminology)


def _together(sources: Sequence[Source]) -> list[Problem]:
    """Check what only shows across files: ids and versions used twice, dates that overlap."""
    return [*_twice(sources), *_same_version(sources), *_overlapping(sources)]


def _same_version(sources: Sequence[Source]) -> list[Problem]:
    problems = []
    files_of: dict[tuple[str, str], str] = {}
    for source in sources:
        key = (source.data["policy"], source.data["version"])
        other = files_of.setdefault(key, source.name)
        if other != source.name:
            what = f"version '{key[1]}' is already in {other}"
            problems.append(source.problem(("version",), what, "give it another version"))
    return problems


def _twice(sources: Sequence[Source]) -> list[Problem]:
    owner: dict[str, str] = {}
    problems = []
    for source in sources:
        policy = source.data["policy"]
        for kind in ("criteria", "safety"):
            for name in source.data.get(kind, {}):
                if owner.setdefault(name, policy) != policy:
                    what = f"id '{name}' is already used by {owner[name]}"
                    problems.append(source.problem((kind, name), what, "give it another id"))
    return problems


def _overlapping(sources: Sequence[Source]) -> list[Problem]:
    problems = []
    spans: dict[str, list[tuple[str, str, str]]] = {}
    for source in sources:
        effective = source.data["effective"]
        start, end = effective["start"], effective.get("end") or "9999-12-31"
        for other_start, other_end, other in spans.get(source.data["policy"], []):
            if start <= other_end and other_start <= end:
                what = f"effective dates overlap with {other}"
                problems.append(source.problem(("effective",), what, "end one before the other"))
        spans.setdefault(source.data["policy"], []).append((start, end, source.name))
    return problems


def _compile(policies: Sequence[Source], fragments: Mapping[str, Source]) -> PolicyLibrary:
    shared = dict(Terminology.load().parameters)
    if SHARED in fragments:
        shared |= parameters_of(fragments[SHARED].data)
    overlay = fragments[OVERLAY].data if OVERLAY in fragments else {}
    versions: dict[str, list[Policy]] = {}
    kept: dict[tuple[str, str], Source] = {}
    for source in policies:
        policy = Compiler(source.data, shared, overlay).policy()
        versions.setdefault(policy.head.id, []).append(policy)
        kept[policy.head.id, policy.head.version] = source
    for listed in versions.values():
        listed.sort(key=lambda policy: policy.start, reverse=True)
    return PolicyLibrary(versions, kept, shared)
