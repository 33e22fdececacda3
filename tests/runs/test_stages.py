"""Lines of stages.jsonl: what they hold, what damage leaves of them, and several as one."""

import json

import pytest

from millrace.runs.stages import STAGES, RoleTime, Spent, StageLine, by_role, halted, together

WORKER = RoleTime(2, {"compute": (1.5, 10, 0.3), "others": (0.5, 4, 0.1)})
LINE = StageLine(9, 10, 1.0, "local", 2, 4, 64, 256, 20, False, 1.5, {"worker": WORKER})


def spent(compute: float, times: int) -> Spent:
    """A thread that did nothing else, in equal stretches."""
    none, at = Spent.none(), list(STAGES).index("compute")
    numbers = (compute, times, compute**2 / max(times, 1))
    parts = ([*zeros[:at], number, *zeros[at + 1 :]] for zeros, number in zip(none, numbers, strict=True))
    return Spent(*map(tuple, parts))  # type: ignore[arg-type]


def test_a_line_is_read_as_it_was_written() -> None:
    assert StageLine.of(json.loads(json.dumps(LINE.as_dict()))) == LINE


@pytest.mark.parametrize(
    "change", [{"roles": 3}, {"roles": {"worker": {}}}, {"steps": None}, {"seconds": "soon"}, {"roles": {"worker": 1}}]
)
def test_a_line_that_is_none_is_passed_over(change: dict[str, object]) -> None:
    assert StageLine.of({**json.loads(json.dumps(LINE.as_dict())), **change}) is None
    assert StageLine.of({}) is None


def test_what_came_since_is_the_difference() -> None:
    assert spent(3.0, 4).since(spent(1.0, 1)).seconds == spent(2.0, 3).seconds
    assert spent(3.0, 4).since(None) == spent(3.0, 4)
    # A thread that began anew counts from zero: all that it did came since.
    assert spent(0.5, 1).since(spent(3.0, 4)) == spent(0.5, 1)


def test_threads_of_a_role_stand_together_and_the_idle_ones_are_none() -> None:
    found = by_role({"worker-0": spent(1.0, 2), "worker-1": spent(2.0, 3), "worker-2": Spent.none()})
    assert found == {"worker": RoleTime(2, {"compute": (3.0, 5, 0.5 + 4 / 3)})}
    assert found["worker"].share("compute") == 1.0


def test_workers_wait_for_whom_the_server_waits() -> None:
    server = RoleTime(1, {"trainer": (0.2, 3, 0.02), "update": (0.1, 5, 0.01)})
    found = halted({"worker": WORKER, "server": server})
    assert found["worker"].stages["trainer"] == (0.4, 3, 0.0)  # both of them did
    assert found["worker"].stages["others"][0] == pytest.approx(0.1)
    assert found["worker"].seconds == WORKER.seconds
    assert halted({"worker": WORKER}) == {"worker": WORKER}


def test_lines_of_another_place_are_left_out() -> None:
    alone = LINE._replace(roles={"worker": WORKER._replace(threads=1)})
    whole = together([alone, LINE, LINE._replace(step=19)])
    assert whole is not None
    assert (whole.step, whole.steps, whole.seconds) == (19, 20, 2.0)
    assert whole.roles["worker"].stages["compute"] == (3.0, 20, 0.6)
    assert together([]) is None
    # On Ray the last steps may come without a word of the workers.
    ray = LINE._replace(runtime="ray")
    spoken = together([ray, ray._replace(step=19, roles={"server": RoleTime(1, {"update": (0.1, 10, 0.01)})})])
    assert spoken is not None
    assert (spoken.steps, spoken.roles["worker"]) == (20, WORKER)
    # What workers wait at the end is no step's time; what the trainer does then is its own.
    end = LINE._replace(steps=0, roles={"worker": WORKER, "trainer": RoleTime(1, {"checkpoint": (1.0, 1, 1.0)})})
    both = together([LINE._replace(roles={**LINE.roles, "trainer": RoleTime(1, {"idle": (1.0, 1, 1.0)})}), end])
    assert both is not None
    assert (both.steps, both.seconds, both.roles["worker"]) == (10, 1.0, WORKER)
    assert both.roles["trainer"].share("checkpoint") == 0.5
