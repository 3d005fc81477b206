"""A caller as the protocol knows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Client(Protocol):
    """A caller; `iss` names it, `family` is the only one whose services it may use (None: all).

    Without `system_actions` it is sent none. `tenant` is the one it speaks for, if it names one.
    """

    @property
    def iss(self) -> str: ...  # noqa: D102
    @property
    def family(self) -> str | None: ...  # noqa: D102
    @property
    def system_actions(self) -> bool: ...  # noqa: D102
    @property
    def tenant(self) -> str | None: ...  # noqa: D102

    def may_call(self, url: str) -> bool:
        """Whether a FHIR base URL may be read for it."""


Guard = Callable[..., Client]
"""Tells who calls: given the paths one of which the call's token must be meant for, it returns the
client or raises HookError (401, 403)."""


def may_use(client: Client | None, family: str) -> bool:
    """Whether a client may use the services of a family."""
    return client is None or client.family in (None, family)
