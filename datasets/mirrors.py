"""Where a file may lie: the addresses to try, in order."""

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from millrace.datasets.spec import DatasetSpec, FileSpec
from millrace.errors import UsageError

SCHEMES = ("http", "https", "file")


def addresses(spec: DatasetSpec, file: FileSpec, mirror: str | None) -> tuple[str, ...]:
    """Addresses (http, https, file) of one file of a dataset, in the order in which they are tried.

    A mirror replaces all others. The file is looked for at MIRROR/DATASET/FILE, then at MIRROR/FILE.
    """
    name = quote(file.name)
    if mirror is None:
        return (*file.urls, *(f"{base.rstrip('/')}/{name}" for base in spec.mirrors))
    base = mirror_url(mirror)
    return (f"{base}/{quote(spec.mirror_folder)}/{name}", f"{base}/{name}")


def local_source(spec: DatasetSpec, file: FileSpec, mirror: str | None) -> Path | None:
    """The first local address of the file where something lies, if there is one."""
    for url in addresses(spec, file, mirror):
        path = local_path(url)
        if path is not None and os.path.isfile(path):
            return path
    return None


def mirror_url(mirror: str) -> str:
    """The mirror as a URL without a slash at its end; a plain path becomes a file: URL. UsageError otherwise."""
    url = as_url(mirror, Path())
    if url is None or not mirror:
        raise UsageError(
            "not a mirror",
            expected="http://HOST/…, https://HOST/…, file:///FOLDER or a folder",
            got=shown(mirror) or "nothing",
        )
    return url.rstrip("/")


def as_url(address: str, base: Path) -> str | None:
    """An http, https or file: URL as it is, a path as a file: URL relative to `base`; None for anything else."""
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", address):
        return path_url(base / address)
    try:
        parts = urlsplit(address)
        known = parts.scheme == "file" or (parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        return None
    return address if known else None


def path_url(path: Path) -> str:
    """A path as a file: URL, absolute, symbolic links as they are."""
    return Path(os.path.abspath(os.path.expanduser(path))).as_uri()


def local_path(url: str) -> Path | None:
    """The path that a file: URL names, or None for other URLs."""
    parts = urlsplit(url)
    if parts.scheme.lower() != "file":
        return None
    if parts.netloc not in ("", "localhost"):
        raise UsageError("a file: address of another machine", expected="file:///path", got=url)
    return Path(unquote(parts.path))


def shown(url: str) -> str:
    """The URL for messages: without user name, password and query, which may be secrets."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "…" if parts.query else "", ""))
    except ValueError:
        return "an address that cannot be read"
