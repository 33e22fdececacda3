"""How sums of gradients are rounded, so that fewer bytes of them travel: the page to read, in plain NumPy.

A sum is a node of the reduction tree (`workers.tree`). It is rounded as soon as it is there, whoever computes it and
wherever it then goes: rounding is part of the recipe, what travels between machines is only another writing of the same
numbers. What a number is rounded by is drawn by counter from the seed, the step, the node and the number's place in the
gradient, so no worker, mode or order changes a bit.

Rounding is *stochastic*: up with the probability that makes the expected value the number itself (Gupta et al. 2015:
Deep learning with limited numerical precision). Errors of many steps cancel out; a gradient far below the spacing still
counts at the right rate, where rounding to the nearest would lose it at every step.

- bfloat16 is the upper half of a float32: 16 random bits are added to the lower half, which then goes.
- int8 is a whole number from −127 to 127 times a power of two that each *group* of 256 numbers shares, as in the
  MXINT8 of the OCP microscaling formats (there groups are of 32). A power of two makes all of this exact but the draw:
  scaled numbers are exact, their sums mostly are, and from the rounded numbers the power follows again.

`model.fast.rounding` has the kernels that train, equal bit for bit.
"""

import numpy as np
import numpy.typing as npt

from millrace.compiled import U8, U32
from millrace.counters import Purpose, words
from millrace.model.layout import Floats

GROUP = 256  # numbers that share a power of two
TILE = 8 * GROUP  # numbers that are drawn together: each block of four words of 32 bits gives eight draws of 16
LEAST, MOST = -126, 121  # of the powers of two: below are subnormal numbers, above 127 of them is no float32
NOT_FINITE = 129  # in the place of a power, where a number of the group is not finite

U8Array = npt.NDArray[U8]
U32Array = npt.NDArray[U32]


def draws(seed: int, step: int, start: int, size: int, first: int, count: int) -> U32Array:
    """16 random bits for each of `count` numbers from the gradient's number `first` (a multiple of TILE) on, at the
    node [start, start + size) of a step: uint32 (count,). Group h of a tile has half-word h of the tile's blocks."""
    tiles = -(-count // TILE)
    blocks = first // 8 + np.arange(tiles * GROUP)
    drawn = words(seed, Purpose.ROUNDING, blocks, step, start, size).reshape(tiles, GROUP, 4)
    halves = np.stack([drawn & 0xFFFF, drawn >> 16], axis=3).reshape(tiles, GROUP, 8)
    return np.ascontiguousarray(halves.transpose(0, 2, 1)).reshape(-1)[:count]


def to_bfloat16(sums: Floats, drawn: U32Array) -> Floats:
    """The sums with 8 bits of precision, float32 (n,). What would become infinite stays the largest finite number;
    what is not finite stays so."""
    bits = sums.view(np.uint32)
    up, kept = (bits + drawn) & 0xFFFF0000, bits & 0xFFFF0000
    finite, not_a_number = bits & 0x7F800000 != 0x7F800000, bits & 0x7FFFFFFF > 0x7F800000
    overflows = up & 0x7F800000 == 0x7F800000
    rounded = np.where(finite & ~overflows, up, kept)
    return np.where(not_a_number, kept | 0x00400000, rounded).astype(np.uint32).view(np.float32)


def powers(sums: Floats) -> npt.NDArray[np.int64]:
    """The power of two of each group, (⌈n/256⌉,): the least that 127 of them reach the group's largest number with;
    NOT_FINITE where a number is not finite."""
    largest = np.maximum.reduceat(np.abs(sums), np.arange(0, len(sums), GROUP))
    fraction, exponent = np.frexp(largest)  # largest = fraction · 2^exponent, 127 · 2^k = 127/128 · 2^(k + 7)
    power = np.clip(exponent.astype(np.int64) - 7 + (fraction > 127 / 128), LEAST, MOST)
    power = np.where(largest == 0, LEAST, power)
    return np.where(np.isfinite(largest), power, NOT_FINITE)


def to_int8(sums: Floats, drawn: U32Array) -> Floats:
    """The sums as whole numbers from −127 to 127 times their group's power of two, float32 (n,). A group in which
    something is not finite becomes not-a-number, so that training ends as it would have."""
    power = np.repeat(powers(sums), GROUP)[: len(sums)]
    finite = power != NOT_FINITE
    scaled = np.ldexp(np.where(finite, sums, 0.0), np.where(finite, -power, 0))  # exact in float64
    # In units of 2⁻¹⁶: the 16 bits drawn carry into the whole number with just the probability of the fraction.
    units = np.clip(np.rint(scaled * 65536.0), -127 * 65536, 127 * 65536).astype(np.int64)
    whole = ((units + drawn) >> 16).astype(np.float64)
    return np.where(finite, np.ldexp(whole, np.where(finite, power, 0)), np.nan).astype(np.float32)


def packed_bfloat16(sums: Floats) -> U8Array:
    """Sums that are rounded to bfloat16, in two bytes each: uint8 (2n,), little-endian."""
    return (sums.view(np.uint32) >> 16).astype("<u2").view(np.uint8)


def unpacked_bfloat16(packed: U8Array) -> Floats:
    """The sums that these bytes say: float32 (n,)."""
    return (packed.view("<u2").astype(np.uint32) << 16).view(np.float32)


def packed_int8(sums: Floats) -> U8Array:
    """Sums that are rounded to int8, in a byte each, behind a byte for each group: uint8 (⌈n/256⌉ + n,)."""
    power = powers(sums)
    each = np.repeat(power, GROUP)[: len(sums)]
    finite = each != NOT_FINITE
    whole = np.ldexp(np.where(finite, sums, 0.0), np.where(finite, -each, 0)).astype(np.int8)
    return np.concatenate([(power - LEAST).astype(np.uint8), whole.view(np.uint8)])


def unpacked_int8(packed: U8Array, count: int) -> Floats:
    """The `count` sums that these bytes say: float32 (count,)."""
    groups = -(-count // GROUP)
    power = np.repeat(packed[:groups].astype(np.int64) + LEAST, GROUP)[:count]
    finite, whole = power != NOT_FINITE, packed[groups:].view(np.int8).astype(np.float64)
    return np.where(finite, np.ldexp(whole, np.where(finite, power, 0)), np.nan).astype(np.float32)
