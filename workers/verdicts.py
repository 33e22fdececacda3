"""Verdicts: what the validation loss decides at an epoch's edge. It cuts the rate (plateau) and ends runs early."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from millrace.model import Patience
from millrace.workers.job import Job


class Verdicts:
    """kept: what `as_dict` gave for a checkpoint, None at the start of a run.

    cuts: the epochs from whose beginning on the rate is cut. best: the best epoch so far, and how long ago it was.
    """

    def __init__(self, job: Job, kept: Mapping[str, Any] | None) -> None:
        self._schedule, self._stop_after = job.schedule, job.regularization.early_stopping
        kept = kept or {}
        self.cuts: tuple[int, ...] = tuple(kept.get("cuts", ()))
        self.best = Patience(**kept.get("best", {}))
        self._plateau = Patience(**kept.get("plateau", {}))

    @property
    def wanted(self) -> bool:
        """Whether anything is decided in this run at all."""
        return bool(self._stop_after) or self._schedule.name == "plateau"

    @property
    def keeps_best(self) -> bool:
        """Whether the run ends with its best weights in place of its last."""
        return bool(self._stop_after)

    @property
    def stop(self) -> bool:
        """Whether the run ends here."""
        return bool(self._stop_after) and self.best.waited >= self._stop_after

    def see(self, epoch: int, loss: float) -> bool:
        """Take in the validation loss after an epoch; whether it is the best so far."""
        self.best = self.best.after(epoch, loss)
        self._plateau = self._plateau.after(epoch, loss)
        if self._schedule.name == "plateau" and self._plateau.waited >= self._schedule.patience:
            self.cuts += (epoch + 1,)
            self._plateau = self._plateau.restarted()
        return self.best.epoch == epoch

    def as_dict(self) -> dict[str, Any]:
        """The state, ready for JSON."""
        return {"cuts": list(self.cuts), "best": asdict(self.best), "plateau": asdict(self._plateau)}
