"""Training on Ray with two workers against local mode, a parameter server as Ray's documentation has it, and Ray Train;
part `ray` of `make bench`, at batch 1024.

    python -m benchmarks.ray [--rounds 5] [--batch 1024 256] [--slot-size R] [--epochs 4] [--mirror URL]

MNIST, 784-999-299-10, Adam, augmentation on, everything else as `millrace train` has it. Contenders take turns; each
turn is a command of its own, so none shares a warm process with another:

  local            `millrace train --workers 2`
  ray              the same with `--runtime ray`: workers make their own batches, the default where no core is spare
  ray, one augmenter  with `--augmenters 1`
  peer             benchmarks/ray_peer.py: plain SGD, random data in memory, no augmentation
  Ray Train        benchmarks/ray_train_peer.py: DistributedDataParallel over gloo, likewise; in the part alone

A run's speed is that of its epochs after the first. Of every run on Ray the time from the command to its first step's
line is kept, and beside it, in the same round, the time that `ray.init` and `ray.shutdown` take in a process of their
own.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

from benchmarks import processes
from benchmarks.loaders import OURS
from benchmarks.results import Row
from benchmarks.rounds import Bounds, Effort, arguments, has_mnist, in_turns, mnist, ratio, table, take_turns
from benchmarks.stream import kept, pictures

BATCH, ROUNDS, EPOCHS = 1024, 3, 3  # of the part
LOCAL, SERVER, RAY_TRAIN = "local mode", "documentation's parameter server", "Ray Train, DDP (gloo)"
AT_LEAST = {LOCAL: 0.93, SERVER: 1.15, RAY_TRAIN: 1.2}
DEADLINE = 300.0  # seconds for one command
RAY_ALONE = (
    "import time; begun = time.perf_counter(); import ray; "
    "ray.init(address='local', num_cpus=4, include_dashboard=False, log_to_driver=False); "
    "ray.shutdown(); print(time.perf_counter() - begun, flush=True)"
)


class Millrace:
    """Runs of one configuration; `first` has the seconds from each command to its first step, `copied` the MB that
    processes copied per step in the last run."""

    def __init__(self, batch: int, epochs: int, *flags: str, dataset: str = "mnist") -> None:
        self._flags = ["--dataset", dataset, "--batch", str(batch), "--epochs", str(epochs), "--workers", "2", *flags]
        self.first: list[float] = []
        self.copied = 0.0

    def __call__(self) -> float:
        """Samples per second."""
        begun, first, samples, seconds = time.perf_counter(), 0.0, 0, 0.0
        with tempfile.TemporaryDirectory() as folder:
            command = ["-m", "millrace", "train", "--out", f"{folder}/run", "--json"]
            for line in lines([*command, *self._flags]):
                event = json.loads(line)
                if event["event"] == "step" and not first:
                    first = time.perf_counter() - begun
                if event["event"] == "epoch" and event["epoch"]:
                    seconds += event["seconds"]
                    samples += round(event["seconds"] * event["samples_per_second"])
                self.copied = event.get("copied_per_step", 0.0) / 1e6
        self.first.append(first)
        return samples / seconds


def lines(arguments: list[str]) -> Iterator[str]:
    """What a Python command writes, line by line; raises what it ended with. It is ended where it takes too long."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    timer = threading.Timer(DEADLINE, process.kill)
    timer.daemon = True
    timer.start()
    errors = list[str]()
    reading = threading.Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True)
    reading.start()
    try:
        yield from process.stdout or ()
        code = process.wait(DEADLINE)
        reading.join(10)
        if code:
            told = [line.strip() for line in errors if line.strip()]
            raise OSError(told[-1] if told else f"{arguments[:2]} ended with {code}")
    finally:
        timer.cancel()
        processes.end(process)


def number(arguments: list[str]) -> float:
    """The last line of what a Python command writes, as a number."""
    return float(list(lines(arguments))[-1])


def rows(effort: Effort) -> Iterator[Row]:
    """Samples per second and seconds to the first step; in the quick form local mode alone."""
    if effort.quick:
        yield Row("batch 256, two workers", "samples/s", {OURS: [Millrace(256, 2, dataset="digits")()]})
        return
    with tempfile.TemporaryDirectory() as folder:
        flags, dataset = (["--mirror", effort.mirror] if effort.mirror else []), "mnist"
        if not has_mnist(effort.mirror):
            kept(folder, *pictures("28×28", effort))
            flags, dataset = ["--policy", "digits"], folder
        local = Millrace(BATCH, EPOCHS, *flags, dataset=dataset)
        shared = Millrace(BATCH, EPOCHS, "--runtime", "ray", *flags, dataset=dataset)
        beside = Millrace(BATCH, EPOCHS, "--runtime", "ray", "--augmenters", "1", *flags, dataset=dataset)
        words = ["--batch", str(BATCH), "--steps", str(EPOCHS * 60_000 // BATCH)]
        contenders: dict[str, Callable[[], float]] = {
            OURS: shared,
            f"{OURS}, one augmenter": beside,
            LOCAL: local,
            SERVER: lambda: number(["-m", "benchmarks.ray_peer", *words]),
            RAY_TRAIN: lambda: number(["-m", "benchmarks.ray_train_peer", *words]),
        }
        found, missing = in_turns(contenders, ROUNDS, bounds=Bounds(360.0, cold=True))
    bars = {name: bar for name, bar in AT_LEAST.items() if name in found}
    yield Row(f"batch {BATCH}, two workers", "samples/s", found, at_least=bars, missing=missing)
    first = {OURS: shared.first, f"{OURS}, one augmenter": beside.first, LOCAL: local.first}
    named = {name: values for name, values in first.items() if values}
    yield Row("from the command to the first step", "s", named, less_is_better=True, shown=False)


def contest(batch: int, epochs: int, slot_size: int | None, mirror: list[str], rounds: int) -> None:
    """All contenders at one batch size."""
    flags = [*mirror, *(["--slot-size", str(slot_size)] if slot_size else [])]
    steps = epochs * 60_000 // batch
    local = Millrace(batch, epochs, *flags)
    shared = Millrace(batch, epochs, "--runtime", "ray", *flags)
    beside = Millrace(batch, epochs, "--runtime", "ray", "--augmenters", "1", *flags)
    peer = ["-m", "benchmarks.ray_peer", "--batch", str(batch), "--steps", str(steps)]
    init: list[float] = []

    def on_ray() -> float:
        init.append(number(["-c", RAY_ALONE]))
        return shared()

    contenders: dict[str, Callable[[], float]] = {
        "local": local,
        "ray": on_ray,
        "ray, one augmenter": beside,
        "peer": lambda: number(peer),
    }
    found = take_turns(contenders, rounds)
    print(f"\nbatch {batch}, slots of {slot_size or min(128, batch // 2)}")
    print(table(found, "samples/s"))
    for name in ("ray", "ray, one augmenter"):
        bars = (0.93, 1.15) if batch >= 1024 else (0.88, 1.20)
        print(f"{name} to local mode".ljust(37), f"{ratio(found, name, 'local'):.3f}   (bar: at least {bars[0]:.2f})")
        print(f"{name} to the peer".ljust(37), f"{ratio(found, name, 'peer'):.3f}   (bar: at least {bars[1]:.2f})")
    print(f"copied per step: ray {shared.copied:.2f} MB, one augmenter {beside.copied:.2f} MB")
    waits = {"ray": shared.first, "ray, one augmenter": beside.first, "init and shutdown": init}
    print(table(waits, "seconds from the command to the first step"))
    print(
        "first step to init and shutdown".ljust(37),
        f"{ratio(waits, 'ray', 'init and shutdown'):.3f}   (bar: at most 1.6)",
    )
    print(flush=True)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.set_defaults(rounds=5)
    parser.add_argument("--batch", type=int, nargs="+", default=[1024, 256])
    parser.add_argument("--slot-size", type=int)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    if mnist(options.mirror).spec.name != "mnist" or options.epochs < 2:
        parser.error("MNIST is needed (see --mirror), and two epochs")
    mirror = ["--mirror", options.mirror] if options.mirror else []
    for batch in options.batch:
        contest(batch, options.epochs, options.slot_size, mirror, options.rounds)


if __name__ == "__main__":
    main()
