"""Who computes: server, tree, leases, workers, trainer; as threads here, or on Ray (`ray_runtime`)."""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.workers.evaluation import (
        Evaluation as Evaluation,
        answers as answers,
        evaluate as evaluate,
        judged as judged,
        probabilities as probabilities,
        slot_rows as slot_rows,
    )
    from millrace.workers.events import (
        CheckpointWritten as CheckpointWritten,
        EpochDone as EpochDone,
        Event as Event,
        Notice as Notice,
        Observer as Observer,
        RunDone as RunDone,
        RunStarted as RunStarted,
        StagesDone as StagesDone,
        StepDone as StepDone,
    )
    from millrace.workers.export_local import in_threads as in_threads
    from millrace.workers.job import (
        AUTO as AUTO,
        READING_KEYS as READING_KEYS,
        Job as Job,
        Place as Place,
        named_policy as named_policy,
    )
    from millrace.workers.ledger import expected as expected
    from millrace.workers.local_replay import replay_here as replay_here
    from millrace.workers.local_training import train as train
    from millrace.workers.records import identity as identity
    from millrace.workers.series import Trial as Trial, broken as broken, one_by_one as one_by_one
    from millrace.workers.setup import Setup as Setup
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
