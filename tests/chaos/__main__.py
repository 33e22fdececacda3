"""Random recipes, random faults: each run ends in the bytes of its twin without faults, a stale one of its replay.

    .venv/bin/python -m tests.chaos --minutes 30 --seed 0          many, one after the other
    .venv/bin/python -m tests.chaos --job=… --place=… --faults=…   one: what a failing one is printed as

Exit codes: 0 nothing was found, 1 a run did not keep its promise, 3 the play itself failed.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence

from millrace.settings.keys import known_keys
from tests.chaos import network
from tests.chaos.findings import Finding, Harness
from tests.chaos.play import play
from tests.chaos.recipes import LOCAL, NODES, RAY
from tests.chaos.schedule import PROGRAM, Schedule, schedule

WHERES = (LOCAL, RAY, LOCAL, NODES)
DEADLINE = 1500.0  # seconds for one
LEAVE = 60.0  # seconds to end what it started
FOUND, FAILED = 1, 3


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="no schedule begins later (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="of all schedules (default: 0)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="begin with schedule N of the seed")
    parser.add_argument(
        "--where", nargs="+", default=list(WHERES), choices=sorted(set(WHERES)), help="kinds of places, in turns"
    )
    for name in ("job", "place", "faults", "nodes"):
        parser.add_argument(f"--{name}", default="", help="of one schedule")
    parser.add_argument("--verbose", action="store_true", help="say what happened when, of one schedule")
    options = parser.parse_args(words)
    if options.job:
        what = Schedule.read(options.job, options.place, options.faults, options.nodes)
        if what.slow and network.NETWORK not in os.environ:
            return _apart(what, verbose=options.verbose)
        return _one(what, verbose=options.verbose)
    return _many(options.minutes, options.seed, options.first, options.where)


def _one(what: Schedule, *, verbose: bool) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts beside it ignore Ctrl-C
    try:
        done = play(what)
    except Finding as error:
        print(f"found: {error}", flush=True)
        return FOUND
    except Harness as error:
        print(f"could not be played: {error}", flush=True)
        return FAILED
    except Exception:
        print(f"could not be played:\n{traceback.format_exc()}", flush=True)
        return FAILED
    if verbose:
        print(*done.log, sep="\n")
    print(f"held: {done.struck} faults", *(f"\n  missed {why}" for why in done.missed), flush=True)
    return 0


def _many(minutes: float, seed: int, first: int, wheres: Sequence[str]) -> int:
    """Each in a process of its own, by the command that repeats it."""
    begun, codes = time.monotonic(), Counter[int]()
    failing: list[str] = []
    number = first
    while time.monotonic() - begun < 60 * minutes:
        what = schedule(seed, number, wheres, known_keys())
        print(f"{number}: {what.where}, {' '.join(map(str, what.faults))}", flush=True)
        at = time.monotonic()
        code = _apart(what)
        codes[code] += 1
        if code:
            failing.append(what.command)
            print(f"  ended with {code}; again:\n{what.command}", flush=True)
        print(f"  {time.monotonic() - at:.0f} s", flush=True)
        number += 1
    spent = (time.monotonic() - begun) / 60
    print(f"\n{number - first} schedules in {spent:.1f} minutes (seed {seed}): {codes[0]} held, {len(failing)} did not")
    print(*failing, sep="\n", end="\n" if failing else "")
    return FOUND if codes[FOUND] else FAILED if failing else 0


def _apart(what: Schedule, *, verbose: bool = False) -> int:
    """Play it in another process; the exit code. One that takes too long is asked to put its things away."""
    words = [sys.executable, "-m", "tests.chaos", *what.words, *(["--verbose"] if verbose else [])]
    words, environment = network.command(words) if what.slow else (words, None)
    process = subprocess.Popen(words, env=environment)
    try:
        return process.wait(DEADLINE)
    except subprocess.TimeoutExpired:
        print(f"  not over within {DEADLINE:g} s", flush=True)
        process.send_signal(signal.SIGINT)
        return FAILED
    finally:  # after Ctrl-C too, which it has heard itself
        try:
            process.wait(LEAVE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what it started is put away
    sys.exit(main())
