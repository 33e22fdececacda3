"""First weights: widths from the formulas, words by position, biases zero."""

import math

import numpy as np
import pytest

from millrace.counters import Purpose, uniform, words
from millrace.model.initializers import INITIALIZERS, initial
from millrace.model.layout import dense

LAYOUT = dense((300, 200, 10))


@pytest.mark.parametrize(
    ("name", "deviations"),
    [
        ("gaussian", [math.sqrt(1 / 300), math.sqrt(1 / 200)]),
        ("he", [math.sqrt(2 / 300), math.sqrt(2 / 200)]),
        ("uniform", [1 / math.sqrt(3 * 300), 1 / math.sqrt(3 * 200)]),
        ("glorot", [math.sqrt(2 / 500), math.sqrt(2 / 210)]),
    ],
)
def test_deviation_of_each_layer(name: str, deviations: list[float]) -> None:
    views = LAYOUT.views(initial(name, LAYOUT, seed=5))
    for (weight, bias), deviation in zip(views, deviations, strict=True):
        error = 5 / math.sqrt(2 * weight.size)
        assert float(weight.std()) == pytest.approx(deviation, rel=error)
        assert abs(float(weight.mean())) < 5 * deviation / math.sqrt(weight.size)
        assert not bias.any()


@pytest.mark.parametrize(("name", "bound"), [("uniform", 300**-0.5), ("glorot", (6 / 500) ** 0.5)])
def test_uniform_draws_fill_their_interval(name: str, bound: float) -> None:
    weight = LAYOUT.views(initial(name, LAYOUT, seed=1))[0][0]
    assert np.abs(weight).max() <= bound
    assert np.abs(weight).max() > 0.999 * bound
    assert weight.min() < 0 < weight.max()


def test_each_parameter_uses_the_word_of_its_position() -> None:
    flat = initial("uniform", LAYOUT, seed=9)
    at = LAYOUT.layers[1].weight.begin + 123
    word = words(9, Purpose.INITIAL, at // 4)[0, at % 4]
    expected = (2 * uniform(word[None])[0] - 1) / math.sqrt(200)
    assert flat[at] == np.float32(expected)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_function_of_the_seed(name: str) -> None:
    assert np.array_equal(initial(name, LAYOUT, 3), initial(name, LAYOUT, 3))
    assert not np.array_equal(initial(name, LAYOUT, 3), initial(name, LAYOUT, 4))
