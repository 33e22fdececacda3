"""Where Millrace keeps what it can get again: downloads, tables, machine code, runs' copies. Standard library alone."""

import os
import sys
from pathlib import Path


def user_cache() -> Path:
    """The user's cache folder for Millrace: $MILLRACE_CACHE, $XDG_CACHE_HOME/millrace or the platform's own.

    Nothing is made or written. As the XDG specification asks, a relative $XDG_CACHE_HOME is ignored.
    """
    if chosen := os.environ.get("MILLRACE_CACHE"):
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    home = Path(os.path.expanduser("~"))
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "millrace"
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(xdg) if os.path.isabs(xdg) else home / ".cache") / "millrace"
