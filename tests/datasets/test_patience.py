from typing import Any

import pytest

from millrace.datasets.patience import Patience
from millrace.errors import UsageError


@pytest.mark.parametrize(
    "changed", [{"connect": 0}, {"read": -1}, {"floor": -1}, {"attempts": 0}, {"file": float("nan")}, {"redirects": -1}]
)
def test_impossible_limits_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"limit {next(iter(changed))} is out of range"):
        Patience(**changed)


def test_no_floor_and_no_pause_are_possible() -> None:
    assert Patience(floor=0, pause=0, redirects=0).floor == 0
