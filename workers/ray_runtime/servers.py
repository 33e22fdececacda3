"""Where the parameter servers of a run are started: one, or a lead and the others that hold segments."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayError

from millrace.runs import Spent
from millrace.workers.ray_runtime.augmenters import FOREVER
from millrace.workers.ray_runtime.cluster import nodes
from millrace.workers.ray_runtime.lead import LeadActor
from millrace.workers.ray_runtime.segment_actor import SegmentActor
from millrace.workers.ray_runtime.server import ServerActor

NODE_ID = "ray.io/node-id"
TELL = 0.5  # seconds for the servers to say what they have done


class Servers:
    """The servers of a run, `count` of them; Ray restarts each where it dies.

    They keep away from the driver's node if they can, at each start: the checkpoints may lie on that node's disk alone,
    and one loss should not take both. Several are on different nodes where there are so many.
    """

    def __init__(self, count: int, traced: bool = False) -> None:
        self.count, self._traced = count, traced
        self._others: list[Any] = []
        self._spent: dict[str, Spent] = {}

    @property
    def others(self) -> dict[str, Any]:
        """Those beside the one that workers speak to, by name."""
        return {f"server-{number}": actor for number, actor in enumerate(self._others, 1)}

    def spent(self) -> dict[str, Spent]:
        """What each of these has done so far; where it does not say so at once, what it said last."""
        asked = {name: actor.spent.remote() for name, actor in self.others.items()}
        if asked:
            ray.wait(list(asked.values()), num_returns=len(asked), timeout=TELL)
        for name, answer in asked.items():
            with suppress(RayError, TimeoutError):
                self._spent[name] = ray.get(answer, timeout=0)
        return dict(self._spent)

    def begin(self, arguments: tuple[Any, ...], here: str, avoided: Sequence[str]) -> Any:
        """Start the one that workers speak to, with these arguments, and the others where they do not run yet. here:
        the driver's node. avoided: nodes on which none may run."""
        homes = _homes(self.count, here, avoided) if self.count > 1 else [""]
        if not self._others:
            self._others = [_placed(SegmentActor, home, here, avoided).remote(self._traced) for home in homes[1:]]
        if self.count > 1:
            return _placed(LeadActor, homes[0], here, avoided).remote(*arguments, self._others, self._traced)
        return _placed(ServerActor, "", here, avoided).remote(*arguments, self._traced)

    def end(self) -> None:
        """End the others."""
        for actor in self._others:
            with suppress(RayError):
                ray.kill(actor)
        self._others = []


def _homes(count: int, here: str, avoided: Sequence[str]) -> list[str]:
    """The node that each server should be on, the driver's last."""
    able = [str(node["NodeID"]) for node in nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    found = sorted((node for node in able if node not in avoided), key=lambda node: (node == here, node))
    return [found[number % len(found)] if found else "" for number in range(count)]


def _placed(kind: type, home: str, here: str, avoided: Sequence[str]) -> Any:
    """The maker of an actor that is on its home if it can, else anywhere but on the driver's node, else there."""
    wishes = [{NODE_ID: f"in({home})"}] if home else []
    wishes += [not_on([here, *avoided]), not_on(avoided)]
    maker: Any = ray.remote(kind)
    return maker.options(
        num_cpus=1,
        max_restarts=FOREVER,
        max_concurrency=1000,
        label_selector=wishes[0],
        fallback_strategy=[{"label_selector": wish} for wish in wishes[1:]],
    )


def not_on(avoided: Sequence[str]) -> dict[str, str]:
    """Ray's label selector for any node but these."""
    return {NODE_ID: f"!in({','.join(avoided)})"} if avoided else {}
