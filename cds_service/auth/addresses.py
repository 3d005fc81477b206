"""Where a URL leads: the rule for servers we may call and pages that may call us."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

_PORTS = {"http": 80, "https": 443}


def is_loopback(url: str) -> bool:
    """Whether an http or https URL leads to this machine: localhost, 127.0.0.0/8 or ::1.

    Only literal addresses and the name "localhost" count: any other name could be made to resolve
    anywhere. A user part, backslashes, spaces and control characters make it False.
    """
    parts = web_parts(url)
    return parts is not None and is_loopback_host(parts.hostname or "")


def web_parts(url: str) -> SplitResult | None:
    """Return the parts of an absolute http or https URL; None for what programs read in two ways.

    That is: a user part, backslashes, spaces, control characters, no host, an impossible port.
    """
    if "\\" in url or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        good = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    plain = parts.scheme in _PORTS and "@" not in parts.netloc
    return parts if plain and good else None


def is_secure(url: str) -> bool:
    """Whether a URL is https, or http to this machine."""
    parts = web_parts(url)
    return parts is not None and (parts.scheme == "https" or is_loopback(url))


def is_base(url: str) -> bool:
    """Whether a URL may stand for everything below it: secure, no query, no fragment, no dots."""
    parts = web_parts(url)
    return parts is not None and is_secure(url) and not _odd(url, parts)


def lies_under(url: str, base: str) -> bool:
    """Whether a base URL is another one, or lies below its path on the same origin."""
    inner, outer = web_parts(url), web_parts(base)
    if inner is None or outer is None or _odd(url, inner) or _origin(inner) != _origin(outer):
        return False
    root = unquote(outer.path).rstrip("/")
    path = unquote(inner.path).rstrip("/")
    return path == root or path.startswith(f"{root}/")


def _odd(url: str, parts: SplitResult) -> bool:
    path = unquote(unquote(parts.path)).replace("\\", "/")
    climbs = any(step in (".", "..") for step in path.split("/"))
    return climbs or "?" in url or "#" in url or ";" in path


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def is_loopback_host(host: str) -> bool:
    """Whether a host is this machine, by literal address or the name "localhost"."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
