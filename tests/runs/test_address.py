"""A run at an address: a real S3 server, real processes, killed and stopped, on machines that share nothing else."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.errors import TakenOverError, UsageError
from millrace.model import load
from millrace.runs import folder as run_folder
from millrace.runs import owner as run_owner
from millrace.runs.folder import RunFolder
from millrace.storage.folder import Folder
from millrace.storage.processes import Process
from tests.pipeline.export.environment import needed, s3_server
from tests.runs.test_folder import checkpoint
from tests.workers.machines import CREDENTIALS, Machine, Machines, files, final, objects
from tests.workers.programs import Program, end, run
from tests.workers.runs import lines

pytestmark = [pytest.mark.slow, needed, pytest.mark.timeout(400)]
TRAIN = ["train", "--network.hidden", "256", "64", "--epochs", "200", "--batch", "64", "--slot-size", "16"]
TRAIN += ["--validation", "137", "--seed", "5", "--workers", "2", "--regularization.early-stopping", "400"]
OFTEN = ("--checkpoint-every", "0.2")
ELSEWHERE = Process("elsewhere", 4711, "another boot", "pid:[1]", 17)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3")) as found:
        yield found.removeprefix("http://")


@pytest.fixture
def address(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """An address that nothing lies at; the credentials are in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    return f"s3://bucket/runs/{name}?endpoint_override={server}&scheme=http"


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    made: list[Machine] = []

    def make(name: str) -> Machine:
        made.append(Machine.new(tmp_path / name))
        return made[-1]

    yield make
    for machine in made:
        machine.close()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run in a folder on a disk, undisturbed."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    run(*TRAIN, "--out", str(folder))
    return folder


def check(address: str, unbroken: Path) -> None:
    """What lies at the address ends in the same bytes; each step and each epoch stands once."""
    found = objects(address)
    assert final(found) == final(files(unbroken))
    for name, keys in (
        ("metrics.jsonl", ("step", "epoch", "loss", "accuracy", "rate")),
        ("epochs.jsonl", ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "ledger")),
    ):
        ours = [json.loads(line) for line in found[name].splitlines()]
        theirs = lines(unbroken / name)
        assert [[line[key] for key in keys] for line in ours] == [[line[key] for key in keys] for line in theirs]
    where_time_went = [json.loads(line) for line in found["stages.jsonl"].splitlines()]
    assert sum(line["steps"] for line in where_time_went) == len(lines(unbroken / "metrics.jsonl"))
    assert json.loads(found["result.json"])["test_accuracy"] == lines_of(unbroken / "result.json")["test_accuracy"]
    assert len({name.rpartition("/")[0] for name in found if name.startswith("checkpoints/")}) <= 2


def lines_of(path: Path) -> dict[str, object]:
    return dict(json.loads(path.read_text()))


def wait_for_checkpoint(address: str, process: Program, beyond: int = 0) -> int:
    """The step of the newest checkpoint that is whole at the address, once it is beyond a step."""
    folder, until = Folder(address), time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None:
        found = [name.split("/")[1] for name in folder.names("checkpoints") if name.endswith("checkpoint.json")]
        newest = max((int(name.removeprefix("step-")) for name in found), default=0)
        if newest > beyond:
            return newest
        time.sleep(0.02)
    raise TimeoutError(f"no checkpoint beyond step {beyond}: {end(process, 5, signal.SIGKILL)}")


def test_killed_and_gone_on_with_elsewhere(address: str, machines: Machines, unbroken: Path) -> None:
    """Twice killed, each time gone on with on an empty machine: by the same command, then by `resume`."""
    command, step = (*TRAIN, "--out", address, *OFTEN), 0
    for name in ("first", "second"):
        process = machines(name).start(*command)
        step = wait_for_checkpoint(address, process, beyond=step)
        code, output = end(process, 0.1, signal.SIGKILL)
        assert code == -signal.SIGKILL, output
    third = machines("third")
    assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in third.run("resume", address)
    check(address, unbroken)
    found = objects(address)
    assert found["report.html"].startswith(b"<!doctype html>")
    owner = next(json.loads(data) for name, data in found.items() if name.startswith("owners/"))
    assert (owner["incarnation"], owner["released"]) == (3, True)
    printed = third.run("audit", address, "--json").splitlines()[-1]
    assert json.loads(printed)["survived"] == {"driver went on": 2}
    # What lies at an address is a run like others, on any machine.
    fourth = machines("fourth")
    expected = fourth.run("evaluate", str(unbroken)).splitlines()[-1]
    assert fourth.run("evaluate", address).splitlines()[-1] == expected
    assert "this run is finished" in fourth.run(*command)
    assert not any(CREDENTIALS["AWS_SECRET_ACCESS_KEY"].encode() in data for data in objects(address).values())


def test_a_second_driver_is_refused_and_one_that_slept_stops(address: str, machines: Machines, unbroken: Path) -> None:
    """The first is stopped in its tracks until the second has taken the run and ended it; then it wakes up."""
    command = (*TRAIN, "--out", address, "--checkpoint-every", "1")
    first, here, there = machines("first"), machines("here"), machines("there")
    process = first.start(*command)
    wait_for_checkpoint(address, process)
    process.send_signal(signal.SIGSTOP)
    code, output = first.fail(*command)
    assert (code, f"process {process.pid}" in output) == (2, True), output
    code, output = here.fail("resume", address)
    assert (code, f"process {process.pid} on {os.uname().nodename}" in output) == (2, True), output
    assert "give this command again in" in output
    time.sleep(run_owner.STALE + 2)
    there.run("resume", address)
    check(address, unbroken)
    before = objects(address)
    process.send_signal(signal.SIGCONT)
    code, output = end(process, 60)
    assert code == 1, output
    assert "was taken over by another driver" in output
    assert "incarnation 2" in output
    assert objects(address) == before


def test_torn_and_damaged_checkpoints_are_passed_over(address: str, machines: Machines, unbroken: Path) -> None:
    command = (*TRAIN, "--out", address, *OFTEN)
    process = machines("first").start(*command)
    step = wait_for_checkpoint(address, process)
    end(process, 0.1, signal.SIGKILL)
    folder, found = Folder(address), objects(address)
    newest = max(name.rpartition("/")[0] for name in found if name.endswith("checkpoint.json"))
    for name in ("optimizer.safetensors", "weights.safetensors"):
        folder.put(f"checkpoints/step-0000100000/{name}", [found[f"{newest}/{name}"]])
        folder.put(f"checkpoints/step-0000090000/{name}", [found[f"{newest}/{name}"][:-1]])
    folder.put("checkpoints/step-0000090000/checkpoint.json", [found[f"{newest}/checkpoint.json"]])
    opened = RunFolder.open(address).latest()
    assert opened is not None
    assert step <= opened.step < 90_000
    machines("second").run(*command)
    check(address, unbroken)


def test_a_lost_machine_is_followed_and_its_driver_stops(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder.create(address, "epochs: 3\n")
    here = Process.here()
    with monkeypatch.context() as patch:
        patch.setattr(Process, "here", lambda: ELSEWHERE)
        folder.own()
    assert folder.shared
    folder.write(checkpoint(1))
    # The working copy is another's, as on another machine.
    monkeypatch.setattr(run_folder, "working_copy", lambda location: folder.path.with_name("other"))
    folder.path.with_name("other").mkdir()
    other = RunFolder.open(address)
    assert other.config_text() == "epochs: 3\n"
    with pytest.raises(UsageError, match="process 4711 on elsewhere"):
        other.own()
    monkeypatch.setattr(run_owner, "STALE", 2.0)
    time.sleep(3.1)  # the server tells times in whole seconds
    other.own()
    assert (other.incarnation, Process.here()) == (2, here)
    newest = other.latest()
    assert newest is not None
    assert newest.step == 1
    other.write(checkpoint(2))
    before = objects(address)
    for write in (lambda: folder.write(checkpoint(3)), lambda: folder.finish({}), lambda: folder.publish("lock")):
        with pytest.raises(TakenOverError, match="incarnation 2"):
            write()
    folder.release()
    assert objects(address) == before
    other.finish({"test_accuracy": 0.5})
    other.release()
    again = RunFolder.open(address)
    assert again.finished
    assert load(again.checkpoints()[-1]).step == 2


def test_two_that_begin_at_once_do_not_mix_their_runs(address: str, machines: Machines) -> None:
    short = ("train", "--epochs", "2", "--network.hidden", "8", "--out", address)
    both = [machines(f"machine-{seed}").start(*short, "--seed", seed) for seed in ("1", "2")]
    ends = [end(process, 120) for process in both]
    codes = [code for code, _ in ends]
    assert sorted(codes) == [0, 2], ends
    seed = 1 + codes.index(0)
    assert f"seed: {seed}\n".encode() in objects(address)["config.yaml"]
    assert json.loads(objects(address)["result.json"])["test_accuracy"] is not None


def test_without_a_bucket_or_a_run_there_is_an_error_that_says_so(address: str, machines: Machines) -> None:
    one = machines("one")
    code, output = one.fail("evaluate", address)
    assert (code, "holds no run" in output) == (2, True), output
    missing = address.replace("s3://bucket/", "s3://no-such-bucket/")
    code, output = one.fail("train", "--epochs", "1", "--out", missing)
    assert (code, "NO_SUCH_BUCKET" in output) == (1, True), output
    assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in output
    Folder(address).put("letter.txt", [b"dear"])
    code, output = one.fail("train", "--epochs", "1", "--out", address)
    assert (code, "is not empty" in output) == (2, True), output
    assert objects(address) == {"letter.txt": b"dear"}
