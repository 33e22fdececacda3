"""What holds a run back, in words, and its picture."""

from xml.etree import ElementTree

import pytest

from millrace.reports.profile_page import figures, time_by_role
from millrace.reports.stage_bars import LOOKS, over_time, stage_bars
from millrace.reports.stalls import held_back, said
from millrace.runs.stages import STAGES, RoleTime, StageLine


def line(cores: int = 2, slots: int = 4, room: int = 50, **roles: RoleTime) -> StageLine:
    return StageLine(9, 10, 1.0, "local", cores, slots, 64, 256, room, False, 0.0, roles)


def role(threads: int, **seconds: float) -> RoleTime:
    return RoleTime(threads, {name: (value, 10, value**2 / 10) for name, value in seconds.items()})


AUGMENTER = role(1, warp=0.9, idle=0.1)
CASES = {
    "nothing": (line(worker=role(2, compute=1.92, others=0.08)), "forward and backward take 96 % of the time"),
    "data": (
        line(worker=role(1, compute=0.88, data=0.12), augmenter=AUGMENTER),
        "the worker waits for the augmenter 12 % of the time: `augmenters=0` or one more core",
    ),
    "room": (line(worker=role(1, compute=0.8, data=0.2), augmenter=AUGMENTER, room=5), "`read_ahead=64`"),
    "cores": (line(cores=4, worker=role(1, compute=0.7, draw=0.1, warp=0.2)), "makes batches 30 % of the time: `aug"),
    "uneven": (line(slots=3, worker=role(2, compute=1.5, others=0.5)), "3 slots do not divide evenly among 2 workers"),
    "few": (line(slots=1, worker=role(2, compute=1.0, others=1.0)), "`workers=1`"),
    "stale": (
        line(slots=3, worker=role(2, compute=1.5, others=0.5))._replace(stale=True),
        "wait for each other 25 % of the time: a larger `staleness`",
    ),
    "many": (line(slots=4, worker=role(4, compute=2.0, others=2.0)), "there are 4 of them on 2 cores: `workers=2`"),
    "trainer": (
        line(worker=role(2, compute=1.0, trainer=1.0), trainer=role(1, validate=0.6, checkpoint=0.1, idle=0.3)),
        "workers wait for the trainer 50 % of the time: fewer samples to validate on (`validation`)",
    ),
    "update": (line(worker=role(2, compute=1.0, update=0.8, publish=0.2)), "update the weights 50 %"),
    "send": (line(worker=role(2, compute=1.0, send=1.0)), "a larger `slot_size`"),
    "none": (line(trainer=role(1, idle=1.0)), "nothing was computed"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_holds_a_run_back_is_said_with_what_to_do(name: str) -> None:
    measured, words = CASES[name]
    assert words in held_back(measured)


def test_the_shares_are_said_the_largest_first() -> None:
    assert said(CASES["data"][0], "worker") == "forward and backward 88.0 %, waiting for data 12.0 %"


def test_the_picture_is_well_formed_and_told() -> None:
    everything = line(worker=role(2, **dict.fromkeys(STAGES, 1.0)), trainer=role(1, idle=1.0))
    figure = ElementTree.fromstring(stage_bars(everything))
    (picture,) = figure.findall("svg")
    assert len(picture.findall("rect")) == len(STAGES) + 1
    assert "waiting for the trainer 7.1 %" in picture.attrib["aria-label"]
    widths = [float(box.attrib["width"]) for box in picture.findall("rect")]
    assert sum(widths[:-1]) == pytest.approx(widths[-1], abs=1.0)  # both roles have all their time
    assert set(LOOKS) == set(STAGES)


def test_the_time_has_a_chart_where_there_are_stretches() -> None:
    one = CASES["data"][0]
    assert over_time([one]) == ""
    page = time_by_role([one, one._replace(step=19)], one)
    assert "The workers&#x27; time" in page
    assert "`" not in page
    assert figures(one)[0] == ("measured", "10 steps in 1.0 s, 100.00 ms each")
