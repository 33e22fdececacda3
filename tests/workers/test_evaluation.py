"""Loss, accuracy and confusion against the textbook network; the same bits with any number of threads."""

from functools import cache

import numpy as np
import pytest

from millrace.datasets import images, labels
from millrace.workers import evaluation
from millrace.workers.evaluation import answers, evaluate, judged, probabilities, slot_rows
from millrace.workers.setup import Setup
from tests.model import reference
from tests.workers.runs import JOB, digits


@cache
def setup() -> Setup:
    return Setup(JOB, digits())


def test_equals_the_reference() -> None:
    network, rows = setup().network, 700
    weights, pixels, marks = network.initial(1), images(digits().train)[:rows], labels(digits().train)[:rows]
    found = evaluate(network, setup().inputs, weights, pixels, marks)
    x = (pixels.reshape(rows, -1) / 255 - setup().inputs.mean[0]) / setup().inputs.std[0]
    wide = weights.astype(np.float64)
    predicted = reference.forward(network.layout, wide, x)[-1].argmax(axis=1)
    assert found.loss == pytest.approx(reference.loss(network.layout, wide, x, marks) / rows, rel=1e-5)
    assert (found.correct, found.count) == ((predicted == marks).sum(), rows)
    assert found.accuracy == found.correct / rows
    for true in range(10):
        for guess in range(10):
            assert found.confusion[true, guess] == ((marks == true) & (predicted == guess)).sum()


@pytest.mark.parametrize("rows", [1, 499, 500, 501, 1437])
def test_threads_change_no_bit(rows: int) -> None:
    weights, pixels, marks = setup().network.initial(1), images(digits().train)[:rows], labels(digits().train)[:rows]
    one, *others = (
        evaluate(setup().network, setup().inputs, weights, pixels, marks, threads=threads) for threads in (1, 2, 3, 7)
    )
    for other in others:
        assert (other.loss, other.correct, other.count) == (one.loss, one.correct, one.count)
        assert (other.confusion == one.confusion).all()


def test_an_error_in_a_thread_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(evaluation, "softmax_cross_entropy", fail)
    with pytest.raises(MemoryError):
        evaluate(setup().network, setup().inputs, setup().network.initial(1), *(a[:1000] for a in arrays()), threads=2)


def arrays() -> tuple[np.ndarray, np.ndarray]:
    return images(digits().train), labels(digits().train)


def test_very_many_classes_take_slots_of_fewer_rows() -> None:
    assert [slot_rows(classes) for classes in (2, 256, 2_097, 65_536)] == [500, 500, 500, 16]


def test_answers_are_those_of_the_probabilities_and_judged_in_parts_is_judged_whole() -> None:
    network, weights, pixels = setup().network, setup().network.initial(1), images(digits().train)
    marks = labels(digits().train)
    chances = probabilities(network, setup().inputs, weights, pixels)
    found, sure = answers(network, setup().inputs, weights, pixels, threads=2)
    assert np.array_equal(found, chances.argmax(axis=1))
    assert np.array_equal(sure, chances.max(axis=1))
    whole = judged([(chances, marks)])
    parts = judged((chances[at : at + 100], marks[at : at + 100]) for at in range(0, len(marks), 100))
    assert (parts.loss, parts.correct, parts.count) == (whole.loss, whole.correct, whole.count)
    assert np.array_equal(parts.confusion, whole.confusion)
    plain = evaluate(network, setup().inputs, weights, pixels, marks)
    assert whole.loss == pytest.approx(plain.loss, rel=1e-6)
    assert np.array_equal(whole.confusion, plain.confusion)
