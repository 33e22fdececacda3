"""The same on a Ray of its own: one schedule, as `make chaos` prints it."""

import shlex

import pytest

from tests.chaos.__main__ import main

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]

WORDS = shlex.split(
    "'--job=--dataset digits --epochs 200 --batch 500 --seed 1910770515 --network.hidden 256 128 --slot-size 128"
    " --optimizer.name nesterov --optimizer.rate 0.001 --regularization.average 0.95'"
    " '--place=--workers 3 --checkpoint-every 0.1 --runtime ray --augmenters 1'"
    " '--faults=100:kill:augmenter 150:pause:worker:2 200:kill:server 300:kill:worker 400:kill:raylet'"
)


def test_a_run_that_loses_its_ray_ends_in_the_bytes_of_its_twin() -> None:
    assert main(WORDS) == 0
