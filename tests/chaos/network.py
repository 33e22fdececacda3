"""Slow links: a play that has them lives in a network of its own (Linux, no root needed), whose one link all of its
processes share, as the nodes of a cluster on this machine do. A token bucket (tbf) holds it to a rate; what delays
packets (netem) is missing from many kernels."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

NETWORK, OWN = "CHAOS_NETWORK", "own"  # the variable says so in such a network, or why there is none
SPACES = ("unshare", "--map-root-user", "--net", "--mount")
ADDRESS = "10.9.0.254"  # where the machine is reached; Ray asks for one
RATES = {"modem": "1mbit", "dsl": "8mbit"}
BUCKET = ("burst", "32kb", "latency", "400ms")
LINK = ("dev", "lo", "root")


def command(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """What runs a command in such a network, and its environment; as it stands where there can be none."""
    why = _why([*SPACES, "true"])
    return [*(() if why else SPACES), *words], {**os.environ, NETWORK: why or OWN}


def limits() -> str:
    """Why links cannot be slowed, or nothing. Inside, this sets the network up."""
    if (found := os.environ.get(NETWORK, "the play was not begun in one")) != OWN:
        return f"no network of its own: {found}"
    steps = (
        ("ip", "link", "set", "lo", "mtu", "1500", "up"),
        ("ip", "addr", "replace", f"{ADDRESS}/32", "dev", "lo"),
        ("ip", "route", "replace", "default", "dev", "lo", "src", ADDRESS),
        ("tc", "qdisc", "replace", *LINK, "tbf", "rate", "1gbit", *BUCKET),
        ("tc", "qdisc", "del", *LINK),
    )
    return next(filter(None, map(_why, steps)), "")


@contextmanager
def slow(rate: str) -> Iterator[None]:
    """Everything that is sent while the block lasts goes at this rate, all together."""
    subprocess.run(["tc", "qdisc", "replace", *LINK, "tbf", "rate", rate, *BUCKET], check=True, timeout=30)
    try:
        yield
    finally:
        subprocess.run(["tc", "qdisc", "del", *LINK], check=True, timeout=30)


def _why(words: Sequence[str]) -> str:
    """Why a command fails, or nothing."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    except OSError as error:
        return str(error)
    return (done.stderr.strip() or f"{words[0]} ends with {done.returncode}") if done.returncode else ""
