"""Rounding of sums: hand-made numbers, neighbours, unbiased draws; the page and the kernels agree in every bit."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.errors import UsageError
from millrace.model import rounding as page
from millrace.model.fast.rounding import Rounding
from millrace.model.layout import Floats
from millrace.model.norms import CHUNK
from millrace.model.options import BFLOAT16, INT8

KINDS = (BFLOAT16, INT8)
ROUND = {BFLOAT16: page.to_bfloat16, INT8: page.to_int8}
PACK = {BFLOAT16: page.packed_bfloat16, INT8: page.packed_int8}
LARGEST = np.float32(3.4028234e38)


def rounded(kind: str, sums: npt.ArrayLike, step: int = 3, start: int = 4, size: int = 2, seed: int = 7) -> Floats:
    made = np.array(sums, np.float32)
    Rounding(kind, seed).apply(made, step, start, size)
    return made


def wild(n: int, seed: int = 1) -> Floats:
    """Numbers of all sizes, zeros of both signs and subnormal numbers among them."""
    rng = np.random.default_rng(seed)
    made = (rng.standard_normal(n) * 10.0 ** rng.integers(-44, 38, n)).astype(np.float32)
    made[rng.random(n) < 0.2] *= 0.0
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 3, 255, 256, 257, page.TILE - 1, page.TILE, page.TILE + 1, 3 * page.TILE + 300])
@pytest.mark.parametrize("special", [[], [np.inf], [-np.inf, np.nan], [LARGEST, -LARGEST]])
def test_the_page_and_the_kernels_are_equal_in_every_bit(kind: str, n: int, special: list[float]) -> None:
    for sums in (wild(n), np.random.default_rng(n).standard_normal(n).astype(np.float32)):
        sums[: len(special)] = special[:n]
        expected = ROUND[kind](sums, page.draws(9, 3, 4, 2, 0, n))
        made = rounded(kind, sums, seed=9)
        assert made.view(np.uint32).tolist() == expected.view(np.uint32).tolist()
        how = Rounding(kind, 9)
        packed = how.pack(made)
        assert packed.tobytes() == PACK[kind](expected).tobytes()
        assert len(packed) == how.packed_bytes(n)
        assert how.unpack(packed, n).tobytes() == made.tobytes()
        again = page.unpacked_bfloat16(packed) if kind == BFLOAT16 else page.unpacked_int8(packed, n)
        assert again.tobytes() == made.tobytes()


def test_bfloat16_is_one_of_the_two_neighbours_by_hand() -> None:
    # 8 bits of precision: the neighbours of 1 + 2⁻⁹ are 1 and 1 + 2⁻⁷, a quarter of the way up.
    assert set(rounded(BFLOAT16, [1 + 2**-9] * 400).tolist()) == {1.0, 1 + 2**-7}
    assert set(rounded(BFLOAT16, [-3 - 2**-7] * 400).tolist()) == {-3.0, -3 - 2**-6}
    exact = [0.0, -0.0, 1.0, -1.5, 2.0**-126, 255.0, 3.0e38 // 2**120 * 2**120]
    assert rounded(BFLOAT16, exact).tobytes() == np.array(exact, np.float32).tobytes()


def test_bfloat16_of_all_sizes_is_one_of_the_two_neighbours() -> None:
    sums = wild(3000)
    made = rounded(BFLOAT16, sums)
    # Cut off towards zero, and the next one from there.
    below = (sums.view(np.uint32) & 0xFFFF0000).view(np.float32)
    above = (below.view(np.uint32) + 0x10000).view(np.float32)
    assert ((made == below) | (made == above)).all()
    assert 0.4 < np.mean((made == above)[below != sums]) < 0.6
    bfloat16 = pytest.importorskip("ml_dtypes", reason="not a dependency; the neighbours are above").bfloat16
    assert made.astype(bfloat16).astype(np.float32).tobytes() == made.tobytes()
    nearest = sums.astype(bfloat16).astype(np.float32)
    assert ((nearest == below) | (nearest == above)).all()


def test_int8_by_hand() -> None:
    # The largest is 100: 127 · 2⁰ reaches it, 127 · 2⁻¹ does not. So whole numbers stay, and a half becomes 0 or 1.
    made = rounded(INT8, [100.0, -3.0, 0.0, -0.0, *[0.5] * 252])
    assert made[:4].tolist() == [100.0, -3.0, 0.0, 0.0]
    assert set(made[4:].tolist()) == {0.0, 1.0}
    # 127 · 2⁻⁷ is 127/128: it reaches itself, and not 1, which is 64 · 2⁻⁶.
    assert rounded(INT8, [127 / 128, 2**-7]).tolist() == [127 / 128, 2**-7]
    assert set(rounded(INT8, [1.0, *[2**-7] * 200]).tolist()) == {1.0, 0.0, 2**-6}
    # The next group has a power of its own.
    assert rounded(INT8, [1e30] * 256 + [2.0**-100])[256] == 2.0**-100


def test_the_packed_form_by_hand() -> None:
    assert Rounding(INT8, 0).pack(np.array([100, -3, 127], np.float32)).tolist() == [126, 100, 253, 127]
    assert Rounding(BFLOAT16, 0).pack(np.array([1.0, -2.0], np.float32)).tolist() == [0x80, 0x3F, 0x00, 0xC0]
    assert Rounding(INT8, 0).packed_bytes(1_086_215) == 1_086_215 + 4_244
    assert Rounding(BFLOAT16, 0).packed_bytes(1_086_215) == 2_172_430


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_finite_stays_so(kind: str) -> None:
    """Else a training that breaks down would not end."""
    for bad in (np.inf, -np.inf, np.nan):
        made = rounded(kind, [1.0, bad, 2.0])
        assert not np.isfinite(made[1])
        assert not np.isfinite(Rounding(kind, 0).unpack(Rounding(kind, 0).pack(made), 3)[1])
    odd = np.array([0x7F800001, 0xFFFFFFFF], np.uint32).view(
        np.float32
    )  # not-a-number in the lower half alone, and all ones
    assert np.isnan(rounded(kind, odd)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_and_the_smallest_numbers(kind: str) -> None:
    most = rounded(kind, [LARGEST, -LARGEST] * 100)
    assert np.isfinite(most).all()
    assert (np.abs(most) >= 0.99 * LARGEST).all()
    assert not rounded(kind, np.zeros(300)).any()
    tiny = rounded(kind, np.full(4096, 2.0**-128))
    spacing = 2.0**-126 if kind == INT8 else 2.0**-133
    assert (np.float64(tiny) % spacing == 0).all()
    assert np.float64(tiny).mean() == pytest.approx(2.0**-128, rel=0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_of_many_steps_is_the_number_itself(kind: str) -> None:
    """Each error is below the spacing; the mean of N has a deviation of at most spacing / (2 √N). Six of them are a
    bound that a sound generator breaks once in 10⁸ numbers."""
    rng = np.random.default_rng(5)
    sums = rng.standard_normal(2 * page.GROUP).astype(np.float32)
    steps = 1000
    total = np.zeros(len(sums))
    for step in range(steps):
        total += rounded(kind, sums, step=step)
    if kind == INT8:
        spacing = np.repeat(np.ldexp(1.0, page.powers(sums)), page.GROUP)
    else:
        spacing = np.ldexp(1.0, np.frexp(sums)[1] - 8)
    error = (total / steps - sums) / spacing
    assert np.abs(error).max() < 6 / (2 * np.sqrt(steps))
    assert abs(error.mean()) < 6 / (2 * np.sqrt(steps * len(sums)))


@pytest.mark.parametrize("kind", KINDS)
def test_seed_step_node_and_place_each_draw_anew(kind: str) -> None:
    halfway = 1.5 if kind == INT8 else 1 + 2**-8
    sums = np.full(3 * page.TILE, halfway, np.float32)
    sums[:: page.GROUP] = 100.0
    makes = [{}, {"seed": 8}, {"step": 4}, {"start": 6}, {"size": 1}]
    made = [rounded(kind, sums, **change) for change in makes]
    made += [np.roll(made[0], page.TILE), np.roll(made[0], page.GROUP)]
    for first in range(len(made)):
        for second in range(first):
            assert 0.45 < np.mean(made[first] != made[second]) < 0.55


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 2), st.integers(1, 2 * CHUNK), st.sampled_from(KINDS))
def test_cuts_at_whole_chunks_change_no_bit(chunks: int, rest: int, kind: str) -> None:
    how = Rounding(kind, 7)
    sums = np.random.default_rng(rest).standard_normal(chunks * CHUNK + rest).astype(np.float32)
    whole, cut = sums.copy(), chunks * CHUNK
    how.apply(whole, 1, 2, 2)
    how.apply(sums[:cut], 1, 2, 2)
    how.apply(sums[cut:], 1, 2, 2, cut)
    assert sums.tobytes() == whole.tobytes()
    parts = [how.unpack(how.pack(part), len(part)) for part in (whole[:cut], whole[cut:])]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input(kind: str) -> None:
    how = Rounding(kind, 0)
    with pytest.raises(UsageError, match="cut within a tile"):
        how.apply(np.zeros(5, np.float32), 0, 0, 1, 100)
    with pytest.raises(UsageError, match="not rounded"):
        how.pack(np.array([1.0, 1 / 3], np.float32))
    good = how.pack(np.zeros(300, np.float32))
    wrong: list[Any] = [good[:-1], np.append(good, np.uint8(0)), good.astype(np.float32), good.reshape(1, -1)]
    for packed in wrong:
        with pytest.raises(UsageError, match=f"bytes for 300 sums in {kind}"):
            how.unpack(packed, 300)
