"""Random numbers by counter, and a keyed bijection: every draw is computed, none is remembered.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers, as easy as 1, 2, 3; SC 2011) maps
a key (seed, purpose) and a 128-bit counter to four 32-bit words. There is no generator object and no
ambient state, so any draw of a run can be made anywhere, in any order, any number of times.

A sample's draws use the counter (sample id, epoch, block of four draws, lane), see `lane`;
per-parameter draws use (parameter block, step, 0, 0).
"""

from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.compiled import I64, U32, U64, In, In2, Out, Out2, device, kernel
from millrace.errors import UsageError

SEED_LIMIT = 1 << 32
# Small ranges mix slowly, a few bits a round; from 2¹¹ values on, twelve rounds leave no trace in any test of ours.
SMALL_BITS, MOST_ROUNDS, ROUNDS = 10, 24, 12
U32Array = npt.NDArray[np.uint32]
I64Array = npt.NDArray[np.int64]


class Purpose(IntEnum):
    """What a draw is for: the second word of the key. Append only: a number is never reused."""

    ORDER = 1
    AUGMENT = 2
    INITIAL = 3
    SUBSET = 4
    VALIDATION = 5
    DIGITS_TEST = 6
    DROPOUT = 7
    INPUT_NOISE = 8
    WEIGHT_NOISE = 9
    ELASTIC = 10
    ERASE = 11
    POINTS = 12
    MIXUP = 13
    TEST = 14
    SAMPLING = 15
    ROUNDING = 16


def check_seed(seed: int) -> int:
    """The seed itself, if it lies in [0, 2³²); else a UsageError."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < SEED_LIMIT:
        raise UsageError("the seed is out of range", expected="a whole number from 0 to 4294967295", got=seed)
    return seed


def lane(layer: int = 0, split: int = 0, replica: int = 0) -> int:
    """The fourth counter word: layer (16 bits), split (8 bits: 0 train, 1 validation, 2 test), replica (8 bits)."""
    if not (0 <= layer < 1 << 16 and 0 <= split < 1 << 8 and 0 <= replica < 1 << 8):
        raise UsageError(
            "a counter lane is out of range",
            expected="layer < 65536, split < 256, replica < 256",
            got=f"layer {layer}, split {split}, replica {replica}",
        )
    return layer << 16 | split << 8 | replica


@device
def philox(k0: U32, k1: U32, c0: U32, c1: U32, c2: U32, c3: U32) -> tuple[U32, U32, U32, U32]:
    """One Philox4x32-10 block for kernels: all arguments and the four results are uint32 scalars."""
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * np.uint64(c0)
        p1 = np.uint64(0xCD9E8D57) * np.uint64(c2)
        c0 = np.uint32(p1 >> np.uint64(32)) ^ c1 ^ k0
        c1 = np.uint32(p1)
        c2 = np.uint32(p0 >> np.uint64(32)) ^ c3 ^ k1
        c3 = np.uint32(p0)
        k0 = np.uint32(k0 + np.uint32(0x9E3779B9))
        k1 = np.uint32(k1 + np.uint32(0xBB67AE85))
    return c0, c1, c2, c3


@kernel
def _philox_rows(k0: U32, k1: U32, counters: In2[U32], out: Out2[U32]) -> None:
    for row in range(counters.shape[0]):
        words = philox(k0, k1, counters[row, 0], counters[row, 1], counters[row, 2], counters[row, 3])
        out[row, 0], out[row, 1], out[row, 2], out[row, 3] = words


def words(seed: int, purpose: int, c0: Any, c1: Any = 0, c2: Any = 0, c3: Any = 0) -> U32Array:
    """Four random words for each counter: uint32, shape (n, 4).

    The counter words are whole numbers or arrays of them that broadcast to shape (n,); only their
    low 32 bits count.
    """
    columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(c)) for c in (c0, c1, c2, c3)))
    counters = np.ascontiguousarray(np.stack(columns, axis=1).astype(np.uint64) & 0xFFFFFFFF).astype(np.uint32)
    out = np.empty_like(counters)
    _philox_rows(np.uint32(check_seed(seed)), np.uint32(purpose), counters, out)
    return out


def each(value: npt.ArrayLike, rows: int) -> U32Array:
    """A counter word for each of so many rows, uint32 (rows,), C-contiguous: from one whole number for all, or one for
    each; only the low 32 bits count."""
    return np.ascontiguousarray(np.broadcast_to(np.asarray(value, np.int64), rows) & 0xFFFFFFFF, np.uint32)


def uniform(drawn: U32Array) -> npt.NDArray[np.float64]:
    """Words as float64 in (0, 1): the middle of each of 2³² equal cells, so never 0 and never 1."""
    return (drawn.astype(np.float64) + 0.5) * 2.0**-32


@device
def _scramble(value: U32, key: U32) -> U32:
    # The round function: an integer hash of 32 bits (shift, multiply), enough for a Feistel round.
    value = np.uint32(value ^ key)
    value = np.uint32((value ^ (value >> np.uint32(16))) * np.uint32(0x21F0AAAD))
    value = np.uint32((value ^ (value >> np.uint32(15))) * np.uint32(0xD35A2D97))
    return np.uint32(value ^ (value >> np.uint32(15)))


@device
def _walk(value: U64, size: int, bits: int, keys: In[U32]) -> U64:
    high_bits = bits // 2
    low_bits = bits - high_bits
    while True:
        left = np.uint32(value >> np.uint64(low_bits))
        right = np.uint32(value & np.uint64((1 << low_bits) - 1))
        left_mask = np.uint32((1 << high_bits) - 1)
        right_mask = np.uint32((1 << low_bits) - 1)
        # Two rounds at a time keep the widths of the unequal halves in place.
        for turn in range(0, keys.shape[0], 2):
            left = np.uint32(left ^ (_scramble(right, keys[turn]) & left_mask))
            right = np.uint32(right ^ (_scramble(left, keys[turn + 1]) & right_mask))
        value = (np.uint64(left) << np.uint64(low_bits)) | np.uint64(right)
        # Cycle walking: values outside the range are mapped on until one falls inside.
        if value < np.uint64(size):
            return value


@kernel
def _permute(positions: In[I64], size: int, bits: int, keys: In[U32], out: Out[I64]) -> None:
    for index in range(positions.shape[0]):
        out[index] = np.int64(_walk(np.uint64(positions[index]), size, bits, keys))


@kernel
def _permute_each(
    seed: U32, purpose: U32, positions: In[I64], sizes: In[I64], tweaks: In[U32], which: In[U32], out: Out[I64]
) -> None:
    keys = np.empty(MOST_ROUNDS, np.uint32)
    for index in range(positions.shape[0]):
        size, bits = sizes[index], 2
        while bits < 62 and (1 << bits) < size:
            bits += 1
        rounds = MOST_ROUNDS if bits <= SMALL_BITS else ROUNDS
        for block in range(rounds // 4):
            at = 4 * block
            drawn = philox(seed, purpose, np.uint32(block), tweaks[index], np.uint32(bits), which[index])
            keys[at], keys[at + 1], keys[at + 2], keys[at + 3] = drawn
        out[index] = np.int64(_walk(np.uint64(positions[index]), size, bits, keys[:rounds]))


@lru_cache(maxsize=64)
def _round_keys(seed: int, purpose: int, tweak: int, bits: int) -> U32Array:
    rounds = MOST_ROUNDS if bits <= SMALL_BITS else ROUNDS
    keys = words(seed, purpose, np.arange(rounds // 4), tweak, bits).reshape(-1)
    keys.flags.writeable = False  # shared by all callers
    return keys


def permute(positions: npt.ArrayLike, size: int, *, seed: int, purpose: int, tweak: int = 0) -> I64Array:
    """Where a keyed bijection of [0, size) sends each position: int64, same shape (n,).

    A Feistel network over the next power of two with cycle walking: O(1) time and memory for any
    position, fewer than two network passes each on average. `tweak` tells permutations of one key
    apart, such as the epoch.
    """
    places = np.ascontiguousarray(positions, dtype=np.int64)
    if not 1 <= size <= 1 << 62:
        raise UsageError("cannot permute", expected="a size of at least 1", got=size)
    if places.size and (places.min() < 0 or places.max() >= size):
        raise UsageError(
            "a position is outside of the permutation",
            expected=f"0 to {size - 1}",
            got=f"{places.min()} to {places.max()}",
        )
    bits = max(int(size - 1).bit_length(), 2)
    out = np.empty_like(places)
    _permute(places, size, bits, _round_keys(seed, int(purpose), tweak, bits), out)
    return out


def position_of(value: int, size: int, *, seed: int, purpose: int, tweak: int = 0) -> int:
    """The position that `permute` sends to a value in [0, size): the network backwards, O(1) in time and memory."""
    bits = max(int(size - 1).bit_length(), 2)
    keys = [int(key) for key in _round_keys(seed, int(purpose), tweak, bits)]
    low_bits = bits - bits // 2
    low, high = (1 << low_bits) - 1, (1 << bits // 2) - 1
    if not 0 <= value < size:
        raise UsageError("a value is outside of the permutation", expected=f"0 to {size - 1}", got=value)
    while True:
        left, right = value >> low_bits, value & low
        for turn in range(len(keys) - 2, -1, -2):
            right ^= _scrambled(left ^ keys[turn + 1]) & low
            left ^= _scrambled(right ^ keys[turn]) & high
        value = left << low_bits | right
        if value < size:
            return value


def _scrambled(value: int) -> int:
    """`_scramble` of a value that the key is in already, for one number."""
    value = (value ^ value >> 16) * 0x21F0AAAD & 0xFFFFFFFF
    value = (value ^ value >> 15) * 0xD35A2D97 & 0xFFFFFFFF
    return value ^ value >> 15


def permute_each(
    positions: npt.ArrayLike,
    sizes: npt.ArrayLike,
    tweaks: npt.ArrayLike,
    which: npt.ArrayLike,
    *,
    seed: int,
    purpose: int,
) -> I64Array:
    """Where keyed bijections send positions, each by one of its own, of [0, size) of its own size: int64 (n,).

    tweaks and `which` tell bijections of one key apart, whole numbers whose low 32 bits count; of `which` 0 they are
    those of `permute`. UsageError for a position outside of its range."""
    places, ranges = np.ascontiguousarray(positions, np.int64), np.ascontiguousarray(sizes, np.int64)
    if places.shape != ranges.shape or (places < 0).any() or (places >= ranges).any():
        raise UsageError("a position is outside of its permutation", expected="0 to its size, exclusive")
    out = np.empty_like(places)
    key = np.uint32(check_seed(seed)), np.uint32(purpose)
    _permute_each(*key, places, ranges, each(tweaks, len(places)), each(which, len(places)), out)
    return out


def permutation(size: int, *, seed: int, purpose: int, tweak: int = 0) -> I64Array:
    """The whole keyed bijection as an array: int64, shape (size,)."""
    return permute(np.arange(size, dtype=np.int64), size, seed=seed, purpose=purpose, tweak=tweak)
