"""A short piece of `make chaos` with a fixed seed. What fails is printed as the command that repeats it.

`test_further_piece` is its other half, in a file of its own so that both can run side by side."""

import pytest

from tests.chaos.__main__ import main
from tests.chaos.recipes import LOCAL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def test_runs_on_threads_end_in_the_bytes_of_their_twins() -> None:
    assert main(["--minutes", "1.75", "--seed", "15", "--where", LOCAL]) == 0
