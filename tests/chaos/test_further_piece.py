"""Further schedules of the seed that `test_short_piece` begins."""

import pytest

from tests.chaos.__main__ import main
from tests.chaos.recipes import LOCAL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def test_runs_on_threads_end_in_the_bytes_of_their_twins() -> None:
    assert main(["--minutes", "1.75", "--seed", "15", "--first", "1000", "--where", LOCAL]) == 0
