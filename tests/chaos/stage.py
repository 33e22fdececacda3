"""Where a schedule is played: a folder with a home, a disk, a clock; the run in it, and the driver that trains it."""

import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np

from millrace.user_cache import user_cache
from tests.chaos import network
from tests.chaos.driver import ROOT, Driver
from tests.chaos.findings import Finding, Harness
from tests.chaos.schedule import Schedule
from tests.conftest import FOLDERS, share_kernels
from tests.workers.ray_runtime.processes import with_environment

DISK = 48  # MiB
TRIES = 12  # drivers one after the other, of which none makes a step
EARLY = ("no checkpoint yet",)  # why a run cannot be looked at
UNHEARD = ("error: unexpected", "Exception in thread", "Exception ignored in", "Fatal Python error")


class Cluster(Protocol):
    """Nodes that a run has beside its driver's."""

    @property
    def address(self) -> str: ...

    def lose_one(self) -> bool:
        """SIGKILL of a node; another one comes."""

    def pause_one(self, freeze: Callable[[list[int]], None]) -> bool:
        """Have all processes of a node stand still; another one comes where the cluster gave it up."""


class Stage:
    """patience: seconds for a step or an end. limits: what this machine cannot do, in words, by verb."""

    def __init__(self, schedule: Schedule, patience: float) -> None:
        self.schedule, self.patience, self._begun = schedule, patience, time.monotonic()
        self.folder = Path(tempfile.mkdtemp(prefix="ch-"))  # short: sockets lie below it, whose paths have 107 bytes
        self.limits: dict[str, str] = {}
        self.log: list[str] = []
        self.place = list(schedule.place)
        self.driver: Driver | None = None
        self.cluster: Cluster | None = None
        self.readers: list[Driver] = []
        self.drivers = 0
        self._over = False
        mark = ("CHAOS_STAGE", uuid.uuid4().hex)
        self.mark = "=".join(mark)
        home = self.folder / "home"
        share_kernels(home / "cache", (user_cache() / "kernels").resolve())
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MILLRACE_", "RAY_"))},
            **{name: str(home / below) for name, below in FOLDERS.items()},
            **dict([mark]),
            "HOME": str(home),
            "MILLRACE_CACHE": str(home / "cache"),
            "NO_COLOR": "1",
            "MILLRACE_TRACEBACK": "1",
        }
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        self._mounted = False
        verbs = {fault.verb for fault in schedule.faults}
        if "full" in verbs:
            self._mount()
        if "clock" in verbs:
            self._set_up_clock()
        if "slow" in verbs and (why := network.limits()):
            self.limits["slow"] = why
        _noise(self.folder / "noise.npz")

    @property
    def run(self) -> Path:
        return self.disk / "run"

    @property
    def metrics(self) -> Path:
        return self.run / "metrics.jsonl"

    def job(self) -> list[str]:
        """The flags of the recipe, as they are here."""
        return [str(self.folder / "noise.npz") if word == "@noise" else word for word in self.schedule.job]

    def steps(self) -> int:
        """How many are written down."""
        try:
            return self.metrics.read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0

    def say(self, text: str) -> None:
        self.log.append(f"{time.monotonic() - self._begun:>6.1f} s, {self.steps():>5} steps: {text}")

    def begin(self) -> None:
        """Start the run, or go on with it: by `train` again, or by `resume`."""
        if self.drivers >= TRIES + len(self.schedule.faults):
            raise Finding(f"{self.drivers} drivers did not bring the run to its end")
        words = ["train", *self.job(), *self.place, "--out", str(self.run)]
        if self.drivers % 2 and (self.run / "config.yaml").exists():
            words = ["resume", str(self.run), *self.place]
        self.drivers += 1
        self.driver = Driver(words, self.environment)

    def reach(self, step: int) -> bool:
        """Wait until so many steps were written down; False where the run came to its end before. Drivers that ended
        for a reason are followed by others."""
        return self._until(lambda: self.steps() >= step and self.driver is not None and self.driver.poll() is None)

    def finish(self) -> None:
        """Wait for the end of the run, and of the programs that look at it."""
        self._until(lambda: False)
        for reader in self.readers:
            reader.wait(self.patience)
            said, words = reader.said, reader.args[3:] if isinstance(reader.args, list) else reader.args
            reader.over()
            if reader.returncode and not any(why in said for why in EARLY):
                raise Finding(f"{words!r} of a run in training ended with {reader.returncode}:\n{said}")

    def _until(self, reached: Callable[[], bool]) -> bool:
        seen, since = (-1, 0), time.monotonic()
        while not self._over and not reached():
            if self.driver is None:
                self.begin()
            elif self.driver.poll() is not None:
                self._over = self._ended(self.driver)
                if not self._over:
                    self.begin()
            if (now := (self.steps(), self.drivers)) != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() - since > self.patience:
                raise Finding(f"no step within {self.patience:g} s after {seen[0]}")
            time.sleep(0.005)
        return not self._over

    def _ended(self, driver: Driver) -> bool:
        """Take note of a driver's end; whether the run is over."""
        code, said = driver.returncode, driver.said
        self.say(f"driver {self.drivers} ended with {code}")
        self.log += [f"    | {line}" for line in said.splitlines()[-12:]]
        if code and code not in driver.expected and not driver.any_code:
            raise Finding(f"a driver ended with {code}; expected 0 or one of {sorted(driver.expected)}")
        if wrong := next((text for text in UNHEARD if text in said), None):
            raise Finding(f"a driver said {wrong!r}:\n{said[-6000:]}")
        driver.over()
        return code == 0

    def millrace(self, *words: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """A command beside the run."""
        return subprocess.run(
            [sys.executable, "-m", "millrace", *words],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def left(self) -> list[tuple[int, str]]:
        """Processes that this stage's programs have left."""
        return with_environment(self.mark)

    def close(self) -> None:
        """End what runs still, by its number, and remove all."""
        until = time.monotonic() + 20
        while left := self.left():
            for process, _ in left:
                with suppress(OSError):
                    os.kill(process, signal.SIGKILL)
            if self.driver is not None:
                with suppress(subprocess.TimeoutExpired):
                    self.driver.wait(1)
            if time.monotonic() > until:
                raise Harness(f"{left} do not end")
            time.sleep(0.1)
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self.disk)], check=False, capture_output=True, timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _mount(self) -> None:
        words = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "chaos", str(self.disk)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
            self._mounted, why = done.returncode == 0, done.stderr.strip()
        except OSError as error:
            why = str(error)
        if not self._mounted:
            self.limits["full"] = f"no disk of a size can be mounted here: {why}"

    def _set_up_clock(self) -> None:
        library, source = self.folder / "clock.so", Path(__file__).with_name("clock.c")
        words = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
            why = done.stderr.strip() if done.returncode else ""
        except OSError as error:
            why = str(error)
        if why:
            self.limits["clock"] = f"there is no C compiler here: {why}"
            return
        self.move_clock(0)
        self.environment |= {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(self.folder / "clock")}

    def move_clock(self, seconds: int) -> None:
        """The time of day of all programs here is so many seconds off."""
        handle = os.open(self.folder / "clock", os.O_WRONLY | os.O_CREAT)
        try:
            os.pwrite(handle, struct.pack("=q", seconds), 0)
        finally:
            os.close(handle)


def _noise(path: Path) -> None:
    """A dataset whose pictures are no digits: 700 of 3×12×12 in ten classes, and 100 to test on."""
    draw = np.random.Generator(np.random.Philox(0))
    train, test = (draw.integers(0, 256, (rows, 12, 12, 3), np.uint8) for rows in (700, 100))
    train_labels, test_labels = (np.arange(rows, dtype=np.uint8) % 10 for rows in (700, 100))
    np.savez(path, x_train=train, y_train=train_labels, x_test=test, y_test=test_labels)
