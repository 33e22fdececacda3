"""Real runs that the model of benchmarks/scaling_model.py is checked against."""

import json
import statistics
import tempfile
import time
from dataclasses import dataclass

from benchmarks.cards import FAST, Cards
from benchmarks.ray import lines
from benchmarks.scaling_model import Setting
from millrace.cores import worked
from millrace.model import FLOAT32

LARGE, SMALL = (2500, 2400), (999, 299)
PARAMETERS = {LARGE: 6_188_910, SMALL: 366_935}  # of the digits' network with these hidden layers
WARM, MOST = 3, 19  # steps before those that count; those that count in an epoch of the digits, in batches of 64
IDLE = 0.8  # cores that may be at work before a run begins; an idle node of Ray takes 0.05
PATIENCE = 30.0  # seconds to wait for that
BYTES = {"1gbit": 1.25e8, "300mbit": 3.75e7, FAST: 1.25e10}  # a second
COMMAND = ["-m", "millrace", "train", "--json", "--no-test", "--runtime", "ray", "--augmenters", "0", "--epochs", "1"]
COMMAND += ["--optimizer.name", "sgd", "--optimizer.rate", "0.01", "--policy", "none"]


@dataclass(frozen=True)
class Run:
    """A setting as a run has it. rate: of the cards, as `tc` writes it."""

    workers: int
    servers: int = 1
    hidden: tuple[int, int] = LARGE
    batch: int = 64
    slot: int = 8
    rate: str = "1gbit"
    staleness: str = "0"
    wire: str = FLOAT32

    def setting(self, cores: int) -> Setting:
        """What the model has of it, on a machine of so many cores."""
        bound = None if self.staleness == "unbounded" else int(self.staleness)
        parameters = PARAMETERS[self.hidden]
        return Setting(
            self.workers, self.servers, parameters, self.batch, self.slot, BYTES[self.rate], bound, self.wire, cores
        )

    @property
    def name(self) -> str:
        """In a few words."""
        words = [
            f"{self.workers} node{'s' if self.workers > 1 else ''}",
            f"K = {self.servers}",
            f"{PARAMETERS[self.hidden] / 1e6:.1f} M",
        ]
        words.append("no limit" if self.rate == FAST else self.rate)
        words += [f"staleness {self.staleness}"] if self.staleness != "0" else []
        words += [self.wire] if self.wire != FLOAT32 else []
        return ", ".join(words)


def steps(
    address: str, flags: list[str], *, workers: int, servers: int, batch: int, slot: int, count: int
) -> list[float]:
    """Seconds of each step of a run, without the first ones."""
    place = ["--address", address, "--workers", str(workers), "--servers", str(servers)]
    work = ["--batch", str(batch), "--slot-size", str(slot), "--subset", str(batch * (count + WARM))]
    seconds = list[float]()
    with tempfile.TemporaryDirectory() as folder:
        for line in lines([*COMMAND, *place, *work, *flags, "--out", f"{folder}/run"]):
            event = json.loads(line)
            if event["event"] == "step":
                seconds.append(batch / event["samples_per_second"])
    return seconds[WARM:]


def measured(run: Run, address: str, cards: Cards, count: int) -> list[float]:
    """Seconds of a step: of a stale run the mean of an epoch's, since they come in bursts; without the last ones, for
    which not all workers have a batch."""
    _wait_until_idle()
    cards.limit(run.rate)
    flags = ["--network.hidden", *map(str, run.hidden), "--staleness", run.staleness, "--wire", run.wire]
    stale = run.staleness != "0"
    size = {"workers": run.workers, "servers": run.servers, "batch": run.batch, "slot": run.slot}
    found = steps(address, flags, **size, count=MOST if stale else count)
    return [statistics.fmean(found[: -run.workers])] if stale else found


def _wait_until_idle() -> None:
    """Return where nothing else is at work on the machine; say so where something still is after a while."""
    until = time.monotonic() + PATIENCE
    while True:
        used = worked() or 0.0
        time.sleep(1)
        if (used := (worked() or 0.0) - used) < IDLE:
            return
        if time.monotonic() > until:
            print(f"{used:.1f} cores are at work before a run begins", flush=True)
            return
