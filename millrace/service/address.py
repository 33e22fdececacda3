"""Addresses of servers: what one is, and who can read what is sent there. For servers and clients alike."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from millrace.errors import UsageError

SCHEMES = ("grpc", "grpc+tcp", "grpc+tls", "grpc+unix")


def check_address(address: Any) -> None:
    """Errors: UsageError for what is no address of a server."""
    try:
        parts = urlsplit(address)
        place = bool(parts.path) if parts.scheme == "grpc+unix" else bool(parts.hostname and parts.port)
        plain = isinstance(address, str) and address.isprintable() and " " not in address
        known = plain and parts.scheme in SCHEMES and place
    except (TypeError, ValueError, AttributeError):
        known = False
    if not known:
        expected = "grpc://HOST:PORT, grpc+tls://HOST:PORT or grpc+unix:///PATH"
        raise UsageError("this is no address of a server", expected=expected, got=repr(address))


def is_loopback(host: str) -> bool:
    """Whether a host, by name or number, is reached by this machine alone."""
    if host == "localhost":
        return True
    try:
        found = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def is_everywhere(host: str) -> bool:
    """Whether a host means all addresses of this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def is_private(address: str) -> bool:
    """Whether what is sent to an address can be read by nobody else."""
    parts = urlsplit(address)
    return parts.scheme in ("grpc+tls", "grpc+unix") or is_loopback(parts.hostname or "")
