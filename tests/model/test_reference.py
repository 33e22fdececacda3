"""The textbook network against central differences and PyTorch's numbers."""

import numpy as np
import numpy.typing as npt
import pytest

from millrace.model.layout import dense
from tests.model import reference

DEPTHS = {0: (6, 4), 1: (6, 5, 4), 2: (6, 5, 7, 4), 3: (6, 5, 7, 3, 4), 4: (5, 6, 4, 6, 5, 3)}


def case(sizes: tuple[int, ...], rows: int = 9) -> tuple[npt.NDArray[np.float64], ...]:
    rng = np.random.default_rng(sum(sizes))
    flat = rng.standard_normal(dense(sizes).parameters) * 0.7
    return flat, rng.standard_normal((rows, sizes[0])), rng.integers(0, sizes[-1], rows).astype(np.uint8)


@pytest.mark.parametrize("depth", DEPTHS)
def test_gradients_equal_central_differences_in_every_block(depth: int) -> None:
    layout = dense(DEPTHS[depth])
    flat, x, y = case(DEPTHS[depth])
    gradient = reference.gradient(layout, flat, x, y)
    step = 1e-6
    for block in layout.blocks:
        assert np.abs(gradient[block.begin : block.end]).max() > 1e-3, block.name
        for at in range(block.begin, block.end):
            up, down = flat.copy(), flat.copy()
            up[at] += step
            down[at] -= step
            slope = (reference.loss(layout, up, x, y) - reference.loss(layout, down, x, y)) / (2 * step)
            assert gradient[at] == pytest.approx(slope, rel=1e-6, abs=1e-7), f"{block.name}, element {at}"


# A 2-3-2 network with its gradient as PyTorch 2.13 computes it (float32, cross_entropy with reduction="sum").
TORCH_WEIGHTS = [0.2, -0.4, 0.6, 0.1, 0.3, -0.5, 0.05, -0.1, 0.15, 0.7, -0.2, 0.4, 0.9, -0.3, 0.8, 0.01, -0.02]
TORCH_X = [[0.5, -1.0], [1.5, 0.25], [-0.75, 2.0]]
TORCH_Y = [0, 1, 1]
TORCH_LOSS = 2.2743897438049316
TORCH_GRADIENT = [
    *(-0.15382418036460876, 0.16142015159130096, -0.16711702942848206),
    *(1.5045969486236572, -0.43045374751091003, -0.8919535875320435),
    *(0.04349139332771301, -0.21522687375545502, 0.42034295201301575),
    *(0.13541048765182495, -0.13541047275066376, 0.3443630039691925, -0.3443630337715149),
    *(-0.3715982437133789, 0.3715982139110565),
    *(0.048323750495910645, -0.04832381010055542),
]


def test_loss_and_gradient_are_those_of_pytorch() -> None:
    layout = dense((2, 3, 2))
    flat, x, y = np.array(TORCH_WEIGHTS), np.array(TORCH_X), np.array(TORCH_Y)
    assert reference.loss(layout, flat, x, y) == pytest.approx(TORCH_LOSS, rel=1e-6)
    assert reference.gradient(layout, flat, x, y) == pytest.approx(np.array(TORCH_GRADIENT), abs=1e-6)


def test_softmax_rows_sum_to_one() -> None:
    p = reference.softmax(np.array([[1e4, 0.0, -1e4], [0.0, 0.0, 0.0]]))
    assert p.tolist() == [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]
