"""Servers on Ray: one actor of a class on each node that has a CPU, for as long as the node is there.

The class knows nothing of Ray. `start` opens a server and answers where it and its page are; `tend` tells it who the
others are and answers its figures; `drain` lets what runs there come to its end.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import ray
from ray.exceptions import ActorUnavailableError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from millrace.cores import cores
from millrace.datasets import Dataset
from millrace.errors import DeadlineError
from millrace.workers.ray_runtime.capacity import check_capacity
from millrace.workers.ray_runtime.causes import cause_of
from millrace.workers.ray_runtime.cluster import MIB, Need, connected, inside_job, nodes, resources
from millrace.workers.ray_runtime.handover import (
    MAPPED,
    Handover,
    MappedNodes,
    offered,
    patience,
    received,
    this_node,
)
from millrace.workers.ray_runtime.last_words import last_words
from millrace.workers.ray_runtime.posts import FIRST_PAUSE, LONGEST_PAUSE, Post, end, first_of, reason_of, reasons

OWN_STORE = 1024 * MIB  # shared memory of an own Ray; it is taken only as it is used
LOOK = 1.0  # seconds between two looks at who is there
START = 180.0  # seconds for the first server to answer
TABLE = 300.0  # seconds for the object store's part of the dataset to come to a node
SLOW = 30.0  # seconds until it is said that a server does not come
HUNG = 300.0  # seconds for a start to end once its process is there, beyond what a table takes to come to its node
SILENT = 60.0  # seconds without an answer after which a server is started again
STEADY = 60.0  # seconds of service after which its loss is not taken for a failure of its start
LEAVE = 15.0  # seconds for servers to end, beyond the patience with their clients
ENDED = "error: this program was ended, and the servers with it: by kill -9, or the loss of its node or of the head.\n"


@contextmanager
def cluster_of(address: str | None, note: Callable[[str], None]) -> Iterator[tuple[str, set[str]]]:
    """Ray, connected for servers: the address of this machine, and those of all."""
    with connected(address or ("auto" if inside_job() else None), Need(cores(), OWN_STORE)) as own:
        if not own:
            check_capacity(1, note=note)
        addresses = {str(node["NodeID"]): str(node["NodeManagerAddress"]) for node in nodes() if node["Alive"]}
        with last_words(ENDED):
            yield addresses[this_node()], set(addresses.values())


class NodeActor:
    """A server of a class that knows nothing of Ray, made once the dataset is there: in the node's shared memory, or
    in a file that is mapped."""

    def __init__(self, kind: type[Any], data: Handover, terms: Any) -> None:
        self._kind, self._data, self._terms = kind, data, terms
        self._server: Any = None
        self._draining = False

    def here(self) -> None:
        """Answered once there is a process, whatever that does."""

    def start(self, *arguments: Any) -> Any:
        """As the class. Errors: its own, and those of `received`."""
        self._server = self._kind(received(self._data, TABLE), self._terms)
        if self._draining:  # told so while the data came
            self._server.drain(0.0)
        return self._server.start(*arguments)

    def tend(self, endpoints: tuple[str, ...]) -> Any:
        """As the class."""
        return self._server.tend(endpoints)

    def drain(self, patience: float) -> None:
        """As the class, as soon as there is one."""
        self._draining = True
        if self._server is not None:
            self._server.drain(patience)


class Fleet:
    """The servers of a cluster, from `begin` to the end of the block. `look` after them about once a second.

    kind: the class; it is made of the dataset, which lies once on each node, and `terms`. arguments: of `start`, for a
    node's address, the port that its server had or None, and the endpoints there are. only: the address of the
    machine that alone gets servers; None: all do. note: hears who came, went and failed."""

    def __init__(
        self,
        kind: type[Any],
        dataset: Dataset,
        terms: Any,
        arguments: Callable[[str, int | None, tuple[str, ...]], tuple[Any, ...]],
        *,
        only: str | None,
        note: Callable[[str], None],
    ) -> None:
        self._kind, self._terms, self._arguments = kind, terms, arguments
        self._offer, table = offered(dataset)
        self._data, self._mapped = Handover(ray.put(self._offer), ray.put(table)), MappedNodes(self._offer)
        self._only, self._note, self._begun = only, note, False
        self._posts: dict[str, Post] = {}
        self._left_out: set[str] = set()
        self._look_at = 0.0
        self.pages: dict[str, str] = {}  # endpoint → its status page

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The addresses of the servers that answer, the oldest first."""
        return tuple(post.endpoint for post in self._posts.values() if post.endpoint)

    @property
    def figures(self) -> list[Mapping[str, Any]]:
        """What each of them told of itself last."""
        return [post.figures for post in self._posts.values() if post.figures]

    def begin(self, stopped: Callable[[], bool]) -> None:
        """Start servers and wait until a first one answers, or `stopped`. Errors: what all of them failed by;
        DeadlineError."""
        began = time.monotonic()
        until = began + START + patience(self._offer)
        while not self.endpoints and not stopped():
            self._look()
            failed = [post for post in self._posts.values() if post.error is not None]
            if self._posts and all(post.given_up for post in self._posts.values()):
                raise first_of(failed)
            if time.monotonic() > until:
                free, total = (resources(which).get("CPU", 0) for which in ("available", "cluster"))
                raise DeadlineError(
                    "no server answers",
                    expected=f"one within {until - began:.0f} s, on a node with a free CPU and the data",
                    got="; ".join(filter(None, (f"{free:g} of {total:g} CPUs free", reasons(failed)))),
                    do="end what else runs on the cluster, or add nodes",
                )
            time.sleep(0.1)
        self._begun = True

    def look(self) -> None:
        """See, once a second, who is there: servers are started, started again, let go of, and told of each other."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK
            self._look()

    def drain(self, patience: float) -> None:
        """Let nobody in any more, and have all calls end within about so many seconds."""
        told = [(post, post.actor.drain.remote(patience)) for post in self._posts.values() if post.actor is not None]
        # Waited for are those that may have clients, also where their answer was not heard yet; one that waits for a
        # CPU would not answer.
        calls = [call for post, call in told if post.endpoint or ray.wait([post.answer], timeout=0)[0]]
        if calls:
            ray.wait(calls, num_returns=len(calls), timeout=patience + LEAVE)

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for post in self._posts.values():
            end(post)

    def _look(self) -> None:
        there = self._there()
        for node in self._posts.keys() - there.keys():
            post = self._posts.pop(node)
            end(post)
            self._note(f"node {node[:8]} went, and its server{f' at {post.endpoint}' if post.endpoint else ''} with it")
        for node, address in there.items():
            post = self._posts.setdefault(node, Post(node, address))
            if post.actor is None:
                self._start(post)
            else:
                self._hear(post)

    def _there(self) -> dict[str, str]:
        """The nodes that a server is for, with their addresses; each that is left out is named once."""
        alive = [node for node in nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
        found = {str(node["NodeID"]): str(node["NodeManagerAddress"]) for node in alive}
        for node, address in found.items():
            if self._only not in (None, address) and node not in self._left_out:
                self._left_out.add(node)
                self._note(f"node {node[:8]} at {address} gets no server: this machine alone is served; give `host`")
        return {node: address for node, address in found.items() if node not in self._left_out}

    def _start(self, post: Post) -> None:
        if time.monotonic() < post.again:
            return
        place = NodeAffinitySchedulingStrategy(post.node, soft=False)
        # Started again here, not by Ray: the new one is told the port that the old one had.
        maker = ray.remote(NodeActor).options(
            num_cpus=1, max_restarts=0, max_task_retries=0, max_concurrency=4, scheduling_strategy=place
        )
        post.actor = maker.remote(self._kind, self._data, self._terms)
        post.process, post.came = post.actor.here.remote(), 0.0
        post.answer = post.actor.start.remote(*self._arguments(post.address, post.port, self.endpoints))
        post.asked = time.monotonic()

    def _hear(self, post: Post) -> None:
        """Take the answer of a server, if it is there, and tell it who the others are."""
        if not ray.wait([post.answer], timeout=0)[0]:
            return self._check_patience(post, time.monotonic() - post.asked)
        try:
            answer = ray.get(post.answer, timeout=LOOK)
        except RayError as error:
            # Of one that serves: its machine is out of reach for the moment, or it ends. The next answer will say.
            if not (post.endpoint and isinstance(error, ActorUnavailableError)):
                return self._failed(post, cause_of(error))
        else:
            if post.endpoint:
                post.figures = answer
            else:
                self._arrived(post, *answer)
        post.answer, post.asked = post.actor.tend.remote(self.endpoints), time.monotonic()
        return None

    def _arrived(self, post: Post, endpoint: str, page: str | None) -> None:
        again = post.port is not None
        post.endpoint, post.port, post.error, post.said = endpoint, urlsplit(endpoint).port, None, ""
        post.began, post.failures = time.monotonic(), 0
        if page is not None:
            self.pages[endpoint] = page
        for name, node, cause in self._mapped.fresh([post.node]):
            self._note(f"{MAPPED}: {name} on node {node[:8]} ({cause})")
        if self._begun:
            shown = "" if page is None else f", its page at {page}"
            self._note(f"a server answers{' again' if again else ''} at {endpoint} on node {post.node[:8]}{shown}")

    def _failed(self, post: Post, error: BaseException) -> None:
        """Have it started again after a pause, longer each time until it has served for a while."""
        end(post)
        now, reason = time.monotonic(), reason_of(error)
        if post.endpoint:
            post.pause = FIRST_PAUSE if now - post.began > STEADY else post.pause
            self._note(f"the server at {post.endpoint} was lost ({reason}); it is started again")
        else:
            # The port that it had is tried twice: what held it may take a moment to end.
            post.error, post.port = error, post.port if post.error is None else None
            post.failures += 1
            self._say(post, f"no server could be started on node {post.node[:8]}: {reason}")
        post.again, post.pause = now + post.pause, min(2 * post.pause, LONGEST_PAUSE)
        post.actor, post.endpoint, post.figures = None, "", {}

    def _check_patience(self, post: Post, waited: float) -> None:
        if post.endpoint and waited > SILENT:
            self._failed(post, DeadlineError(f"no answer for {SILENT:g} s"))
        elif not post.endpoint:
            self._check_start(post, waited)

    def _check_start(self, post: Post, waited: float) -> None:
        """A server may wait for a CPU as long as it takes, but no longer for what it needs once it has one."""
        if not post.came and ray.wait([post.process], timeout=0)[0]:
            post.came = time.monotonic()
        since = time.monotonic() - post.came if post.came else 0.0
        if since > HUNG and since > HUNG + patience(self._offer):
            self._failed(post, DeadlineError("its start does not end", got=f"no answer for {since:.0f} s"))
        elif waited > SLOW:
            what = "starts: the data comes, or its kernels are compiled" if post.came else "waits for a free CPU"
            self._say(post, f"the server on node {post.node[:8]} {what}")

    def _say(self, post: Post, text: str) -> None:
        """Say it once, until something else is to be said of this node."""
        if self._begun and text != post.said:
            self._note(text)
            post.said = text
