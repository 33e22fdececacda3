"""The seconds of a step of a run on Ray, as a formula of a few measured constants: see benchmarks/scaling.md.

A step is a row of phases, each as long as the slowest of what it needs: the busiest card, the cores, or one thread that
does it. One worker on each node; servers lie on workers' nodes. Nodes are simulated ones, which share the cores of one
machine, or machines, which have their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil, inf

from millrace.model import FLOAT32
from millrace.workers.tree import share

WIRE = {FLOAT32: 4.0, "bfloat16": 2.0, "int8": 1 + 1 / 256}  # bytes a parameter


@dataclass(frozen=True)
class Constants:
    """Measured; seconds of one thread for each parameter, unless it says otherwise.

    row: of a sample's gradient; slot: of a slot's, beyond its rows. add: of two sums; join: of segments to one vector.
    round, pack, unpack: by wire. put: into a node's object store, for each byte. move: seconds of a core for each byte
    that goes from store to store, both ends together; stream: seconds for each byte of one object alone, on cards as
    good as without limit. call: seconds of a small call of an actor on another node, answer included; sum, view, part:
    of a small sum's way to the one server, a small view's to a worker, and a small part's to one of several servers,
    through the lead; with _core: seconds of a core in these. payload: bytes of objects for each byte that a card
    carries. step: what a step takes besides, as one of a network of a few parameters on one node does. hop: seconds of
    a message on a bare TCP connection. idle: cores that a node of Ray takes while nothing runs on it."""

    row: float
    slot: float
    add: float
    update: float
    join: float
    put: float
    move: float
    stream: float
    call: float
    call_core: float
    sum: float
    sum_core: float
    view: float
    view_core: float
    part: float
    part_core: float
    payload: float
    step: float
    hop: float
    idle: float
    round: Mapping[str, float] = field(default_factory=dict)
    pack: Mapping[str, float] = field(default_factory=dict)
    unpack: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """A run. staleness: as the flag; None for unbounded. card: bytes a second that each node can send, and take in at
    the same time. cores: of the one machine on which all nodes are simulated (shared), or else of each machine."""

    workers: int
    servers: int
    parameters: int
    batch: int
    slot: int
    card: float = inf
    staleness: int | None = 0
    wire: str = FLOAT32
    cores: float = 2
    shared: bool = True


@dataclass(frozen=True)
class Moved:
    """Bytes of a phase: sum over all nodes, through the busiest card one way, and of the largest object."""

    all: float
    busiest: float
    largest: float


def blocks(s: Setting) -> list[int]:
    """How many sums each worker sends: the nodes of the tree over its share of the slots, one where slots to workers
    are a power of two."""
    slots = ceil(s.batch / s.slot)
    return [len(share(slots, s.workers, worker)) for worker in range(s.workers)]


def fetched(s: Setting) -> Moved:
    """The weights, to the nodes that lack them."""
    return _moved(s, 4.0 * s.parameters, [1] * s.workers)


def sent(s: Setting) -> Moved:
    """The sums of the workers away from their server."""
    return _moved(s, WIRE[s.wire] * s.parameters, blocks(s))


def _moved(s: Setting, size: float, vectors: list[int]) -> Moved:
    """So many vectors of this size go between each worker and all servers; on a node of both, its part stays."""
    away = sum(vectors) * (s.workers - 1) / s.workers * size  # of one of K servers' nodes, or all but its own
    if s.servers == 1:
        return Moved(away, away, size if s.workers > 1 else 0.0)
    worker = max(vectors) * (size if s.workers > s.servers else size * (s.servers - 1) / s.servers)
    return Moved(away, max(away / s.servers, worker), size / s.servers)


def phases(s: Setting, c: Constants) -> dict[str, float]:
    """Seconds of a step (of a stale run: of an update), by phase."""
    # A head is a node as well.
    s = replace(s, cores=s.cores - c.idle * (s.workers + 1 if s.shared else 1))
    if s.staleness != 0:
        return {"update of a stale run": _stale(s, c)}
    away = s.workers - 1 if s.servers == 1 else s.workers  # who uses the object store
    computing = max(away, 1)  # the worker beside a single server computes while the others fetch
    each = ceil(ceil(s.batch / s.slot) / s.workers)
    made = {"weights to the workers": 0.0, "gradients": _gradient(s, c, each) * _crowd(s, computing)}
    made["sums to the servers"] = 0.0
    if away:
        several, pieces = s.servers > 1, away * s.servers
        vectors = max(blocks(s))
        beside = _gradient(s, c, each) if s.shared and not several else 0.0  # of the worker that fetches nothing
        joining = c.join * s.parameters * _crowd(s, away) if several else 0.0
        found = _messages(s, c.view, c.view_core, pieces)
        made["weights to the workers"] = found + _way(s, c, fetched(s), beside) + joining
        put = (c.put * WIRE[s.wire] + c.pack.get(s.wire, 0.0)) * s.parameters * vectors * _crowd(s, away)
        told = _messages(s, c.part, c.part_core, pieces) if several else _messages(s, c.sum, c.sum_core, pieces)
        lead = pieces * c.call_core / 2 if several else 0.0  # one process passes all parts' places on
        made["sums to the servers"] = put + max(told, lead) + _way(s, c, sent(s))
    made["update"] = _update(s, c, sum(blocks(s)), away) + (c.call if s.servers > 1 else 0.0)
    made["rest"] = c.step
    return made


def seconds(s: Setting, c: Constants) -> float:
    """Of a step."""
    return sum(phases(s, c).values())


def _crowd(s: Setting, threads: int) -> float:
    """How many times longer a thread takes beside so many, each on a node of its own."""
    return max(1.0, threads / s.cores) if s.shared else 1.0


def _gradient(s: Setting, c: Constants, slots: int) -> float:
    """Seconds of a worker for its sum of so many slots."""
    rounding = c.round.get(s.wire, 0.0)
    rows = min(s.slot, s.batch)
    return s.parameters * (slots * (c.row * rows + c.slot + rounding) + (slots - 1) * (c.add + rounding))


def _messages(s: Setting, alone: float, core: float, objects: int) -> float:
    """Seconds until so many objects are announced, which then move. alone: of one; core: of a core."""
    # Of machines the busiest says half of it, for an object of each worker or of each server.
    most = objects * core if s.shared else max(s.workers, s.servers) * core / 2
    return max(alone, most / s.cores)


def _way(s: Setting, c: Constants, moved: Moved, beside: float = 0.0) -> float:
    """Seconds for these bytes to arrive; beside: seconds of cores that something else takes meanwhile."""
    card = moved.busiest / (s.card * c.payload)
    # Of machines the busiest bears one end of what goes through its card.
    cores = moved.all * c.move if s.shared else moved.busiest * c.move / 2
    return max(card, (cores + beside) / s.cores, moved.largest * c.stream)


def _update(s: Setting, c: Constants, came: int, away: int) -> float:
    """Seconds from the last sum to the next view, of a server's segment; came: sums, of which the update adds the last
    two itself."""
    sums = max(came - 2, 0) * c.add + (came if away else 0) * c.unpack.get(s.wire, 0.0)
    publish = 4 * c.put if away else 0.0
    return (sums + c.update + publish) * s.parameters / s.servers * _crowd(s, s.servers)


def _stale(s: Setting, c: Constants) -> float:
    """Seconds of an update: each worker has a batch of its own; as many at once as the bound lets."""
    at_once = s.workers if s.staleness is None else min(s.workers, s.staleness + 1)
    whole = _gradient(s, c, ceil(s.batch / s.slot))
    update = s.parameters * (c.update + (0.0 if s.workers == 1 else 4 * c.put + c.unpack.get(s.wire, 0.0)))
    one = Setting(2, 1, s.parameters, s.batch, s.slot, s.card, 0, s.wire, s.cores, s.shared)
    put = (c.put * WIRE[s.wire] + c.pack.get(s.wire, 0.0)) * s.parameters
    there, back = _way(s, c, fetched(one)), _way(s, c, sent(one))
    near = whole + s.parameters * c.add + update  # copies the weights, which takes what an addition does
    far = there + back + c.view + c.sum + put + whole + update
    if s.staleness is not None:
        # In rounds: the next batches are handed out when those before have come.
        others = at_once - 1
        link = others * (there + back) + far - there - back if others else near
        return max(link, at_once * whole / s.cores if s.shared else 0.0) / at_once + c.step
    near_rate, far_rate = 1 / near, min((s.workers - 1) / far, 1 / max(there, back))
    if s.shared:
        moving = s.parameters * (4 + WIRE[s.wire]) * c.move + c.view_core + c.sum_core
        wanted = near_rate * near + far_rate * (whole + put + update + moving)
        near_rate, far_rate = (rate * min(1.0, s.cores / wanted) for rate in (near_rate, far_rate))
    return max(1 / (near_rate + far_rate), update) + c.step


def ring(s: Setting, c: Constants) -> float:
    """Seconds of a step with a ring all-reduce of float32 sums in the place of servers: 2 (N − 1) / N of the bytes over
    each card, in 2 (N − 1) messages one after the other (Patarasuk and Yuan 2009). Its cores cost nothing here."""
    each = ceil(ceil(s.batch / s.slot) / s.workers)
    around = 2 * (s.workers - 1) / s.workers * 4 * s.parameters / (s.card * c.payload)
    own = _gradient(s, c, each) + c.update * s.parameters + c.step
    return own + around + 2 * (s.workers - 1) * c.hop
