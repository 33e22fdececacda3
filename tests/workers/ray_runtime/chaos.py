"""Kills actors and nodes of a running `millrace train`, at random but by a seed, each time a step was made."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.workers.ray_runtime.processes import descendants

ACTORS = ("WorkerActor", "AugmenterActor", "ServerActor")
PATIENCE = 90.0  # seconds for a step after a kill, and for an actor to be there


class Chaos:
    """A shuffled list of blows, each the kinds that are killed at once: actor classes or keys of `others`."""

    def __init__(
        self,
        run: Path,
        driver: "subprocess.Popen[str]",
        root: int,
        blows: Sequence[tuple[str, ...]],
        seed: int,
        others: Mapping[str, Callable[[], None]] | None = None,
    ) -> None:
        self._metrics, self._driver, self._root, self._others = run / "metrics.jsonl", driver, root, others or {}
        self._random = random.Random(seed)
        self._blows = self._random.sample(list(blows), len(blows))
        self.killed: Counter[str] = Counter()
        self.log: list[str] = [f"seed {seed}"]

    def rage(self) -> None:
        """All blows, one after the other; TimeoutError where the run does not get over one of them."""
        for blow in self._blows:
            self._step()
            for kind in blow:
                self._strike(kind)
            self.log.append(f"{self._lines()} steps: {', '.join(blow)}")
        self._step()

    def _strike(self, kind: str) -> None:
        if kind in self._others:
            self._others[kind]()
        else:
            found = self._wait(lambda: descendants(f"ray::{kind}", self._root), f"a {kind}")
            with suppress(ProcessLookupError):
                os.kill(self._random.choice(found), signal.SIGKILL)
        self.killed[kind] += 1

    def _step(self) -> None:
        """Until one more step has been written down."""
        before = self._lines()
        self._wait(lambda: [1] if self._lines() > before else [], "a step")

    def _lines(self) -> int:
        return self._metrics.read_bytes().count(b"\n") if self._metrics.exists() else 0

    def _wait(self, look: Callable[[], list[int]], what: str) -> list[int]:
        until = time.monotonic() + PATIENCE
        while not (found := look()):
            if self._driver.poll() is not None:
                raise RuntimeError(f"the run ended while {what} was waited for: {self.log}")
            if time.monotonic() > until:
                raise TimeoutError(f"no sign of {what}: {self.log}")
            time.sleep(0.02)
        return found
