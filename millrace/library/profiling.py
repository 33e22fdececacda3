"""Where a run's time went: read from its folder, as words and as a page."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from millrace.errors import UsageError
from millrace.library.what_if import Simulated, simulated
from millrace.runs import RunFolder, StageLine, read_lines, together
from millrace.storage import write_whole

FILE = "profile.html"


@dataclass(frozen=True)
class Profile:
    """Where the time of a run went. lines: of stages.jsonl, in order, each a stretch of steps; at least one."""

    location: str
    lines: list[StageLine]

    @cached_property
    def whole(self) -> StageLine:
        """All stretches as one that were computed as the newest was: as many workers and augmenters, the same place."""
        found = together(self.lines)
        if found is None:
            raise _nothing(self.location)
        return found

    @property
    def seconds_per_step(self) -> float:
        """Of the whole time, also what the trainer took between steps."""
        return self.whole.seconds / max(self.whole.steps, 1)

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        """For each role the share of its time in each stage, fractions whose sum is 1."""
        return {role: {name: time.share(name) for name in time.stages} for role, time in self.whole.roles.items()}

    @cached_property
    def simulated(self) -> Simulated | None:
        """What a simulation of a step says of other settings, with what it gets wrong of this one; None of a stale run,
        and where too little was measured."""
        return simulated(self.whole)

    @property
    def held_back(self) -> str:
        """What holds the run back, in words."""
        from millrace.reports.stalls import held_back

        return held_back(self.whole)


def stage_lines(folder: RunFolder) -> list[StageLine]:
    """The lines of a run's stages.jsonl; none where it has none."""
    found = (StageLine.of(line) for line in read_lines(folder.stages))
    return [line for line in found if line is not None]


def read_profile(folder: RunFolder) -> Profile:
    """The profile of a run, finished or not. Errors: UsageError where it has none: it was trained by a release that
    measured no stages, or no line is written yet."""
    lines = stage_lines(folder)
    if together(lines) is None:
        raise _nothing(folder.location)
    return Profile(folder.location, lines)


def write_profile(folder: RunFolder, profile: Profile) -> Path:
    """Write profile.html into the run's folder, and give its path."""
    from millrace.reports.profile_page import profile_page  # pictures take their time to import

    answers = profile.simulated.rows if profile.simulated else []
    target = folder.path / FILE
    write_whole(
        target, profile_page(f"Where the time went: {folder.path.name}", profile.lines, profile.whole, answers).encode()
    )
    folder.publish(FILE)
    return target


def _nothing(location: str) -> UsageError:
    return UsageError(
        f"{location} does not say where its time went",
        expected="stages.jsonl, which a run writes about once a second",
        got="nothing: it has just begun, or was trained by a release that did not measure it",
        do="train a few seconds more, or again with this release",
    )
