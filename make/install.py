"""pip's `install` for an environment, by uv where it can: `python make/install.py ENVIRONMENT ARGUMENTS…`.

uv takes seconds where pip takes minutes, but does not read pip's settings: they are given to it here, so it asks the
indexes that pip would ask. Where the project's environment has no uv, or uv fails, pip does the work.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

UV = Path(__file__).resolve().parents[1] / ".venv" / "bin" / "uv"
# pip's setting, uv's variable, and what stands between several values of it.
SETTINGS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", ""),
    "proxy": ("ALL_PROXY", ""),
    "default-timeout": ("UV_HTTP_TIMEOUT", ""),
    "timeout": ("UV_HTTP_TIMEOUT", ""),
    "constraint": ("UV_CONSTRAINT", " "),
}


def settings(listed: str) -> dict[str, str]:
    """uv's variables from what `pip config list` prints: lines such as `global.index-url='…'`."""
    found: dict[str, str] = {}
    for line in listed.splitlines():
        key, equals, text = line.partition("=")
        name = key.rpartition(".")[2]
        if equals and name in SETTINGS:
            variable, between = SETTINGS[name]
            value = str(ast.literal_eval(text))
            found[variable] = between.join(value.split()) if between else value
    return found


def environment(own: Mapping[str, str], listed: str, hashes: bool) -> dict[str, str]:
    """The variables that uv runs with; those of whoever calls are stronger."""
    found = settings(listed)
    if hashes:  # every version is given, and uv wants no others beside them
        found.pop("UV_CONSTRAINT", None)
    # pip takes the best version of all indexes, uv that of the first one that has the name.
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **found, **own}


def main(folder: str, *arguments: str) -> int:
    """The exit code of the installation."""
    python = str(Path(folder) / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    if UV.exists():
        listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=True).stdout
        variables = environment(os.environ, listed, "--require-hashes" in arguments)
        command = [str(UV), "pip", "install", "--quiet", "--python", python, *arguments]
        if subprocess.run(command, env=variables).returncode == 0:
            return 0
        sys.stderr.write("uv could not; now pip\n")
    return subprocess.run([*pip, "install", "--quiet", *arguments]).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
