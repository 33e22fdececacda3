"""The tests' own statistics, against what scipy.stats gives for the same numbers."""

import numpy as np
import pytest

from tests.chance import as_often_as, equally_often, evenly_spread


def test_the_numbers_of_scipy() -> None:
    values = np.arange(200) * 0.618034 % 1 * 0.95
    assert evenly_spread(values) == pytest.approx(0.6291721737290303, abs=1e-9)
    assert equally_often([12, 8, 15, 9, 16]) == pytest.approx(0.383919620286046, abs=1e-9)
    assert as_often_as(0.4, 70, 200) == pytest.approx(0.1701, abs=2e-3)  # scipy sums both sides otherwise
