"""A seed is a schedule, and so is what is printed of one."""

import shlex

import pytest

from tests.chaos.recipes import LOCAL, NODES, RAY
from tests.chaos.schedule import PROGRAM, Fault, Schedule, schedule

WHERES = (LOCAL, RAY, NODES)
NUMBERS = range(60)


def test_the_same_seed_is_the_same_schedule() -> None:
    first, again, other = ([schedule(seed, number, WHERES) for number in NUMBERS] for seed in (5, 5, 6))
    assert first == again
    assert not set(first) & set(other)


@pytest.mark.parametrize("number", NUMBERS)
def test_what_is_printed_is_the_same_schedule(number: int) -> None:
    what = schedule(1, number, WHERES)
    assert what.where == WHERES[number % 3]
    words = shlex.split(what.command)
    assert " ".join(words[:3]) == PROGRAM
    given = dict(word.removeprefix("--").split("=", 1) for word in words[3:])
    assert Schedule.read(**given) == what
    assert [fault.step for fault in what.faults] == sorted(fault.step for fault in what.faults)


def test_a_new_key_of_the_place_changes_no_recipe_of_others() -> None:
    for number in NUMBERS:
        old, new = (schedule(2, number, WHERES, known) for known in ((), ("servers",)))
        assert (old.job, old.faults, old.nodes) == (new.job, new.faults, new.nodes)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("3:close", Fault(3, "close")),
        ("0:kill:driver", Fault(0, "kill", "driver")),
        ("12:pause:worker:7.5", Fault(12, "pause", "worker", 7.5)),
        ("9:clock:-86400", Fault(9, "clock", "", -86400.0)),
    ],
)
def test_faults_as_text(text: str, fault: Fault) -> None:
    assert Fault.read(text) == fault
    assert str(fault) == text


@pytest.mark.parametrize("text", ["", "kill", "1:2", "1:kill:driver:worker:3", "x:kill"])
def test_what_is_no_fault(text: str) -> None:
    with pytest.raises(ValueError):
        Fault.read(text)
