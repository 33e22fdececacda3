"""Standstill: a run that hangs, known from a slow one by its work and by its own pace."""

from millrace.errors import DeadlineError
from millrace.workers.setup import Setup

DEADLINE = 900.0  # seconds without a finished step that any run may take: starting, compiling kernels, a busy disk
SLOWEST = 1e8, 1e5  # operations and bytes of pixels a second: a hundredth of what one slow core does
PACE = 20  # times the longest step so far


class Standstill:
    """Counts the seconds that are waited for the next step, and gives up when neither the size of a step nor the
    longest one so far explains them. What the caller does between two waits is not counted."""

    def __init__(self, setup: Setup) -> None:
        self.allowed = DEADLINE + slowest_step(setup)
        self._waited = 0.0

    def moved(self, seconds: float) -> None:
        """A step was finished, in so many seconds."""
        self.allowed = max(self.allowed, PACE * seconds)
        self._waited = 0.0

    def waited(self, seconds: float) -> None:
        """Nothing came in so many seconds more; DeadlineError where that is too long."""
        self._waited += seconds
        if self._waited > self.allowed:
            raise DeadlineError(
                "no step was finished",
                expected=f"one within {self.allowed:.0f} s",
                got="none",
                do="look at what keeps the workers from computing, then go on with `millrace.resume`",
            )


def slowest_step(setup: Setup) -> float:
    """Seconds that a step may take on one very slow core: forward and backward are 6 operations for each weight and
    sample, and every pixel is made once."""
    samples = min(setup.order.batch, setup.order.samples)
    operations, size = SLOWEST
    return float(samples * (6 * setup.network.parameters / operations + setup.images[0].nbytes / size))
