"""`pipeline.floats` in NumPy alone, equal bit for bit: what clients without numba make their floats with."""

import numpy as np

from millrace.pipeline.visited import F32Array, U8Array


def channels_last(images: U8Array) -> U8Array:
    """Images uint8 (n, C, H, W) as (n, H, W, C), in memory of their own unless C is 1."""
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def plain_normalised(images: U8Array, shift: F32Array, factor: F32Array, *, interleaved: bool = False) -> F32Array:
    """(x − shift) · factor for every channel: see `pipeline.floats.normalised`."""
    # Both operations run over the planes, where a channel's numbers are constant: the fastest loops that NumPy has.
    out = np.empty(images.shape, np.float32)
    np.subtract(images, shift[:, np.newaxis, np.newaxis], out=out, dtype=np.float32)
    np.multiply(out, factor[:, np.newaxis, np.newaxis], out=out)
    return np.ascontiguousarray(out.transpose(0, 2, 3, 1)) if interleaved else out
