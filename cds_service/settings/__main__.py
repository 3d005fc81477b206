"""Prints docs/settings.md."""

from cds_service.settings import documentation

print(documentation(), end="")
