"""Slowness: how long a step may take before what is missing of it is handed out again."""

from millrace.workers.parameter_server import Update

STRAGGLER = 2.0  # seconds; and ten times what is usual
RECENT = 50  # updates that say what is usual


class Slowness:
    """Ten times the usual step is too slow. In a stale run, whose updates come more often than any one worker's, ten
    times the usual batch; and twice as long after each time that a version did not pass, since a batch that is handed
    out again is computed from its beginning, and never comes if that takes longer than the patience."""

    def __init__(self, stale: bool) -> None:
        self._stale = stale
        self._seconds: list[float] = []  # of the last updates
        self._usual: list[float] = []
        self._version, self._when, self._times = -1, 0.0, 0  # what was too slow last, when, and how often

    def moved(self, update: Update) -> None:
        """A step was finished. A stale run's batch took no longer than the updates since the weights that it read."""
        span = 1 if update.row is None else update.step - update.row.read + 1
        self._seconds = [*self._seconds, update.seconds][-RECENT:]
        self._usual = [*self._usual, sum(self._seconds[-span:])][-RECENT:]

    def too_slow(self, version: int, age: float, now: float) -> bool:
        """Whether the step after `version` is, at an age in seconds, and was not found so lately. now: seconds of a
        clock."""
        usual = sorted(self._usual)[len(self._usual) // 2] if self._usual else 1.0
        patience = max(STRAGGLER, 10 * usual)
        times = self._times if version == self._version else 0
        longer = patience * 2**times if self._stale else patience
        if age <= patience or (times and now - self._when < longer):
            return False
        self._version, self._when, self._times = version, now, times + 1
        return True
