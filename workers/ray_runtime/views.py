"""The weights as workers read them: in shared memory on the server's node, elsewhere an object for each version."""

import dataclasses
from typing import Any

import numpy as np
import ray

from millrace.workers.parameter_server import ServerState
from millrace.workers.ray_runtime.shared import Arena, F32Array
from millrace.workers.ray_runtime.snapshots import Snapshots


class Views:
    """Where one server's view is published. stale: whether the run is. `copied` counts bytes."""

    def __init__(self, node: str, parameters: int, stale: bool) -> None:
        self._parameters, self._stale = parameters, stale
        self._arena = Arena.create(node, 2, parameters)
        self._row = 0  # of the arena: θ, or the view where it is another array
        self._snapshots = Snapshots(node)
        self._object: tuple[int, Any] = (-1, None)
        self.copied = 0

    def settled(self, state: ServerState) -> ServerState:
        """The state with its weights where workers of this node read them, so that no update has to be copied."""
        if self._arena is None:
            return state
        np.copyto(self._arena.array[0], state.weights)
        return dataclasses.replace(state, weights=self._arena.array[0])

    def join(self, name: str) -> Arena | None:
        """Where a worker of this node reads them; None where the system has no shared memory."""
        if self._arena is not None and self._stale:
            return self._snapshots.join(name, self._parameters)
        return self._arena

    def leave(self, name: str) -> None:
        """The worker is gone."""
        self._snapshots.leave(name)

    def publish(self, view: F32Array) -> None:
        """Put a view that is not the weights themselves where workers of this node read it.

        Whoever reads while an update or this writes computes nonsense, which is dropped: the step is complete."""
        if self._arena is not None:
            self._row = int(not np.shares_memory(view, self._arena.array))
            if self._row:
                np.copyto(self._arena.array[1], view)
                self.copied += view.nbytes

    def read(self, name: str, near: bool, version: int, view: F32Array) -> object:
        """What a command has as weights. near: whether the worker reads shared memory."""
        if near and self._stale:
            self.copied += self._snapshots.take(name, view)
            return 0
        if near:
            return self._row
        if self._object[0] != version:
            self._object = version, ray.put(view)
            self.copied += view.nbytes
        return [self._object[1]]
