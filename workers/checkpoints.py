"""What a checkpoint holds of a run: the server's state and the trainer's, at the very same step."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from millrace.model import Checkpoint, differences
from millrace.model import fingerprint as own_fingerprint
from millrace.runs import RunFolder
from millrace.workers.events import Notice, Reporter
from millrace.workers.parameter_server import ServerState
from millrace.workers.setup import Setup


@dataclass
class TimeSpent:
    """What the trainer itself remembers: seconds of training, those of the current epoch, and the seconds of these
    that a worker waited for data."""

    seconds: float = 0.0
    epoch_seconds: float = 0.0
    epoch_waiting: float = 0.0


def compose(
    setup: Setup,
    state: ServerState,
    spent: TimeSpent,
    verdicts: Mapping[str, object],
    *,
    incarnation: int,
    fingerprint: dict[str, str],
    journal: str | None = None,
) -> Checkpoint:
    """All parts as one checkpoint. verdicts: `Verdicts.as_dict`; incarnation: of the run's folder; journal: the digest
    of a stale run's."""
    stale = {} if journal is None else {"left": list(state.left), "journal": journal}
    return Checkpoint(
        step=state.version,
        weights=state.weights,
        optimizer=state.optimizer,
        config=dict(setup.job.recipe),
        dataset_digest=setup.dataset.digest,
        model=setup.network.text,
        inputs=setup.inputs,
        data=setup.dataset.spec.described(setup.dataset.shape),
        fingerprint=fingerprint,
        state={
            "epoch_loss": state.epoch_loss,
            "epoch_correct": state.epoch_correct,
            "epoch_samples": state.epoch_samples,
            "ledger": state.ledger,
            "incarnation": incarnation,
            "trainer": asdict(spent),
            "verdicts": dict(verdicts),
            **stale,
        },
    )


def server_state(checkpoint: Checkpoint) -> ServerState:
    """The server's part of a checkpoint."""
    sums = {name: checkpoint.state[name] for name in ("epoch_loss", "epoch_correct", "epoch_samples", "ledger")}
    left = tuple(checkpoint.state.get("left", ()))
    return ServerState(checkpoint.step, checkpoint.weights, checkpoint.optimizer, **sums, left=left)


def take_up(checkpoint: Checkpoint | None, folder: RunFolder, report: Reporter) -> ServerState | None:
    """Go on from a checkpoint: what the folder has from later steps goes, and another environment is announced, never
    refused. The state for the server; None for a run from its start."""
    if checkpoint is None:
        return None
    folder.drop_after(checkpoint.step)
    for difference in differences(own_fingerprint(), checkpoint.fingerprint):
        report(Notice(f"another environment than the checkpoint's: {difference}; bits may differ from here on"))
    return server_state(checkpoint)
