"""The roll of a server: who has joined, and by which of their joinings; what was said before that one is passed over.

A worker that joins again brings new shared memory. A request that it sent before, and that comes late, names rows of
the old one; a call of `join` that comes late would bring the old one back. So each try to join has a number.
"""

from millrace.errors import UsageError
from millrace.workers.ray_runtime.shared import Arena, F32Array


class Roll:
    """The workers that a server knows by their latest joining, with their nodes and their shared memory."""

    def __init__(self) -> None:
        self.nodes: dict[str, str] = {}
        self._arenas: dict[str, Arena | None] = {}
        self._numbers: dict[str, int] = {}  # of their latest joining, also of those that have left

    def is_late(self, name: str, membership: int) -> bool:
        """Whether the worker has joined with a higher number."""
        return membership < self._numbers.get(name, membership)

    def join(self, name: str, membership: int, node: str, arena: Arena | None) -> None:
        """A worker is there (again). arena: None where its memory cannot be read here."""
        self._numbers[name], self._arenas[name], self.nodes[name] = membership, arena, node

    def leave(self, name: str) -> None:
        """A worker is gone."""
        self._arenas.pop(name, None)

    def clear(self) -> None:
        """Everybody has to join again."""
        self._arenas.clear()

    def knows(self, name: str, membership: int) -> bool:
        """Whether the worker is there by this joining of it."""
        return name in self._arenas and self._numbers[name] == membership

    def row(self, name: str, row: int) -> F32Array:
        """A gradient in a worker's shared memory."""
        arena = self._arenas.get(name)
        if arena is None:
            raise UsageError(f"worker {name} names shared memory that is not open here", got=row)
        gradient: F32Array = arena.array[row]
        return gradient
