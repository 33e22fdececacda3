"""What actors say to each other: small frozen records; arrays travel beside them or lie in shared memory."""

from typing import NamedTuple

from ray.exceptions import GetTimeoutError, ObjectLostError, RayActorError

from millrace.workers.parameter_server import Update
from millrace.workers.tree import Block

Contribution = tuple[Block, int | None, float, int, int, tuple[bytes, ...]]
"""block; row of the sender's arena (None: the gradient is an argument of the call); loss; correct; samples; digests."""

# How the loss of an actor shows to its callers: of its process, of an object that it owned, of its answer.
LOST = (RayActorError, ObjectLostError, GetTimeoutError)

WORK, WAIT, STOP, JOIN = "work", "wait", "stop", "join"


class Order(NamedTuple):
    """What a worker does next.

    kind: work, wait (ask again), stop, join (this server does not know you). lease: (rank, members), the worker's share
    of the steps to come. weights: the row of the server's arena, or
    a list of one object reference for a worker on another node.
    """

    kind: str
    incarnation: str = ""
    step: int = 0
    slots: int = 0
    blocks: tuple[Block, ...] = ()
    lease: tuple[int, int] = (0, 1)
    weights: object = None


class Report(NamedTuple):
    """What a worker tells of itself with a contribution: seconds waited for data since the last one, bytes of batches
    that it has asked for and not used, bytes of batches it received."""

    waited: float
    in_flight: int
    received: int


class Status(NamedTuple):
    """What the trainer sees of the server: finished steps it has not seen yet, the age of the current step in seconds,
    the slots it lacks, the members and their nodes, what differs in the environments of those that were admitted
    nevertheless, and counts since the server started."""

    incarnation: str
    version: int
    finished: list[Update]
    age: float
    missing: list[int]
    members: tuple[str, ...]
    nodes: tuple[str, ...]
    foreign: dict[str, str]
    retries: int
    copied: int
