"""The first line of a journal: its format, the release that wrote it, and the run that it is of.

A run is named by its options. What a later release adds to them a journal of before does not have: such an option
counts as plain there, since the run was trained without it. So a release that adds options opens all journals.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from millrace.errors import CheckpointError, MismatchError
from millrace.version import __version__

FORMAT = 1
ONLY = "bring it back from a copy of the run's folder; without it the run's bits cannot be had again"
SHOWN = 5  # options that an error names


class RunIdentity(NamedTuple):
    """What a run is known by. options: each one that decides its bits, by its dotted name, and its data. plain: what
    options are where none is given. digest: the name in journals from before they had the options."""

    options: Mapping[str, object]
    plain: Mapping[str, object]
    digest: str


def head(identity: RunIdentity) -> bytes:
    """The first line."""
    line = {"format": FORMAT, "release": __version__, "run": dict(identity.options)}
    return (json.dumps(line) + "\n").encode()


def checked_head(data: bytes, path: Path, identity: RunIdentity) -> int:
    """Where the rows begin. Errors: CheckpointError where this is no journal; MismatchError where it is of another run,
    or of a release that wrote it otherwise."""
    end = data.find(b"\n") + 1
    try:
        line = json.loads(data[:end])
        written, release, run = line["format"], line["release"], line["run"]
        if not isinstance(run, str | dict):
            raise TypeError(f"a run that is {run!r}")
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path} is no journal of a run", got=f"{data[:40]!r}", do=ONLY) from error
    if written != FORMAT:
        raise MismatchError(
            f"{path} was written by another release",
            expected=f"format {FORMAT}",
            got=f"format {written}, of Millrace {release}",
            do=f"use Millrace {release} for this run",
        )
    if differing := _differing(run, identity):
        ours, theirs = ([f"{name} {pair[place]}" for name, pair in differing.items()] for place in (0, 1))
        raise MismatchError(
            f"{path} is the journal of another run",
            expected=", ".join(ours[:SHOWN]),
            got=", ".join(theirs[:SHOWN]),
            do=ONLY,
        )
    return end


def _differing(run: str | dict[str, object], identity: RunIdentity) -> dict[str, tuple[object, object]]:
    """The names in which a journal's run is another one, with what is expected and what it has."""
    if isinstance(run, str):
        return {} if run == identity.digest else {"run": (identity.digest, run)}
    ours, plain = (json.loads(json.dumps(dict(one))) for one in (identity.options, identity.plain))
    pairs = {name: (ours.get(name, plain.get(name)), run.get(name, plain.get(name))) for name in {**ours, **run}}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
