"""The order: every epoch visits each sample once, in slots whose sizes depend on the batch alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.counters import Purpose, permutation
from millrace.errors import UsageError
from millrace.pipeline import Order
from millrace.pipeline.order import slot_size


@st.composite
def orders(draw: st.DrawFn) -> Order:
    samples = draw(st.integers(1, 400))
    batch = draw(st.integers(1, samples))
    slot = draw(st.none() | st.integers(1, batch))
    return Order(samples, batch=batch, slot=slot, seed=draw(st.integers(0, 2**32 - 1)))


def epoch_of(order: Order, epoch: int) -> list[np.ndarray]:
    """The places of all slots of an epoch."""
    steps = range(epoch * order.steps_per_epoch, (epoch + 1) * order.steps_per_epoch)
    return [order.places(step, slot) for step in steps for slot in range(order.slots(step))]


@given(order=orders(), epoch=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_an_epoch_visits_each_sample_once(order: Order, epoch: int) -> None:
    places = np.concatenate(epoch_of(order, epoch))
    whole = permutation(order.samples, seed=order.seed, purpose=Purpose.ORDER, tweak=epoch)
    assert np.array_equal(places, whole)
    assert np.array_equal(np.sort(places), np.arange(order.samples))


@given(order=orders(), epoch=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_sizes_add_up(order: Order, epoch: int) -> None:
    first = epoch * order.steps_per_epoch
    sizes = [order.size(first + step) for step in range(order.steps_per_epoch)]
    assert sum(sizes) == order.samples
    assert set(sizes[:-1]) <= {order.batch}
    assert 1 <= sizes[-1] <= order.batch
    assert order.steps_per_epoch == math.ceil(order.samples / order.batch)
    end = 0
    for step in range(first, first + order.steps_per_epoch):
        assert order.epoch(step) == epoch
        for slot in range(order.slots(step)):
            begin, stop = order.span(step, slot)
            assert begin == end
            assert 1 <= stop - begin <= order.slot
            # Only a step's last slot may be short.
            assert stop - begin == order.slot or slot == order.slots(step) - 1
            end = stop
    assert end == order.samples


def test_a_short_last_batch() -> None:
    order = Order(10, batch=4, slot=3, seed=0)
    assert order.steps_per_epoch == 3
    assert [order.size(step) for step in range(6)] == [4, 4, 2, 4, 4, 2]
    assert [order.slots(step) for step in range(6)] == [2, 2, 1, 2, 2, 1]
    assert [order.span(1, 0), order.span(1, 1), order.span(2, 0)] == [(4, 7), (7, 8), (8, 10)]
    assert order.span(5, 0) == (8, 10)


def test_epochs_and_seeds_have_their_own_order() -> None:
    order = Order(500, batch=500, slot=500, seed=1)
    other = Order(500, batch=500, slot=500, seed=2)
    zero, one = order.places(0, 0), order.places(1, 0)
    assert (zero == one).sum() < 10
    assert (zero == other.places(0, 0)).sum() < 10
    assert not np.array_equal(zero, np.arange(500))


def test_batch_and_slot_do_not_change_the_order() -> None:
    one, two = Order(1000, batch=300, slot=7, seed=5), Order(1000, batch=64, slot=64, seed=5)
    for epoch in (0, 2):
        assert np.array_equal(np.concatenate(epoch_of(one, epoch)), np.concatenate(epoch_of(two, epoch)))
        assert np.array_equal(one.visited(epoch, 10, 700), np.concatenate(epoch_of(two, epoch))[10:700])


def test_a_far_step_costs_nothing() -> None:
    order = Order(1 << 40, batch=512, slot=128, seed=5)
    step = order.steps_per_epoch * 1000 + 123_456_789
    places = order.places(step, 3)
    assert places.shape == (128,)
    assert places.dtype == np.int64
    assert 0 <= places.min() <= places.max() < 1 << 40
    assert order.epoch(step) == 1000


@pytest.mark.parametrize(
    ("batch", "slot"), [(1, 1), (2, 1), (3, 2), (100, 50), (255, 128), (256, 128), (257, 128), (5000, 128)]
)
def test_the_default_slot(batch: int, slot: int) -> None:
    assert slot_size(batch) == slot


def test_a_chosen_slot() -> None:
    assert slot_size(10, 10) == 10
    assert slot_size(10, 1) == 1
    for wrong in (0, -1, 11):
        with pytest.raises(UsageError, match="slot size is out of range"):
            slot_size(10, wrong)


@pytest.mark.parametrize(("samples", "batch"), [(10, 0), (10, 11), (10, -1)])
def test_a_batch_that_does_not_fit_is_refused(samples: int, batch: int) -> None:
    with pytest.raises(UsageError, match="batch does not fit") as caught:
        Order(samples, batch=batch, slot=None, seed=0)
    assert caught.value.do == "choose `batch=10` or less"


def test_no_samples_are_refused() -> None:
    with pytest.raises(UsageError, match="nothing to train on"):
        Order(0, batch=1, slot=None, seed=0)


@pytest.mark.parametrize(("step", "slot"), [(-1, 0), (0, -1), (0, 2), (2, 1)])
def test_a_slot_that_is_not_there_is_refused(step: int, slot: int) -> None:
    order = Order(10, batch=4, slot=3, seed=0)
    with pytest.raises(UsageError, match="no such slot"):
        order.places(step, slot)
