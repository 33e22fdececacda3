"""A node of a fleet and the server there: what is known of it, and why it is not there."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError

from millrace.errors import DeadlineError, MillraceError
from millrace.workers.ray_runtime.causes import why

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds until a server that failed is started again
TRIES = 3  # starts in a row that Ray may fail on a node, or that do not end, before no server is hoped for there


@dataclass
class Post:
    """A node and the server there. process: the answer that says that its process is there, since `came` (0: not yet).
    answer: of `start`, then of `tend`, still to come; since `asked`. began: when it answered first."""

    node: str
    address: str
    port: int | None = None  # of the server that was there before
    actor: Any = None  # None: it is to be started, not before `again`
    endpoint: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    process: Any = None
    came: float = 0.0
    answer: Any = None
    asked: float = 0.0
    began: float = 0.0
    again: float = 0.0
    pause: float = FIRST_PAUSE
    said: str = ""
    error: BaseException | None = None  # of the last start; `failures` of them in a row
    failures: int = 0

    @property
    def given_up(self) -> bool:
        """Whether no server is to be hoped for: what may pass is what Ray itself fails by, such as a lost process, and
        what came too late."""
        may_pass = isinstance(self.error, RayError | DeadlineError)
        return self.error is not None and (not may_pass or self.failures >= TRIES)


def reason_of(error: BaseException) -> str:
    """Why a server is not there, on one line."""
    if isinstance(error, MillraceError):
        return ": ".join(str(part) for part in (error.what, error.got) if part is not None)
    return why(error)


def reasons(failed: Sequence[Post]) -> str:
    """Of each of these nodes, why there is no server."""
    return "; ".join(f"node {post.node[:8]}: {reason_of(post.error)}" for post in failed if post.error is not None)


def first_of(failed: Sequence[Post]) -> BaseException:
    """What is raised where none is hoped for: an error of the server's own, before what Ray failed by."""
    for post in failed:
        if post.error is not None and not isinstance(post.error, RayError):
            return post.error
    return MillraceError(
        "no server could be started",
        got=reasons(failed),
        do="look into the logs of Ray on its nodes, and at their memory",
    )


def end(post: Post) -> None:
    """End the server there, if there is one."""
    if post.actor is not None:
        with suppress(RayError):
            ray.kill(post.actor)
