"""A worker's side of weights that lie on several servers: one vector of their segments, gradients cut alike; and how
gradients travel to them, or to the one."""

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import ray

from millrace.workers.ray_runtime.shared import F32Array
from millrace.workers.setup import Setup

if TYPE_CHECKING:
    from millrace.model import Rounding


class Parts:
    """How the weights were divided when they came the last time: not at all, to begin with. rounding: of the run's
    sums, which are packed then."""

    def __init__(self, rounding: "Rounding | None" = None) -> None:
        self._rounding = rounding
        self._references: list[Any] = []  # of what lies in `_whole`
        self._whole = np.empty(0, np.float32)
        self._edges = [0]

    def fetch(self, references: list[Any], seconds: float) -> F32Array:
        """The weights, float32 (parameters,), from references to their segments in order; to be read until the next
        call. Errors: as `ray.get` within so many seconds."""
        if len(references) == 1:
            self._edges = [0]
            return ray.get(references[0], timeout=seconds)  # type: ignore[no-any-return]
        if references != self._references:
            self._references = []
            segments = ray.get(references, timeout=seconds)
            self._edges = [0, *accumulate(len(segment) for segment in segments)]
            if self._edges[-1] != len(self._whole):
                self._whole = np.empty(self._edges[-1], np.float32)
            np.concatenate(segments, out=self._whole)
            self._references = references
        return self._whole

    def sent(self, gradients: Sequence[F32Array]) -> Sequence[Any]:
        """The arguments of a call that brings these gradients: themselves, or one list of references, for each server
        to the list of its parts. An argument that holds references is not fetched where it goes."""
        spans = list(zip(self._edges[:-1], self._edges[1:], strict=True))
        if not spans or not gradients:
            return [self._written(gradient) for gradient in gradients]
        return [[ray.put([self._written(gradient[begin:end]) for gradient in gradients]) for begin, end in spans]]

    def _written(self, sums: F32Array) -> npt.NDArray[Any]:
        return sums if self._rounding is None else self._rounding.pack(sums)


def unpacked(sent: npt.NDArray[Any], setup: Setup) -> F32Array:
    """The gradient, float32 (parameters,), of which a worker has `sent` the one server this."""
    return sent if setup.rounding is None else setup.rounding.unpack(sent, setup.network.parameters)
