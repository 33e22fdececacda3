"""What actors say to each other: small frozen records; arrays travel next to them or lie in shared memory.

The way of a gradient: `Partial` (worker) → `Contribution`, in a `Request` → `Partial` again, summed by the server →
`Update`, in a `Status` → the trainer's `StepDone`, which is its line in metrics.jsonl. A `Command` answers a request.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from ray.exceptions import GetTimeoutError, ObjectLostError, RayActorError

from millrace.runs import Spent
from millrace.workers.parameter_server import Update
from millrace.workers.tree import Block, Partial

# How the loss of an actor shows to its callers: of its process, of an object that it owned, of its answer.
LOST = (RayActorError, ObjectLostError, GetTimeoutError)

WORK, WAIT, STOP, JOIN = "work", "wait", "stop", "join"

ELSEWHERE = np.empty(0, np.float32)  # in the place of a gradient that does not travel within the message


class Contribution(NamedTuple):
    """A block's partial sum, whose gradient is ELSEWHERE: in this row of the sender's shared memory, or where row is
    None, among the arguments of the call, in order (of several servers: see `Parts.sent`)."""

    block: Block
    row: int | None
    partial: Partial


class Report(NamedTuple):
    """What a worker says of itself with a request: seconds waited for data since the last one, bytes of batches that
    it has asked for and not used, bytes of batches it received since the last one; now and then all that it has done so
    far."""

    waited: float
    in_flight: int
    received: int
    spent: Spent | None = None


class Request(NamedTuple):
    """A worker gives what it computed of a step, mostly something, and asks for its next work.

    membership: the number of its joining. incarnation: of the server that it means. near: whether it reads the weights
    from that server's shared memory. read: of a stale run, the version of the weights that it computed with.
    """

    name: str
    membership: int
    incarnation: str
    step: int
    near: bool
    contributions: list[Contribution]
    report: Report
    read: int = -1


class Command(NamedTuple):
    """What a worker does next.

    kind: work, wait (ask again), stop, join (this server does not know you). slots: of the step. lease: (rank,
    members), the worker's share of the steps to come. weights: the row of the server's arena, or a list of one object
    reference for a worker on another node; of several servers always one reference to each one's segment. read: of a
    stale run, the version of these weights.
    """

    kind: str
    incarnation: str = ""
    step: int = 0
    slots: int = 0
    blocks: tuple[Block, ...] = ()
    lease: tuple[int, int] = (0, 1)
    weights: object = None
    read: int = -1


class ServerLoss(NamedTuple):
    """Which of several servers was lost, on which node, and why."""

    who: str
    node: str
    cause: str


class Status(NamedTuple):
    """What the trainer sees of the server: finished steps it has not seen yet, the age of the current step in seconds,
    the slots it lacks (of a stale run the batches under way), the members and their nodes, what differs in the
    environments of those that were admitted nevertheless, and counts since the server started. loss: of another server,
    for which this incarnation had to begin anew. spent: what the server and the members have done since they began."""

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
    loss: ServerLoss | None = None
    spent: Mapping[str, Spent] | None = None
