"""From uint8 pixels to the float32 numbers that a network takes: each channel shifted and scaled, in either layout."""

import numpy as np

from millrace.compiled import F32, U8, In, In3, Out3, kernel
from millrace.pipeline.visited import F32Array, U8Array


@kernel
def _planes(images: In3[U8], shift: In[F32], factor: In[F32], out: Out3[F32]) -> None:
    for image in range(images.shape[0]):
        for channel in range(images.shape[1]):
            low, by = shift[channel], factor[channel]
            for pixel in range(images.shape[2]):
                out[image, channel, pixel] = (np.float32(images[image, channel, pixel]) - low) * by


@kernel
def _interleaved(images: In3[U8], shift: In[F32], factor: In[F32], out: Out3[F32]) -> None:
    for image in range(images.shape[0]):
        for channel in range(images.shape[1]):
            low, by = shift[channel], factor[channel]
            for pixel in range(images.shape[2]):
                out[image, pixel, channel] = (np.float32(images[image, channel, pixel]) - low) * by


def normalised(images: U8Array, shift: F32Array, factor: F32Array, *, interleaved: bool = False) -> F32Array:
    """(x − shift) · factor for every channel, in float32, two rounded operations: bit for bit what
    `model.inputs.Inputs` gives a network where shift is 255·mean and factor 1/(255·std). `pipeline.plain_floats` is the
    twin in NumPy.

    images: uint8 (n, C, H, W), C-contiguous. shift, factor: float32 (C,). Returns float32 (n, C, H, W), or
    (n, H, W, C) where `interleaved`.
    """
    rows, channels, height, width = images.shape
    flat = images.reshape(rows, channels, height * width)
    if interleaved and channels > 1:
        out = np.empty((rows, height, width, channels), np.float32)
        _interleaved(flat, shift, factor, out.reshape(rows, height * width, channels))
        return out
    out = np.empty((rows, channels, height, width), np.float32)
    _planes(flat, shift, factor, out.reshape(rows, channels, height * width))
    return out.reshape(rows, height, width, channels) if interleaved else out
