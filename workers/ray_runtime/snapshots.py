"""Snapshots: of a stale run, the weights as each worker of the server's node reads them, while others move them on."""

import numpy as np

from millrace.workers.ray_runtime.shared import Arena, F32Array


class Snapshots:
    """Shared memory for one copy of the weights for each worker. What a worker leaves behind another one gets: shared
    memory that others may have mapped is never given back."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._held: dict[str, Arena] = {}
        self._free: list[Arena] = []

    def join(self, name: str, parameters: int) -> Arena | None:
        """The worker's memory; None where the system has none."""
        if name not in self._held:
            arena = self._free.pop() if self._free else Arena.create(self._node, 1, parameters)
            if arena is None:
                return None
            self._held[name] = arena
        return self._held[name]

    def leave(self, name: str) -> None:
        """The worker is gone."""
        if name in self._held:
            self._free.append(self._held.pop(name))

    def take(self, name: str, weights: F32Array) -> int:
        """Copy the weights for a worker; the bytes."""
        np.copyto(self._held[name].array[0], weights)
        return weights.nbytes
