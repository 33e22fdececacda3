"""Philox against published answers, the keyed bijection against what chance would give."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace import counters
from millrace.counters import Purpose, check_seed, lane, permutation, permute, permute_each, position_of, uniform, words
from millrace.errors import UsageError
from tests.chance import equally_often, evenly_spread

MASK = 0xFFFFFFFF


def philox(key: tuple[int, int], counter: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Philox4x32-10 in whole numbers, written down from the paper (Salmon et al. 2011, section 3.3)."""
    (k0, k1), (c0, c1, c2, c3) = key, counter
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & MASK, (p0 >> 32) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c0, c1, c2, c3


@pytest.mark.parametrize(
    ("key", "counter", "answer"),
    [
        ((0, 0), (0, 0, 0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((MASK, MASK), (MASK,) * 4, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0xA4093822, 0x299F31D0),
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_known_answers(key: tuple[int, int], counter: tuple[int, int, int, int], answer: str) -> None:
    assert " ".join(f"{word:08x}" for word in words(*key, *counter)[0]) == answer
    assert " ".join(f"{word:08x}" for word in philox(key, counter)) == answer


WORD = st.integers(0, MASK)


@given(key=st.tuples(WORD, WORD), counter=st.tuples(WORD, WORD, WORD, WORD))
def test_words_are_those_of_the_paper(key: tuple[int, int], counter: tuple[int, int, int, int]) -> None:
    assert tuple(words(*key, *counter)[0]) == philox(key, counter)


def test_words_broadcast_and_take_the_low_32_bits() -> None:
    rows = words(7, 2, np.arange(5), 3, np.array([1 << 40, -1, 5, 6, 7]), 9)
    assert rows.shape == (5, 4)
    assert rows.dtype == np.uint32
    for index, third in enumerate([0, MASK, 5, 6, 7]):
        assert tuple(rows[index]) == philox((7, 2), (index, 3, third, 9))
    assert words(1, 1, np.empty(0, np.int64)).shape == (0, 4)


def test_any_part_of_the_counter_and_the_key_makes_other_words() -> None:
    base = words(1, 2, 3, 4, 5, 6)
    others = [words(2, 2, 3, 4, 5, 6), words(1, 3, 3, 4, 5, 6), words(1, 2, 4, 4, 5, 6)]
    others += [words(1, 2, 3, 5, 5, 6), words(1, 2, 3, 4, 6, 6), words(1, 2, 3, 4, 5, 7)]
    seen = {tuple(row[0]) for row in [base, *others]}
    assert len(seen) == 7


@pytest.mark.parametrize("change", ["purpose", "epoch", "block", "lane", "seed"])
def test_streams_of_draws_are_independent(change: str) -> None:
    ids = np.arange(40_000)
    plain = uniform(words(5, Purpose.AUGMENT, ids, 0, 0, 0))
    other = {
        "seed": words(6, Purpose.AUGMENT, ids, 0, 0, 0),
        "purpose": words(5, Purpose.ORDER, ids, 0, 0, 0),
        "epoch": words(5, Purpose.AUGMENT, ids, 1, 0, 0),
        "block": words(5, Purpose.AUGMENT, ids, 0, 1, 0),
        "lane": words(5, Purpose.AUGMENT, ids, 0, 0, lane(split=1)),
    }[change]
    cross = np.corrcoef(plain.T, uniform(other).T)[:4, 4:]
    assert np.abs(cross).max() < 5 / math.sqrt(len(ids))
    # Two draws of one sample fill the square evenly.
    cells = np.histogram2d(plain[:, 0], uniform(other)[:, 0], bins=16, range=[[0, 1], [0, 1]])[0]
    assert equally_often(cells) > 1e-4


def test_neighbours_are_independent() -> None:
    drawn = uniform(words(0, Purpose.AUGMENT, np.arange(100_000)))
    for column in drawn.T:
        assert evenly_spread(column) > 1e-4
        assert abs(np.corrcoef(column[:-1], column[1:])[0, 1]) < 5 / math.sqrt(len(drawn))


def test_uniform_is_the_middle_of_each_cell() -> None:
    got = uniform(np.array([0, 1, 1 << 31, MASK], np.uint32))
    assert got.dtype == np.float64
    assert got.tolist() == [2.0**-33, 1.5 * 2.0**-32, 0.5 + 2.0**-33, 1.0 - 2.0**-33]


def test_the_purposes_are_append_only() -> None:
    """A number means the same forever: add lines at the end, change none."""
    table = {
        "ORDER": 1,
        "AUGMENT": 2,
        "INITIAL": 3,
        "SUBSET": 4,
        "VALIDATION": 5,
        "DIGITS_TEST": 6,
        "DROPOUT": 7,
        "INPUT_NOISE": 8,
        "WEIGHT_NOISE": 9,
        "ELASTIC": 10,
        "ERASE": 11,
        "POINTS": 12,
        "MIXUP": 13,
        "TEST": 14,
        "SAMPLING": 15,
        "ROUNDING": 16,
    }
    assert table == {name: purpose.value for name, purpose in Purpose.__members__.items()}
    assert len(set(table.values())) == len(table)


@pytest.mark.parametrize("seed", [-1, 1 << 32, 1.5, True, "1", None])
def test_a_seed_out_of_range_is_refused(seed: object) -> None:
    with pytest.raises(UsageError, match="seed is out of range"):
        check_seed(seed)  # type: ignore[arg-type]


def test_seeds_up_to_the_limit_are_fit() -> None:
    assert check_seed(0) == 0
    assert check_seed(MASK) == MASK
    assert words(MASK, 1, 0).shape == (1, 4)


def test_lanes_differ_and_stay_in_their_fields() -> None:
    assert lane(1, 2, 3) == 0x0001_02_03
    assert lane(65535, 255, 255) == MASK
    for wrong in ({"layer": 65536}, {"split": 256}, {"replica": -1}):
        with pytest.raises(UsageError, match="lane is out of range"):
            lane(**wrong)


@given(size=st.integers(1, 5000), seed=st.integers(0, MASK), tweak=st.integers(0, MASK))
@settings(max_examples=150, deadline=None)
def test_a_permutation_visits_each_once(size: int, seed: int, tweak: int) -> None:
    got = permutation(size, seed=seed, purpose=Purpose.ORDER, tweak=tweak)
    assert got.dtype == np.int64
    assert np.array_equal(np.sort(got), np.arange(size))


@pytest.mark.parametrize("size", [*range(1, 70), 127, 128, 129, 1023, 1024, 1025, 1437, 60_000, 65_536, 65_537])
def test_a_permutation_at_the_edges_of_its_widths(size: int) -> None:
    got = permutation(size, seed=3, purpose=Purpose.ORDER, tweak=1)
    assert np.array_equal(np.sort(got), np.arange(size))


def test_any_position_alone_is_that_of_the_whole() -> None:
    whole = permutation(60_000, seed=1, purpose=Purpose.ORDER, tweak=9)
    for position in (0, 1, 777, 59_999):
        assert permute([position], 60_000, seed=1, purpose=Purpose.ORDER, tweak=9)[0] == whole[position]
    some = np.arange(20_000, 20_100)[::-1]
    assert np.array_equal(permute(some, 60_000, seed=1, purpose=Purpose.ORDER, tweak=9), whole[some])


@pytest.mark.parametrize("size", [1 << 40, (1 << 40) + 1, 1 << 62, (1 << 62) - 12345])
def test_positions_of_a_range_that_no_list_could_hold(size: int) -> None:
    positions = np.concatenate([np.arange(1000), size - 1 - np.arange(1000), size // 2 + np.arange(1000)])
    got = permute(positions, size, seed=1, purpose=Purpose.ORDER)
    assert got.min() >= 0
    assert got.max() < size
    assert len(np.unique(got)) == len(positions)
    assert evenly_spread(got / size) > 1e-4


@pytest.mark.parametrize("size", [2, 3, 4, 5, pytest.param(6, marks=pytest.mark.slow)])
def test_small_permutations_are_all_as_likely(size: int) -> None:
    rounds = 3000 if size < 6 else 12_000
    counts = dict.fromkeys(itertools.permutations(range(size)), 0)
    for tweak in range(rounds):
        counts[tuple(permutation(size, seed=11, purpose=Purpose.ORDER, tweak=tweak).tolist())] += 1
    assert equally_often(list(counts.values())) > 1e-4


@pytest.mark.parametrize("size", [7, *(pytest.param(size, marks=pytest.mark.slow) for size in (16, 33, 100))])
def test_the_first_positions_go_everywhere(size: int) -> None:
    first = np.array([permute([0, 1], size, seed=2, purpose=Purpose.ORDER, tweak=tweak) for tweak in range(5000)])
    for column in first.T:
        assert equally_often(np.bincount(column, minlength=size)) > 1e-4
    # What stands second does not follow from what stands first: all distances are as likely.
    distances = np.bincount((first[:, 1] - first[:, 0]) % size, minlength=size)
    assert distances[0] == 0
    assert equally_often(distances[1:]) > 1e-4


@pytest.mark.parametrize("size", [100, 1437, 50_000, 60_000])
def test_an_order_has_no_structure(size: int) -> None:
    bound = 5 / math.sqrt(size)
    one = permutation(size, seed=0, purpose=Purpose.ORDER, tweak=0)
    two = permutation(size, seed=0, purpose=Purpose.ORDER, tweak=1)
    for lag in (1, 2, 3, 7, 64, size // 2):
        assert abs(np.corrcoef(one[:-lag], one[lag:])[0, 1]) < 5 / math.sqrt(size - lag)
    assert abs(np.corrcoef(one, np.arange(size))[0, 1]) < bound
    assert abs(np.corrcoef(one, two)[0, 1]) < bound
    # A random permutation keeps one element in place on average (Montmort 1708).
    assert (one == np.arange(size)).sum() <= 8
    assert (one == two).sum() <= 8


def test_purpose_seed_and_tweak_make_other_orders() -> None:
    base = permutation(1000, seed=1, purpose=Purpose.ORDER, tweak=1)
    others = [(2, Purpose.ORDER, 1), (1, Purpose.SUBSET, 1), (1, Purpose.ORDER, 2)]
    for seed, purpose, tweak in others:
        assert (permutation(1000, seed=seed, purpose=purpose, tweak=tweak) == base).sum() < 10


@pytest.mark.parametrize("positions", [[-1], [10], [0, 10]])
def test_a_position_outside_is_refused(positions: list[int]) -> None:
    with pytest.raises(UsageError, match="outside of the permutation"):
        permute(positions, 10, seed=0, purpose=1)


@pytest.mark.parametrize("size", [0, -1, (1 << 62) + 1])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match="cannot permute"):
        permute([], size, seed=0, purpose=1)


def test_no_position_is_no_work() -> None:
    assert permute([], 10, seed=0, purpose=1).tolist() == []


def test_round_keys_are_shared_and_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        counters._round_keys(0, 1, 0, 8)[0] = 1


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 1000, 1025, 60_000])
def test_a_value_stands_where_the_permutation_sends_it(size: int) -> None:
    for tweak in (0, 7):
        values = permutation(size, seed=5, purpose=Purpose.ORDER, tweak=tweak)
        for position in {0, 1, size // 2, size - 1} & set(range(size)):
            found = position_of(int(values[position]), size, seed=5, purpose=Purpose.ORDER, tweak=tweak)
            assert found == position
    for value in (-1, size):
        with pytest.raises(UsageError, match="outside of the permutation"):
            position_of(value, size, seed=5, purpose=Purpose.ORDER)


def test_a_value_of_a_range_that_no_list_could_hold_is_found() -> None:
    for position in (0, 123_456_789_012, (1 << 61) - 1):
        [value] = permute([position], 1 << 61, seed=3, purpose=Purpose.ORDER, tweak=9)
        assert position_of(int(value), 1 << 61, seed=3, purpose=Purpose.ORDER, tweak=9) == position


def test_bijections_of_their_own_are_each_those_of_permute() -> None:
    sizes = np.array([1, 2, 3, 4, 5, 700, 1024, 1025, 3000, 1 << 40])
    for tweak in (0, 7):
        got = permute_each(sizes - 1, sizes, tweak, 0, seed=3, purpose=4)
        assert got.tolist() == [
            int(permute([size - 1], size, seed=3, purpose=4, tweak=tweak)[0]) for size in sizes.tolist()
        ]


def test_each_is_a_bijection_and_no_two_are_the_same() -> None:
    places = np.arange(50)
    found = {
        tuple(permute_each(places, np.full(50, 50), tweak, which, seed=3, purpose=4).tolist())
        for tweak in range(3)
        for which in range(3)
    }
    assert len(found) == 9
    assert all(sorted(one) == list(range(50)) for one in found)
    with pytest.raises(UsageError, match="outside of its permutation"):
        permute_each([0, 3], [1, 3], 0, 0, seed=3, purpose=4)
