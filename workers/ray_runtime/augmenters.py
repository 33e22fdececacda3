"""The augmenters of a run: placed, watched, replaced where they are lost, given up where their CPU is needed."""

import itertools
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import ray
from ray.exceptions import ActorUnavailableError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from millrace.errors import MillraceError
from millrace.runs import Spent
from millrace.workers.job import Job
from millrace.workers.ray_runtime.augmenter import AugmenterActor
from millrace.workers.ray_runtime.causes import cause_of, why
from millrace.workers.ray_runtime.cluster import alive_nodes, nodes
from millrace.workers.ray_runtime.handover import Handover
from millrace.workers.ray_runtime.refusals import Refusals

FOREVER = -1
ROOM = 2  # CPUs of a node that has an augmenter of its own: a worker wants one too


class Loss(NamedTuple):
    """An actor that was lost: its name, its node, why."""

    name: str
    node: str
    cause: str


@dataclass
class _Augmenter:
    name: str
    actor: Any
    node: str
    incarnation: str
    greeting: Any  # its answer to `hello`, which may still be to come
    spent: Spent


def places() -> list[str]:
    """The ids of the nodes that have room for an augmenter of their own, in a fixed order."""
    return sorted(
        str(node["NodeID"]) for node in nodes() if node["Alive"] and int(node["Resources"].get("CPU", 0)) >= ROOM
    )


class Augmenters:
    """So many augmenters as are wanted; None: one on each node with room for it, which goes with its node."""

    def __init__(self, job: Job, data: Handover, wanted: int | None, traced: bool = False) -> None:
        self._job, self._data, self._wanted, self._traced = job, data, wanted, traced
        self._refused = Refusals()
        self._names = itertools.count()
        self._all: list[_Augmenter] = []

    def __len__(self) -> int:
        return len(self._all)

    @property
    def handles(self) -> list[tuple[Any, str]]:
        """Each actor and its node."""
        return [(augmenter.actor, augmenter.node) for augmenter in self._all]

    @property
    def actors(self) -> dict[str, Any]:
        """By name."""
        return {augmenter.name: augmenter.actor for augmenter in self._all}

    @property
    def spent(self) -> dict[str, Spent]:
        """What each has done so far, as it said last."""
        return {augmenter.name: augmenter.spent for augmenter in self._all}

    def fill(self, most: int | None = None) -> bool:
        """Start those that are missing, but no more than `most`; whether there were any."""
        found, missing = [node for node in places() if node not in self._refused], []
        if self._wanted is None:
            taken = {augmenter.node for augmenter in self._all}
            missing = [node for node in found if node not in taken]
        else:
            spread = found or [node for node in alive_nodes() if node not in self._refused]
            missing = [spread[k % len(spread)] for k in range(len(self._all), self._wanted) if spread]
        for node in missing[:most]:
            self._add(node)
        return bool(missing[:most])

    def watch(self) -> list[Loss]:
        """The losses since the last call. Who was lost for good is forgotten, the others are started again by Ray."""
        alive = alive_nodes()
        losses = []
        for augmenter in list(self._all):
            before, cause = augmenter.node, self._asked(augmenter)
            if self._wanted is None and before not in alive:
                cause = "its node was lost"
                self.end(augmenter.name)
            if cause:
                losses.append(Loss(augmenter.name, before, cause))
        return losses

    def give_up(self) -> Loss | None:
        """End one of them, if there is any."""
        if not self._all:
            return None
        last = self._all[-1]
        self.end(last.name)
        return Loss(last.name, last.node, "its CPU was needed")

    def end(self, name: str | None = None) -> None:
        """End one of them, or all."""
        for augmenter in [a for a in self._all if name in (None, a.name)]:
            self._all.remove(augmenter)
            with suppress(RayError):
                ray.kill(augmenter.actor)

    def _add(self, node: str) -> None:
        # Where so many are wanted, those of a lost node come back on another one; soft allows that.
        strategy = NodeAffinitySchedulingStrategy(node, soft=self._wanted is not None)
        maker = ray.remote(AugmenterActor).options(
            num_cpus=1, max_restarts=FOREVER, max_task_retries=0, scheduling_strategy=strategy
        )
        actor: Any = maker.remote(self._job, self._data, self._traced)
        self._all.append(
            _Augmenter(f"augmenter-{next(self._names)}", actor, node, "", actor.hello.remote(), Spent.none())
        )

    def _asked(self, augmenter: _Augmenter) -> str:
        """Why the augmenter was lost since its last answer; empty where it was not, or nothing is known."""
        if not ray.wait([augmenter.greeting], timeout=0)[0]:
            return ""
        cause = ""
        try:
            incarnation, node, augmenter.spent = ray.get(augmenter.greeting, timeout=1)
            if augmenter.incarnation not in ("", incarnation):
                cause = "its process died"
            augmenter.incarnation, augmenter.node = incarnation, node
        except ActorUnavailableError:
            pass  # it restarts: its next answer will say so
        except (RayError, TimeoutError) as error:
            cause = why(cause_of(error))
            if isinstance(cause_of(error), MillraceError):  # it would be so again, at once at least
                self._refused.add(augmenter.node, cause_of(error))
            self.end(augmenter.name)
        augmenter.greeting = augmenter.actor.hello.remote()
        return cause
