"""Carriers: actors that read the files of a table, on the node where they lie, for a node that copies them.

Each process that copies has its own, which ends with it. A piece is small beside both nodes' object stores, and two are
under way at a time, so a table of any size passes through stores of any size.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from millrace.datasets import TableFiles
from millrace.errors import DeadlineError, IntegrityError
from millrace.storage import faults
from millrace.workers.ray_runtime.causes import cause_of, why

PART, LEAST, MOST = 64, 256 << 10, 8 << 20  # a piece: this part of the smaller store, and its bounds in bytes
AHEAD = 2  # pieces under way
ANSWER = 60.0  # seconds for a piece
WRITE = 3600.0  # seconds for a table that lay in memory alone to be written into files
TRIES = 5  # carriers lost, or late, one after the other without a piece between


class CarrierActor:
    """Reads pieces of a table's files. table: a list of the reference to the dataset, for one that lies in memory."""

    def __init__(self, files: TableFiles, table: list[Any]) -> None:
        self._files, self._table = files, table

    def files(self) -> TableFiles:
        """With the files, which are written where there are none yet. Errors: those of `TableFiles.written`."""
        if not self._files.files:
            self._files = TableFiles.written(ray.get(self._table[0], timeout=ANSWER))
        return self._files

    def piece(self, split: str, first: int, count: int) -> npt.NDArray[np.uint8]:
        """So many bytes of a split's file, from `first` on."""
        path = Path(self.files().folder) / f"{split}.arrow"
        with faults(path, "cannot be read"):
            return np.fromfile(path, np.uint8, count, offset=first)


class CarrierSource:
    """The `PieceSource` of a copy: a carrier on this node, started when it is first needed. Where it is lost another is
    asked for the same pieces. stores: bytes of both nodes' object stores."""

    def __init__(self, files: TableFiles, table: Any, node: str, stores: tuple[int, int]) -> None:
        self._files, self._table, self._node = files, table, node
        self._piece = max(LEAST, min(MOST, min(stores) // PART))
        self._actor: Any = None

    def files(self) -> TableFiles:
        """The table's files, written by now."""
        left = TRIES
        while not self._files.files:
            try:
                self._files = ray.get(self._carrier().files.remote(), timeout=WRITE)
            except RayTaskError as error:
                raise cause_of(error) from error
            except RayError as error:
                self._lost(left, error)
                left -= 1
        return self._files

    def pieces(self, split: str, first: int) -> Iterator[npt.NDArray[np.uint8]]:
        """The bytes of a split's file from `first` on, in order."""
        size = int(self._files.files[split]["bytes"])
        asked: deque[Any] = deque()
        ahead, left = first, TRIES
        while first < size:
            while ahead < size and len(asked) < AHEAD:
                asked.append(self._carrier().piece.remote(split, ahead, min(self._piece, size - ahead)))
                ahead += self._piece
            try:
                piece = ray.get(asked.popleft(), timeout=ANSWER)
            except RayTaskError as error:
                raise cause_of(error) from error
            except RayError as error:
                self._lost(left, error)
                left -= 1
                asked.clear()
                ahead = first
                continue
            if not len(piece):
                raise IntegrityError(f"the file {split}.arrow was cut while it was copied", expected=size, got=first)
            left = TRIES
            first += len(piece)
            yield piece

    def close(self) -> None:
        """End the carrier."""
        if self._actor is not None:
            with suppress(RayError):
                ray.kill(self._actor)
        self._actor = None

    def _carrier(self) -> Any:
        if self._actor is None:
            strategy = NodeAffinitySchedulingStrategy(self._node, soft=False)
            maker: Any = ray.remote(CarrierActor).options(num_cpus=0, scheduling_strategy=strategy)
            self._actor = maker.remote(self._files, [self._table])
        return self._actor

    def _lost(self, left: int, error: RayError) -> None:
        """The next call has another carrier; DeadlineError where none is left to try."""
        self.close()
        if left <= 1:
            raise DeadlineError(
                "the table does not come to this node",
                expected=f"a piece within {ANSWER:g} s, in one of {TRIES} tries",
                got=why(error),
                do="look at the network between the nodes, and at the memory of the one that has the data",
            ) from error
