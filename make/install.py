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
# pip's setting, the variables that uv reads in its place, and what stands between several values of it.
SETTINGS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", ""),
    "proxy": ("ALL_PROXY HTTPS_PROXY HTTP_PROXY all_proxy https_proxy http_proxy", ""),
    "timeout": ("UV_HTTP_TIMEOUT", ""),
    "constraint": ("UV_CONSTRAINT", " "),
}
# Who sets what `pip install` does, the weakest first. pip has merged its files by then: /etc's, the user's, the
# environment's own. Sections of other commands (`download.index-url`) are not for it.
SECTIONS = ("global", "install", ":env:")
TRUE = ("1", "y", "yes", "t", "true", "on")  # as pip reads them


def chosen(listed: str) -> dict[str, str]:
    """pip's settings from what `pip config list` prints, in the order of the alphabet: lines such as
    `global.index-url='…'`. Of a name that several sections have the strongest; an empty one counts as not set."""
    sections: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listed.splitlines():
        key, equals, text = line.partition("=")
        section, _, name = key.partition(".")
        if equals and section in sections and (value := str(ast.literal_eval(text))):
            sections[section][name.removeprefix("default-")] = value
    return {name: value for section in SECTIONS for name, value in sections[section].items()}


def settings(listed: str) -> dict[str, str]:
    """uv's variables, and the general ones, that say the same as pip's settings."""
    found: dict[str, str] = {}
    for name, value in chosen(listed).items():
        for variable in SETTINGS[name][0].split() if name in SETTINGS else ():
            between = SETTINGS[name][1]
            found[variable] = between.join(value.split()) if between else value
    return found


def options(listed: str) -> list[str]:
    """The flags that say what uv has no variable for."""
    return ["--no-index"] if chosen(listed).get("no-index", "").lower() in TRUE else []


def environment(own: Mapping[str, str], listed: str, hashes: bool) -> dict[str, str]:
    """The variables that uv runs with. Those for uv of whoever calls are stronger than pip's settings; general ones
    (a proxy, certificates) are weaker, as they are for pip."""
    found = settings(listed)
    if hashes:  # every version is given, and uv wants no others beside them
        found.pop("UV_CONSTRAINT", None)
    for_uv = {name: value for name, value in own.items() if name.startswith("UV_")}
    # pip takes the best version of all indexes, uv that of the first one that has the name.
    return {**own, "UV_INDEX_STRATEGY": "unsafe-best-match", **found, **for_uv}


def main(folder: str, *arguments: str) -> int:
    """The exit code of the installation."""
    python = str(Path(folder) / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    if UV.exists():
        listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=True).stdout
        variables = environment(os.environ, listed, "--require-hashes" in arguments)
        command = [str(UV), "pip", "install", "--quiet", "--python", python, *options(listed), *arguments]
        if subprocess.run(command, env=variables).returncode == 0:
            return 0
        sys.stderr.write("uv could not; now pip\n")
    return subprocess.run([*pip, "install", "--quiet", *arguments]).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
