"""The processes of a run on Ray, found by what they are: those of a stage alone."""

import time

from tests.chaos.schedule import DRIVER
from tests.chaos.stage import Stage

# How command lines of actors begin, and what is in those of Ray's own processes.
ACTORS = {
    "worker": ("ray::WorkerActor",),
    "augmenter": ("ray::AugmenterActor",),
    "server": ("ray::ServerActor", "ray::LeadActor", "ray::SegmentActor"),
    "fetcher": ("ray::FetcherActor",),
}
RAYS = {
    "raylet": ("/raylet/raylet",),
    "gcs": ("/gcs/gcs_server",),
    "agent": ("ray::DashboardAgent", "ray::RuntimeEnvAgent"),
}
SEEN = 10.0  # seconds for one to be there


def found(stage: Stage, who: str) -> list[int]:
    """The processes of a role, oldest first; they are waited for a little. None where the run has none."""
    if who == DRIVER:
        return [stage.driver.pid] if stage.driver is not None else []
    until = time.monotonic() + SEEN
    while True:
        those = [process for process, command in stage.left() if _is(who, command)]
        if those or time.monotonic() > until or stage.driver is None or stage.driver.poll() is not None:
            return sorted(those)
        time.sleep(0.05)


def _is(who: str, command: str) -> bool:
    if who in ACTORS:
        return command.startswith(ACTORS[who])
    return any(word in command for word in RAYS[who])
