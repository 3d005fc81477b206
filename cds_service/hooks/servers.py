"""Where a URL leads: the rule for servers we may call and pages that may call us."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether an http or https URL leads to this machine: localhost, 127.0.0.0/8 or ::1.

    Only literal addresses and the name "localhost" count: any other name could be made to resolve
    anywhere. A user part, backslashes, spaces and control characters make it False.
    """
    if "\\" in url or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        good_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = parts.scheme in ("http", "https") and "@" not in parts.netloc
    return plain and good_port and is_loopback_host(host)


def is_loopback_host(host: str) -> bool:
    """Whether a host is this machine, by literal address or the name "localhost"."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def no_server(url: str) -> bool:
    """The rule without registered servers: none may be called."""
    return False
