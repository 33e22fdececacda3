"""How many rows the steps of a stream have, and each rank of them: arithmetic of three numbers."""

from millrace.errors import UsageError


class Sizes:
    """The steps of an epoch of n samples. A batch never spans two epochs: the last step of each has what is left, or,
    with `drop_last`, an epoch ends before it."""

    def __init__(self, samples: int, *, batch: int, drop_last: bool = False) -> None:
        self.samples, self.batch = samples, batch
        self.epochs: int | None = None  # as many as are asked for; of an export or a service, those that it has
        self.holder, self.more = "the export", "export more"  # whose these are, and how to come by more
        self.steps_per_epoch = samples // batch if drop_last else -(-samples // batch)

    def check_epochs(self, epochs: int) -> None:
        """Errors: UsageError where there are not so many epochs."""
        if self.epochs is not None and epochs > self.epochs:
            raise UsageError(
                f"{self.holder} holds too few epochs",
                expected=f"at most {self.epochs}",
                got=epochs,
                do=f"ask for `epochs={self.epochs}`, or {self.more}",
            )

    def epoch(self, step: int) -> int:
        """The epoch that a step belongs to."""
        return step // self.steps_per_epoch

    def begin(self, step: int) -> int:
        """The position within its epoch that a step begins at."""
        return step % self.steps_per_epoch * self.batch

    def size(self, step: int) -> int:
        """The number of samples of a step: the batch, or what is left for the last step of an epoch."""
        return min(self.batch, self.samples - self.begin(step))

    def share(self, step: int, rank: int, world: int) -> tuple[int, int]:
        """The positions [begin, end) within the epoch that one of `world` ranks has of a step: consecutive, none
        twice, together the step; their numbers differ by at most one, and may be 0."""
        begin, size = self.begin(step), self.size(step)
        return begin + size * rank // world, begin + size * (rank + 1) // world
