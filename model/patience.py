"""Patience: how long a measure has not become better. Plateau and early stopping decide by it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """best: the least loss seen (None: none yet), in `epoch`; waited: epochs since then without a lower one, counted
    from 0 again after plateau lowered the rate."""

    best: float | None = None
    epoch: int = -1
    waited: int = 0

    def after(self, epoch: int, loss: float) -> "Patience":
        """The state after an epoch with this validation loss. Only a lower loss is better; not-a-number never is."""
        if loss == loss and (self.best is None or loss < self.best):
            return Patience(loss, epoch, 0)
        return Patience(self.best, self.epoch, self.waited + 1)

    def restarted(self) -> "Patience":
        """The same best, waited for from now on."""
        return Patience(self.best, self.epoch, 0)
