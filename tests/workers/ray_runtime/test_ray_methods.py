"""Every method on a real Ray: views, draws, averages and verdicts of the validation end in the bytes of local mode."""

import dataclasses
import threading
from pathlib import Path

import pytest

from millrace import datasets
from millrace.errors import UsageError
from millrace.model import Checkpoint
from millrace.model.options import NetworkOptions, OptimizerOptions, RegularizationOptions, ScheduleOptions
from millrace.runs import StageLine
from millrace.runs.folder import RunFolder
from millrace.runs.json_lines import read_lines
from millrace.runs.stages import STAGES
from millrace.workers.events import Event, StepDone
from millrace.workers.job import Job, Place
from millrace.workers.local_training import train
from millrace.workers.setup import Setup
from tests.formats.trace_reader import read
from tests.workers.ray_runtime.test_ray_training import Kill, Killer, ignore, job, new_folder, on_ray

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

WILD = dataclasses.replace(
    job(epochs=40),
    network=NetworkOptions(hidden=(24, 24), activation="gelu", norm="layer", skip=True),
    optimizer=OptimizerOptions("nesterov", 0.1, decay=1e-3),
    schedule=ScheduleOptions("plateau", factor=0.5, patience=1),
    regularization=RegularizationOptions(
        dropout=0.3,
        input_dropout=0.1,
        input_noise=0.1,
        weight_noise=0.01,
        mixup=0.5,
        label_smoothing=0.1,
        clip=1.0,
        max_norm=2.0,
        average=0.9,
    ),
)
EARLY = dataclasses.replace(
    job(epochs=60),
    optimizer=OptimizerOptions("momentum", 0.3),
    schedule=ScheduleOptions("constant"),
    regularization=RegularizationOptions(early_stopping=2),
)


# 275,860 parameters: five chunks, so each of three servers has a segment of one or two.
WIDE = dataclasses.replace(WILD, epochs=6, network=dataclasses.replace(WILD.network, hidden=(1000, 210), skip=False))


def local(path: Path, work: Job) -> RunFolder:
    folder = new_folder(path)
    train(Setup(work, datasets.load(datasets.find("digits"))), Place(workers=1), folder, ignore, threading.Event())
    folder.release()
    return folder


def everything(checkpoint: Checkpoint | None) -> tuple[object, ...]:
    assert checkpoint is not None
    arrays = {name: array.tobytes() for name, array in checkpoint.optimizer.items()}
    return checkpoint.step, checkpoint.weights.tobytes(), arrays, checkpoint.state["verdicts"]


@pytest.mark.usefixtures("shared_ray")
@pytest.mark.parametrize("work", [WILD, EARLY], ids=["wild", "early"])
def test_the_same_bytes_as_local_mode(tmp_path: Path, work: Job) -> None:
    expected = local(tmp_path / "local", work)
    got = on_ray(tmp_path / "ray", work, workers=2, augmenters=1)
    assert everything(got.latest()) == everything(expected.latest())
    if work is EARLY:
        assert everything(got.best()) == everything(expected.best())
    else:
        kept = expected.latest()
        assert kept is not None
        assert kept.state["verdicts"]["cuts"]


@pytest.mark.usefixtures("shared_ray")
def test_the_weights_on_several_servers_and_then_on_more(tmp_path: Path) -> None:
    work = dataclasses.replace(WIDE, wire="int8")  # so their parts travel packed
    expected = local(tmp_path / "local", work)
    stop = threading.Event()

    def until_the_middle(event: Event) -> None:
        if isinstance(event, StepDone) and event.step >= 8:
            stop.set()

    on_ray(tmp_path / "ray", work, until_the_middle, stop, workers=2, augmenters=1, servers=2)
    trace = tmp_path / "trace.json"
    got = on_ray(tmp_path / "ray", work, workers=3, augmenters=0, servers=3, trace=str(trace))
    assert stop.is_set()
    assert everything(got.latest()) == everything(expected.latest())
    threads = read(trace.read_bytes())
    moved = {name for (_, name), found in threads.items() if any(one.name == STAGES["update"] for one in found)}
    assert moved == {"server 0", "server 1", "server 2"}
    lines = [line for line in map(StageLine.of, read_lines(got.stages)) if line is not None]
    assert max(line.roles["server"].threads for line in lines if "server" in line.roles) == 3


@pytest.mark.usefixtures("shared_ray")
@pytest.mark.parametrize(
    ("servers", "staleness", "why"),
    [(6, 0, r"cannot lie on 6 servers(.|\n)*at most 5"), (2, 1, "the weights of a stale run lie on one server")],
)
def test_several_servers_where_they_cannot_be(servers: int, staleness: int, why: str) -> None:
    from millrace.workers.ray_runtime.session import session

    place = Place(runtime="ray", workers=1, augmenters=0, servers=servers)
    with (
        pytest.raises(UsageError, match=why),
        session(dataclasses.replace(WIDE, staleness=staleness), place),
    ):
        pass


@pytest.mark.slow
@pytest.mark.usefixtures("shared_ray")
def test_each_of_several_servers_is_killed(tmp_path: Path, kill: Kill) -> None:
    work = dataclasses.replace(WIDE, epochs=60)
    expected = local(tmp_path / "local", work)
    kinds = ["SegmentActor", "WorkerActor", "LeadActor", "SegmentActor"]
    killer = Killer(kill, list(kinds), every=30)
    got = on_ray(tmp_path / "ray", work, killer, workers=2, augmenters=1, servers=3)
    assert killer.killed == kinds
    assert everything(got.latest()) == everything(expected.latest())
    lost = [incident["who"] for incident in read_lines(got.incidents) if incident["kind"] == "parameter server lost"]
    assert sum(who in ("server-1", "server-2") for who in lost) >= 2
    assert "server" in lost


@pytest.mark.slow
@pytest.mark.usefixtures("shared_ray")
def test_a_killed_server_replays_the_rates_that_were_cut(tmp_path: Path, kill: Kill) -> None:
    work = dataclasses.replace(WILD, epochs=100)
    expected = local(tmp_path / "local", work)
    killer = Killer(kill, ["ServerActor"], every=100)
    got = on_ray(tmp_path / "ray", work, killer, workers=2, augmenters=1)
    assert killer.killed == ["ServerActor"]
    assert everything(got.latest()) == everything(expected.latest())
    kept = expected.latest()
    assert kept is not None
    assert any(cut < 30 for cut in kept.state["verdicts"]["cuts"])  # the kill was at epoch 33
