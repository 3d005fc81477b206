"""A caller as the protocol knows it."""

from typing import Protocol


class Client(Protocol):
    """A registered caller; `iss` names it."""

    @property
    def iss(self) -> str: ...  # noqa: D102
