"""What a CDS service offers, and the services of one base URL side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cds_service.hooks import schemas
from cds_service.hooks.errors import HookError
from cds_service.hooks.request import HookRequest
from cds_service.hooks.response import HookResponse, without_empties

Handler = Callable[[HookRequest], HookResponse]

SPECIFICATION = "2.0.1"
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


@dataclass(frozen=True, slots=True)
class Service:
    """One CDS service: an entry of discovery and the function that answers its calls.

    `id` is the last segment of its URL, `prefetch` templates by key, `usage_requirements` what a
    site must have for it to work, in words. `hook_version` None means the default of discovery.
    `acts` tells that its answers always hold systemActions, if as an empty array. A client may be
    held to one `family` of services.
    """

    id: str
    hook: str
    title: str
    description: str
    handler: Handler
    prefetch: Mapping[str, str] = field(default_factory=dict)
    usage_requirements: str | None = None
    hook_version: str | None = None
    acts: bool = False
    family: str = ""
    extension: Mapping[str, Any] = field(default_factory=dict)


class Registry:
    """The services of one base URL, by id; several may serve one hook.

    Raises ValueError for an id used twice or one that is no URL segment, and for a hook without a
    schema.
    """

    def __init__(self, services: Iterable[Service]) -> None:
        self._services: dict[str, Service] = {}
        for service in services:
            self._add(service)

    def _add(self, service: Service) -> None:
        if not _SEGMENT.match(service.id):
            raise ValueError(f"service id {service.id!r} is no URL segment")
        if service.id in self._services:
            raise ValueError(f"two services have the id {service.id!r}; rename one")
        if f"{service.hook}-request" not in schemas.names():
            raise ValueError(
                f"hook {service.hook!r} has no {service.hook}-request.json in schemas/"
            )
        self._services[service.id] = service

    def __iter__(self) -> Iterator[Service]:
        return iter(self._services.values())

    def find(self, service_id: str) -> Service:
        """Return the service; raises HookError 404 with the ids that exist."""
        service = self._services.get(service_id)
        if service is None:
            known = ", ".join(self._services) or "none"
            words = f"There is no such service here; discovery lists: {known}."
            raise HookError(404, "not-found", words)
        return service


def discovery(services: Iterable[Service], hook_version: str) -> dict[str, Any]:
    """Return the discovery document; `version` and `hookVersion` are members of CDS Hooks 3.0."""
    return {"services": [_entry(service, hook_version) for service in services]}


def _entry(service: Service, hook_version: str) -> dict[str, Any]:
    entry: dict[str, Any] = without_empties(
        {
            "hook": service.hook,
            "title": service.title,
            "description": service.description,
            "id": service.id,
            "version": SPECIFICATION,
            "hookVersion": service.hook_version or hook_version,
            "prefetch": dict(service.prefetch),
            "usageRequirements": service.usage_requirements,
        }
    )
    return entry | ({"extension": dict(service.extension)} if service.extension else {})
