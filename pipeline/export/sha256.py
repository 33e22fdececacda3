"""Two sha256 in one pass: that of a file, and that of the pixels which lie in it.

A step of SHA-256 waits for the step before it, so one digest leaves the processor's sha unit idle half of the time;
two at once take the time of one. The blocks are the same for both where the pixels begin at a multiple of 64 bytes of
the file. Source: FIPS 180-4; Intel, "New Instructions Supporting the Secure Hash Algorithm on Intel Architecture
Processors" (2013). Elsewhere than on such processors `hashlib` does the work, once for each digest.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils as untyped_cgutils
from numba.core import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from compiled import U8, U32, array, kernel, readonly

BLOCK = 64  # bytes
ROUNDS = (
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
)  # fmt: skip
# The state a … h as the instructions want it: f e b a, then h g d c.
_PLACES = [5, 4, 1, 0, 7, 6, 3, 2]
_START = np.array(
    [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19], np.uint32
)[_PLACES]

cgutils: Any = untyped_cgutils
_WORD, _INDEX = ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_WORD, 4)
_features = str(cpu_target.target_context.codegen().magic_tuple()[2]).split(",")
AVAILABLE = {"+sha", "+sse4.1"} <= set(_features)  # of the processor that kernels are compiled for

Bytes = npt.NDArray[np.uint8]


def digests(parts: Sequence[Any], pixels: Bytes) -> tuple[str, str]:
    """Hexadecimal sha256 of the parts one after another, and of the pixels, uint8, C-contiguous. Quick where the
    pixels themselves, not a copy, are one of the parts."""
    views = [np.frombuffer(part, np.uint8) for part in parts]
    flat = pixels.reshape(-1)
    own = [n for n, view in enumerate(views) if view.ctypes.data == flat.ctypes.data and len(view) == len(flat)]
    before = views[: own[0]] if own else []
    if AVAILABLE and own and not sum(map(len, before)) % BLOCK:
        return twins(b"".join(map(bytes, before)), flat, b"".join(map(bytes, views[own[0] + 1 :])))
    total = hashlib.sha256()
    for view in views:
        total.update(view.data)
    return total.hexdigest(), hashlib.sha256(flat.data).hexdigest()


def twins(before: bytes, shared: Bytes, after: bytes) -> tuple[str, str]:
    """Hexadecimal sha256 of before + shared + after, and of shared. The length of `before` is a multiple of BLOCK."""
    whole = len(shared) // BLOCK * BLOCK
    rest, size = shared[whole:].tobytes(), len(before) + len(shared) + len(after)
    file, idle, inner = _START.copy(), _START.copy(), _START.copy()
    _digest(np.frombuffer(before, np.uint8), file, idle)
    _digest(shared[:whole], file, inner)
    _digest(np.frombuffer(rest + after + _padding(size), np.uint8), file, idle)
    _digest(np.frombuffer(rest + _padding(len(shared)), np.uint8), inner, idle)
    return _told(file), _told(inner)


def _padding(size: int) -> bytes:
    return b"\x80" + bytes((55 - size) % BLOCK) + (8 * size).to_bytes(8, "big")


def _told(state: npt.NDArray[np.uint32]) -> str:
    words = np.empty(8, np.uint32)
    words[_PLACES] = state
    return words.astype(">u4").tobytes().hex()


def _blocks(context: Any, data: Any, count: Any, first: Any, second: Any) -> Any:
    """Take `count` blocks of the data into both states."""

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        source, one, other = (
            b.bitcast(context.make_array(kinds[n])(context, b, arguments[n]).data, _VECTOR.as_pointer())
            for n in (0, 2, 3)
        )
        state = [cgutils.alloca_once_value(b, _load(b, place, half)) for place in (one, other) for half in (0, 1)]
        with cgutils.for_range(b, arguments[1]) as loop:
            at = b.gep(source, [b.mul(loop.index, ir.Constant(loop.index.type, BLOCK // 16))])
            before = [b.load(held) for held in state]
            for held, old, new in zip(state, before, _block(b, at, before), strict=True):
                b.store(b.add(old, new), held)
        for number, held in enumerate(state):
            target = b.gep((one, other)[number // 2], [ir.Constant(_INDEX, number % 2)])
            b.store(b.load(held), target, align=4)
        return context.get_dummy_value()

    return types.void(data, count, first, second), generate


def _block(b: Any, source: Any, state: list[Any]) -> list[Any]:
    """What one block makes of two states, four vectors: the message's words are computed once for both."""
    state, words = list(state), [_call(b, "llvm.bswap.v4i32", _load(b, source, n)) for n in range(4)]
    for group in range(16):
        if group >= 4:
            early = _call(b, "llvm.x86.sha256msg1", words[-4], words[-3])
            mixed = b.add(early, _shuffled(b, words[-2], words[-1], (1, 2, 3, 4)))
            words.append(_call(b, "llvm.x86.sha256msg2", mixed, words[-1]))
        rounds = ir.Constant(_VECTOR, [ir.Constant(_WORD, k) for k in ROUNDS[4 * group : 4 * group + 4]])
        low = b.add(words[group], rounds)
        high = _shuffled(b, low, low, (2, 3, 0, 0))
        # Two rounds make the new a, b, e, f in the place of c, d, g, h; the old ones are the new c, d, g, h.
        for place in (0, 2):
            state[place + 1] = _call(b, "llvm.x86.sha256rnds2", state[place + 1], state[place], low)
        for place in (0, 2):
            state[place] = _call(b, "llvm.x86.sha256rnds2", state[place], state[place + 1], high)
    return state


def _load(b: Any, place: Any, number: int) -> Any:
    return b.load(b.gep(place, [ir.Constant(_INDEX, number)]), align=1)


def _shuffled(b: Any, one: Any, other: Any, places: tuple[int, ...]) -> Any:
    return b.shuffle_vector(one, other, ir.Constant(ir.VectorType(_WORD, 4), [ir.Constant(_WORD, n) for n in places]))


def _call(b: Any, name: str, *arguments: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(arguments))
    return b.call(cgutils.get_or_insert_function(b.module, kind, name), arguments)


_take: Any = intrinsic(_blocks)


def _digest(data: Bytes, first: npt.NDArray[np.uint32], second: npt.NDArray[np.uint32]) -> None:
    """Take whole blocks into both states, in place. data: uint8, a multiple of BLOCK bytes; states: uint32 (8,)."""
    _take(data, data.shape[0] // BLOCK, first, second)


if AVAILABLE:  # elsewhere the machine code could not be made
    _digest = cast(Any, kernel(readonly(U8), array(U32), array(U32))(_digest))
