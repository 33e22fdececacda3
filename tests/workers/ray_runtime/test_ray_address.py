"""A run on Ray at an address: the bytes of local mode, from a driver that starts on an empty machine each time."""

import threading
from pathlib import Path

import pytest

from millrace.runs.folder import RunFolder
from millrace.workers.events import Event, Notice, StepDone
from millrace.workers.job import Place
from tests.pipeline.export.environment import needed, s3_server
from tests.workers.machines import CREDENTIALS, objects
from tests.workers.ray_runtime.test_ray_training import final_bytes, ignore, job, local_bytes

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(240)]


@needed
@pytest.mark.usefixtures("shared_ray")
def test_the_same_bytes_at_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first driver is asked to stop; the second goes on with what lies at the address alone."""
    from millrace.workers.ray_runtime.session import session

    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    work, stop = job(epochs=60), threading.Event()
    expected = local_bytes(tmp_path / "local", work)

    def stopping(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 70:
            stop.set()

    with s3_server(tmp_path) as server:
        address = f"s3://bucket/run?endpoint_override={server.removeprefix('http://')}&scheme=http"
        for cache, observer in (("one", stopping), ("two", ignore)):
            monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / cache))
            new = not RunFolder.is_run(address)
            folder = RunFolder.create(address, "seed: 7\n") if new else RunFolder.open(address)
            folder.own()
            with session(work, Place(runtime="ray", checkpoint_every=0.5, workers=2, augmenters=1)) as ray:
                done = ray.train(folder, observer, stop, folder.latest())
            folder.release()
            assert done.stopped is (cache == "one")
            stop.clear()
        newest = RunFolder.open(address)
        assert final_bytes(newest) == expected
        steps = objects(address)["metrics.jsonl"].splitlines()
        assert len(steps) == work.epochs * 3
        assert newest.finished


def test_a_folder_of_one_machine_is_warned_of_on_several_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    from millrace.workers.ray_runtime import session

    folder, heard = RunFolder.create(tmp_path / "run", ""), list[Event]()
    for nodes, warned in ((["a"], 0), (["a", "b"], 1)):
        monkeypatch.setattr(session, "alive_nodes", lambda nodes=nodes: nodes)
        session._warn_of_a_local_folder(folder, heard.append)
        assert len(heard) == warned
    assert isinstance(heard[0], Notice)
    assert "2 nodes" in heard[0].text
    assert "`out=s3://" in heard[0].text
    monkeypatch.setattr("millrace.runs.folder.is_shared", lambda path: True)
    session._warn_of_a_local_folder(folder, heard.append)
    assert len(heard) == 1
