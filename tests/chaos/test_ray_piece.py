"""The same on a Ray of its own: two schedules, as `make chaos` prints them."""

import shlex

import pytest

from tests.chaos.__main__ import main

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]

LOSES_ITS_RAY = (
    "'--job=--dataset digits --epochs 200 --batch 500 --seed 1910770515 --network.hidden 256 128 --slot-size 128"
    " --optimizer.name nesterov --optimizer.rate 0.001 --regularization.average 0.95'"
    " '--place=--workers 3 --checkpoint-every 0.1 --runtime ray --augmenters 1'"
    " '--faults=100:kill:augmenter 150:pause:worker:2 200:kill:server 300:kill:worker 400:kill:raylet'"
)
IN_CUTS_ON_A_SLOW_LINK = (
    "'--job=--dataset digits --epochs 100 --batch 500 --seed 2910770515 --network.hidden 512 256 --slot-size 128"
    " --optimizer.name adam --optimizer.rate 0.001 --regularization.clip 0.5 --wire int8'"
    " '--place=--workers 2 --checkpoint-every 0.1 --runtime ray --augmenters 1 --servers 2'"
    " '--faults=40:slow:modem:3 80:clock:-60 120:kill:server 200:pause:server:1.5 250:clock:86400'"
)


@pytest.mark.parametrize("words", [LOSES_ITS_RAY, IN_CUTS_ON_A_SLOW_LINK], ids=["loses its Ray", "in cuts, slow link"])
def test_a_run_on_ray_ends_in_the_bytes_of_its_twin(words: str) -> None:
    assert main(shlex.split(words)) == 0
