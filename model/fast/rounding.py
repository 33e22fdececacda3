"""Rounding of sums of gradients and their packed form, as fused kernels; `model.rounding` is the page to read."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millrace.compiled import F32, U8, U16, U32, In, Out, device, kernel
from millrace.counters import Purpose, philox
from millrace.errors import UsageError
from millrace.model.layout import Floats
from millrace.model.options import BFLOAT16, INT8
from millrace.model.rounding import GROUP, LEAST, MOST, NOT_FINITE, TILE, U8Array

INFINITE, SIGNLESS, UPPER, QUIET = 0x7F800000, 0x7FFFFFFF, 0xFFFF0000, 0x00400000
LONGER = 0x0001FFFF  # carries into the exponent where the fraction is above 127/128

# 2^power and 2^−power, by power − LEAST; what is not finite is not-a-number times anything.
_POWERS = np.ldexp(np.ones(NOT_FINITE - LEAST + 1), np.minimum(np.arange(NOT_FINITE - LEAST + 1) + LEAST, 127))
POWERS = _POWERS.astype(np.float32)
INVERSES = (1.0 / _POWERS).astype(np.float32)
POWERS[-1], INVERSES[-1] = np.nan, 0.0


@device
def _draw(seed: U32, purpose: U32, tile: int, step: U32, start: U32, size: U32, drawn: Out[U32]) -> None:
    """16 bits for each number of a tile, uint32 (TILE,). So laid out, every loop is vector code."""
    low = np.uint32(0xFFFF)
    for k in range(GROUP):
        a, b, c, d = philox(seed, purpose, np.uint32(tile * GROUP + k), step, start, size)
        drawn[k], drawn[GROUP + k] = a & low, a >> np.uint32(16)
        drawn[2 * GROUP + k], drawn[3 * GROUP + k] = b & low, b >> np.uint32(16)
        drawn[4 * GROUP + k], drawn[5 * GROUP + k] = c & low, c >> np.uint32(16)
        drawn[6 * GROUP + k], drawn[7 * GROUP + k] = d & low, d >> np.uint32(16)


@device
def _code(bits: In[U32]) -> int:
    """A group's power of two less LEAST, from the bits of its numbers: those of a size compare as it does."""
    largest = np.uint32(0)
    for k in range(bits.shape[0]):
        largest = max(largest, np.uint32(bits[k] & np.uint32(SIGNLESS)))
    if largest >= np.uint32(INFINITE):
        return NOT_FINITE - LEAST
    power = int((largest + np.uint32(LONGER)) >> np.uint32(23)) - 133
    return min(max(power, LEAST), MOST) - LEAST


@kernel
def _round_bfloat16(seed: U32, purpose: U32, step: U32, start: U32, size: U32, first: int, bits: Out[U32]) -> None:
    n, drawn = bits.shape[0], np.empty(TILE, np.uint32)
    infinite, signless, upper = np.uint32(INFINITE), np.uint32(SIGNLESS), np.uint32(UPPER)
    for tile in range((n + TILE - 1) // TILE):
        _draw(seed, purpose, first + tile, step, start, size, drawn)
        part = bits[tile * TILE : min((tile + 1) * TILE, n)]
        for k in range(part.shape[0]):
            old = part[k]
            up, kept = np.uint32(np.uint32(old + drawn[k]) & upper), np.uint32(old & upper)
            new = kept if (old & infinite) == infinite or (up & infinite) == infinite else up
            part[k] = np.uint32(kept | np.uint32(QUIET)) if (old & signless) > infinite else new


@device
def _round_tile(drawn: In[U32], powers: In[F32], inverses: In[F32], bits: In[U32], sums: Out[F32]) -> None:
    # A function of its own: LLVM makes no vector code of both this and the drawing where they stand in one.
    one, least, most = np.float32(65536.0), np.int32(-127 * 65536), np.int32(127 * 65536)
    for begin in range(0, bits.shape[0], GROUP):
        code = _code(bits[begin : begin + GROUP])
        power, inverse = powers[code], inverses[code]
        part, chance = sums[begin : begin + GROUP], drawn[begin : begin + GROUP]
        if code == NOT_FINITE - LEAST:
            part[:] = power
            continue
        for k in range(part.shape[0]):
            units = min(max(np.int32(np.rint(part[k] * inverse * one)), least), most)
            part[k] = np.float32(np.int32(units + np.int32(chance[k])) >> np.int32(16)) * power


@kernel
def _round_int8(
    seed: U32,
    purpose: U32,
    step: U32,
    start: U32,
    size: U32,
    first: int,
    powers: In[F32],
    inverses: In[F32],
    bits: In[U32],
    sums: Out[F32],
) -> None:
    n, drawn = bits.shape[0], np.empty(TILE, np.uint32)
    for tile in range((n + TILE - 1) // TILE):
        _draw(seed, purpose, first + tile, step, start, size, drawn)
        begin, end = tile * TILE, min((tile + 1) * TILE, n)
        _round_tile(drawn, powers, inverses, bits[begin:end], sums[begin:end])


@kernel
def _pack_bfloat16(bits: In[U32], packed: Out[U16]) -> bool:
    lost = np.uint32(0)
    for k in range(bits.shape[0]):
        packed[k] = np.uint16(bits[k] >> np.uint32(16))
        lost = np.uint32(lost | np.uint32(bits[k] & np.uint32(0xFFFF)))
    return bool(lost == 0)


@kernel
def _unpack_bfloat16(packed: In[U16], bits: Out[U32]) -> None:
    for k in range(bits.shape[0]):
        bits[k] = np.uint32(np.uint32(packed[k]) << np.uint32(16))


@kernel
def _pack_int8(inverses: In[F32], bits: In[U32], sums: In[F32], codes: Out[U8], wholes: Out[U8]) -> bool:
    fits = True
    for group in range(codes.shape[0]):
        begin, end = group * GROUP, min((group + 1) * GROUP, bits.shape[0])
        code = _code(bits[begin:end])
        inverse, part, out = inverses[code], sums[begin:end], wholes[begin:end]
        codes[group] = np.uint8(code)
        if code == NOT_FINITE - LEAST:
            out[:] = np.uint8(0)
        else:
            wrong = 0
            for k in range(part.shape[0]):
                scaled = part[k] * inverse
                whole = np.int32(scaled)
                out[k] = np.uint8(whole & np.int32(0xFF))
                wrong += np.float32(whole) != scaled
            fits &= wrong == 0
    return fits


@kernel
def _unpack_int8(powers: In[F32], codes: In[U8], wholes: In[U8], sums: Out[F32]) -> None:
    for group in range(codes.shape[0]):
        begin, end = group * GROUP, min((group + 1) * GROUP, sums.shape[0])
        power, part, out = powers[codes[group]], wholes[begin:end], sums[begin:end]
        for k in range(part.shape[0]):
            out[k] = np.float32(np.int8(part[k])) * power


@dataclass(frozen=True)
class Rounding:
    """How a run rounds its sums of gradients. kind: bfloat16 or int8. seed: of the run."""

    kind: str
    seed: int

    def apply(self, sums: Floats, step: int, start: int, size: int, first: int = 0) -> None:
        """Round, in place, the sums of the node [start, start + size) of a step.

        sums: float32 (n,), the gradient's numbers from `first` on, a multiple of TILE: any cut at whole chunks gives
        the same bits. UsageError for another `first`."""
        if first % TILE:
            raise UsageError("a gradient is cut within a tile", expected=f"a multiple of {TILE}", got=first)
        bits = sums.view(np.uint32)
        key = np.uint32(self.seed), np.uint32(Purpose.ROUNDING), np.uint32(step), np.uint32(start), np.uint32(size)
        if self.kind == BFLOAT16:
            _round_bfloat16(*key, first // TILE, bits)
        else:
            _round_int8(*key, first // TILE, POWERS, INVERSES, bits, sums)

    def packed_bytes(self, count: int) -> int:
        """The bytes that so many sums take when they travel."""
        return -(-count // GROUP) + count if self.kind == INT8 else 2 * count

    def pack(self, sums: Floats) -> U8Array:
        """Rounded sums as they travel: uint8 (packed_bytes(n),). sums: float32 (n,), a node's or whole chunks of it.
        UsageError where they are not rounded."""
        packed = np.empty(self.packed_bytes(len(sums)), np.uint8)
        bits = sums.view(np.uint32)
        if self.kind == INT8:
            groups = len(packed) - len(sums)
            fits = _pack_int8(INVERSES, bits, sums, packed[:groups], packed[groups:])
        else:
            fits = _pack_bfloat16(bits, packed.view(np.uint16))
        if not fits:
            raise UsageError(f"sums that are not rounded to {self.kind} cannot travel so")
        return packed

    def unpack(self, packed: U8Array, count: int) -> Floats:
        """The `count` sums that were packed, float32 (count,), an array of its own. UsageError for another number of
        bytes."""
        if packed.dtype != np.uint8 or packed.shape != (self.packed_bytes(count),):
            expected = f"{self.packed_bytes(count)} bytes for {count} sums in {self.kind}"
            raise UsageError("a gradient does not fit", expected=expected, got=f"{packed.nbytes} bytes")
        sums: npt.NDArray[np.float32] = np.empty(count, np.float32)
        if self.kind == INT8:
            groups = len(packed) - count
            _unpack_int8(POWERS, packed[:groups], packed[groups:], sums)
        else:
            _unpack_bfloat16(packed.view(np.uint16), sums.view(np.uint32))
        return sums
