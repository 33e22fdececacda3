"""Where a run's time went, in words: the shares of each role, and what holds the run back."""

from collections.abc import Callable, Mapping

from millrace.reports.words import percent
from millrace.runs import STAGES, StageLine

LITTLE = 0.05  # a share of the workers' time below which nothing is said to hold a run back
MAKING = ("draw", "warp", "ledger")


def said(line: StageLine, role: str) -> str:
    """The stages of a role with their shares, the largest first: `forward and backward 81.2 %, update 9.0 %`."""
    time = line.roles[role]
    shares = sorted(((time.share(name), STAGES[name]) for name in time.stages), reverse=True)
    return ", ".join(f"{words} {percent(share)}" for share, words in shares if share >= 0.0005)


def held_back(line: StageLine) -> str:
    """What takes most of the workers' time beside forward and backward, and what to do about it. Arguments stand in
    backticks."""
    if "worker" not in line.roles or not line.roles["worker"].seconds:
        return "nothing was computed"
    worker = line.roles["worker"]
    found = {
        "data": worker.share("data"),
        "making": worker.share(*MAKING),
        "others": worker.share("others"),
        "trainer": worker.share("trainer"),
        "update": worker.share("update", "publish"),
        "send": worker.share("send"),
    }
    largest = max(found, key=lambda name: found[name])
    if found[largest] < LITTLE:
        return (
            f"nothing holds the run back: forward and backward take {percent(worker.share('compute'), 0)} of the time"
        )
    return f"{_WORDS[largest](line)} {percent(found[largest], 0)} of the time: {_ADVICE[largest](line)}"


def _workers(line: StageLine, verb: str, verbs: str) -> str:
    return f"the worker {verbs}" if line.roles["worker"].threads == 1 else f"workers {verb}"


_WORDS: Mapping[str, Callable[[StageLine], str]] = {
    "data": lambda line: f"{_workers(line, 'wait', 'waits')} for {_maker(line)}",
    "making": lambda line: f"{_workers(line, 'make', 'makes')} batches",
    "others": lambda line: f"{_workers(line, 'wait', 'waits')} for {_others(line)}",
    "trainer": lambda line: f"{_workers(line, 'wait', 'waits')} for the trainer",
    "update": lambda line: f"{_workers(line, 'update', 'updates')} the weights",
    "send": lambda line: f"{_workers(line, 'add and send', 'adds and sends')} gradients",
}


def _maker(line: StageLine) -> str:
    made_by = line.roles.get("augmenter")
    if made_by is None:
        return "data"
    return "the augmenter" if made_by.threads == 1 else "the augmenters"


def _others(line: StageLine) -> str:
    return "each other" if "server" not in line.roles else "each other and the server"


def _free_cores(line: StageLine) -> int:
    """Cores that nobody of this run needs."""
    return line.cores - sum(time.threads for role, time in line.roles.items() if role in ("worker", "augmenter"))


def _more_makers(line: StageLine) -> str:
    made_by = line.roles.get("augmenter")
    augmenters = made_by.threads if made_by else 0
    if _free_cores(line) > 0:
        return f"`augmenters={augmenters + 1}`"
    return "`augmenters=0` or one more core" if augmenters else "one more core, or a policy with less to draw"


def _data(line: StageLine) -> str:
    return "`read_ahead=64`, so that more is made ahead" if line.room < 2 * line.slots else _more_makers(line)


def _waits_for_others(line: StageLine) -> str:
    workers = line.roles["worker"].threads
    if line.runtime == "local" and workers > line.cores:
        return f"there are {workers} of them on {line.cores} cores: `workers={line.cores}`"
    if line.stale:  # each has whole batches
        return "a larger `staleness`, if it has a bound, or a larger `batch`, which has fewer updates to wait for"
    if line.slots < workers:
        return f"a batch has {line.slots} slots for {workers} workers: a smaller `slot_size`, or `workers={line.slots}`"
    if line.slots % workers:
        return f"{line.slots} slots do not divide evenly among {workers} workers: another `slot_size` or `workers`"
    return "a larger `batch` has fewer steps to wait at"


def _trainer(line: StageLine) -> str:
    """What the trainer does most while they wait."""
    trainer = line.roles.get("trainer")
    stages = trainer.stages if trainer else {}
    seconds = {name: stages[name][0] for name in ("validate", "checkpoint", "record") if name in stages}
    most = max(seconds, key=lambda name: seconds[name], default="record")
    advice = {
        "validate": "fewer samples to validate on (`validation`)",
        "checkpoint": "fewer checkpoints (`checkpoint_every`)",
        "record": "longer epochs have fewer edges to wait at",
    }
    return advice[most]


_ADVICE: Mapping[str, Callable[[StageLine], str]] = {
    "data": _data,
    "making": _more_makers,
    "others": _waits_for_others,
    "trainer": _trainer,
    "update": lambda line: "a larger `batch` has fewer updates",
    "send": lambda line: "a larger `slot_size` has fewer sums to add",
}
