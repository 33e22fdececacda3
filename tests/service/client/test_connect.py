"""`millrace.connect` over a real socket: the same object, the same bits, and what is refused."""

import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import millrace
from millrace.errors import DeadlineError, ServiceError, UsageError
from millrace.service.place import ServePlace
from millrace.service.service import Service
from tests.service.conftest import BATCH, ROWS, SEED, offered, pictures

Serve = Callable[..., Service]
STEPS = -(-ROWS // BATCH)
TOKEN = "a token of sixteen characters or more".replace(" ", "-")


def connect(service: Service, **also: Any) -> Any:
    return millrace.connect(service.address, **{"patience": 5, "threads": 2, **also})


def test_it_is_the_local_stream(serve: Serve, local: Any) -> None:
    with connect(serve()) as stream:
        assert (len(stream), stream.samples, stream.shape) == (len(local), local.samples, local.shape)
        assert (stream.mean, stream.std, stream.classes) == (local.mean, local.std, local.classes)
        assert repr(stream) == repr(local)
        for step in (0, STEPS - 1, STEPS, 5 * STEPS + 3):
            assert stream[step].equals(local[step], check_metadata=True)
            assert stream[step].schema.metadata == local[step].schema.metadata
        for rank in range(3):  # the last step has 2 rows: one of three ranks has none
            theirs, own = stream.shard(rank, 3), local.shard(rank, 3)
            for step in (STEPS - 1, STEPS):
                assert theirs[step].equals(own[step], check_metadata=True)


@pytest.mark.parametrize("threads", [0, 2])
def test_iterating_is_the_local_iteration(serve: Serve, local: Any, threads: int) -> None:
    stream = connect(serve(), threads=threads)
    for ours, own in zip(stream.arrow(2), local.arrow(2), strict=True):
        assert ours.equals(own, check_metadata=True)
    columns = ["image", "label", "sample", "weight", "angle", "flip"]
    for options in ({}, {"dtype": "uint8", "layout": "NHWC"}, {"normalize": "unit", "layout": "NHWC"}):
        pairs = zip(
            stream.numpy(1, columns=columns, **options), local.numpy(1, columns=columns, **options), strict=True
        )
        for ours, own in pairs:
            for one, other in zip(ours, own, strict=True):
                assert (one.dtype, one.tobytes(), one.flags.writeable) == (other.dtype, other.tobytes(), True)


def test_labels_of_many_classes(serve: Serve) -> None:
    images, labels = pictures()[0], np.arange(ROWS) * 6  # above 255: uint16
    stream = connect(serve(offered((images, labels))))
    own = millrace.stream((images, labels), batch=BATCH, seed=SEED, policy="digits", threads=0)
    assert stream[3].equals(own[3], check_metadata=True)
    assert str(stream[3].schema.field("label").type) == "uint16"
    for ours, theirs in zip(stream.numpy(), own.numpy(), strict=True):
        assert np.array_equal(ours[1], theirs[1])


def test_a_state_is_that_of_the_local_stream_and_back(serve: Serve, local: Any) -> None:
    stream = connect(serve())
    running = iter(stream.numpy())
    next(running)
    next(running)
    state = json.loads(json.dumps(stream.state()))
    assert state["step"] == 2
    assert local.at(state).step == 2
    assert stream.at(local.at(3).state()).step == 3
    other = millrace.stream(pictures(), batch=BATCH, seed=SEED + 1, policy="digits")
    with pytest.raises(UsageError, match="seed"):
        stream.at(other.state())
    again = stream.at(state).shard(1, 2)
    for ours, own in zip(again, local.at(2).shard(1, 2), strict=True):
        assert ours.equals(own)


def test_a_pass_that_is_left_leaves_no_call_behind(serve: Serve) -> None:
    service = serve(offered(pictures(4000)))
    stream = connect(service)
    for _ in stream:
        break
    running = iter(stream.numpy())
    next(running)
    running.close()
    with pytest.raises(UsageError, match="closed"):
        next(running)
    assert stream[3].num_rows == BATCH
    service.close(5.0)  # waits for the answers that run
    assert not service.server.answers


@pytest.mark.parametrize("read_ahead", [0.001, 64])  # one step a call, many steps a call
def test_leaving_a_pass_does_not_wait_for_a_server_that_is_gone(serve: Serve, read_ahead: float) -> None:
    service = serve(offered(pictures(4000, (1, 16, 16))))
    stream = connect(service, patience=60, read_ahead=read_ahead)
    running = iter(stream.numpy())
    next(running)
    service.close(0.0)
    time.sleep(0.2)  # until the threads that read ahead have found out
    began = time.monotonic()
    running.close()
    stream.close()
    assert time.monotonic() - began < 10


def test_calls_ask_for_no_more_than_is_read_ahead(serve: Serve, local: Any) -> None:
    service = serve()
    batch = local[0].nbytes
    stream = connect(service, read_ahead=3.5 * batch / (1 << 20))
    assert [one.num_rows for one in stream] == [one.num_rows for one in local]
    assert service.figures.requests == -(-STEPS // 3)
    assert len(list(connect(service, read_ahead=0))) == STEPS
    assert service.figures.requests == -(-STEPS // 3) + STEPS  # each alone


def test_the_steps_of_one_loader_may_be_asked_for_out_of_order(serve: Serve, local: Any) -> None:
    source = connect(serve())._source
    reading = source.reading(range(1, 2 * STEPS), 0, 1, 1 << 20)
    for step in (3, 1, 2, 2 * STEPS - 1, 3, 0, 4):
        assert np.array_equal(reading.rows(step, 0, 1).samples, local[step].column("sample").to_numpy())
    strided = source.reading(range(1, 9, 3), 1, 2, 1 << 20)
    assert strided.record(4, 1, 2).equals(local.shard(1, 2)[4], check_metadata=True)


def test_a_token_is_needed_and_never_shown(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    service = serve(place=ServePlace(token=TOKEN))
    with pytest.raises(ServiceError, match="token") as raised:
        connect(service)
    assert "MILLRACE_TOKEN" in str(raised.value)
    with pytest.raises(ServiceError) as raised:
        connect(service, token="another-token-of-the-length")
    assert "another-token" not in str(raised.value)
    stream = connect(service, token=TOKEN)
    assert stream[0].num_rows == BATCH
    assert TOKEN not in repr(stream._source.link.place)
    monkeypatch.setenv("MILLRACE_TOKEN", TOKEN)
    assert connect(service)[1].num_rows == BATCH


@pytest.mark.parametrize(
    ("address", "also", "word"),
    [
        ("http://a:1", {}, "no address"),
        ("grpc://a", {}, "no address"),
        ("grpc://a:port", {}, "no address"),
        ("grpc+unix://", {}, "no address"),
        (7, {}, "no address"),
        ([], {}, "no address"),
        ("grpc://192.0.2.1:1", {"token": TOKEN}, "unencrypted"),
        ("grpc://a:1\n", {}, "no address"),
        ("grpc://127.0.0.1:1", {"token": "sixteen-or-more-\u00e9"}, "holds no token"),
        ("grpc://127.0.0.1:1", {"token": "sixteen-or-more-\nx-injected: 1"}, "holds no token"),
        ("grpc://127.0.0.1:1", {"token": "short"}, "at least 16 printable"),
        ("grpc://127.0.0.1:1", {"token": ""}, "holds no token"),
        ("grpc://127.0.0.1:1", {"token": 7}, "holds no token"),
        ("grpc+tls://a:1", {"tls_roots": b"junk"}, "no certificates"),
        ("grpc+tls://a:1", {"tls_roots": "/no/such/file"}, "no certificates"),
        ("grpc://a:1", {"patience": -1}, "patience"),
        ("grpc://a:1", {"patience": "long"}, "patience"),
        ("grpc://a:1", {"read_ahead": -1}, "read_ahead"),
        ("grpc://a:1", {"threads": -1}, "threads"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_opened(address: Any, also: Any, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        millrace.connect(address, **also)


def test_a_pickled_stream_connects_anew(serve: Serve, local: Any) -> None:
    stream = pickle.loads(pickle.dumps(connect(serve()).at(4)))  # noqa: S301
    assert stream.step == 4
    assert stream[4].equals(local[4])


def test_no_server_is_said_within_the_patience() -> None:
    with pytest.raises(DeadlineError, match=r"127\.0\.0\.1:9") as raised:
        millrace.connect("grpc://127.0.0.1:9", patience=0.1)
    assert "refused" in str(raised.value).lower()
    assert "debug context" not in str(raised.value)


BLOCKED = ("numba", "llvmlite", "ray", "scipy", "yaml", "filelock", "rich", "requests", "safetensors", "threadpoolctl")
CLIENT = f"""
import sys
asked = set()
class Blocked:
    def find_spec(self, name, path=None, target=None):
        asked.add(name)
        if name.split(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
import hashlib, millrace, time
stream = millrace.connect(sys.argv[1], patience=5, threads=2)
loaded, used = set(sys.modules), time.process_time()
next(iter(stream.numpy(1)))
used = 1000 * (time.process_time() - used)  # of its own: how long it takes depends on who else is at work
seen = hashlib.sha256()
for layout in ("NCHW", "NHWC"):
    for arrays in stream.numpy(1, layout=layout, columns=["image", "label", "angle"]):
        for array in arrays:
            seen.update(array.tobytes())
stream.state()
assert not {{"pandas", "pyarrow.compute"}} & asked  # whether they are installed or not
print(seen.hexdigest(), used < 50, sorted(set(sys.modules) - loaded))
"""


@pytest.mark.slow
def test_the_client_needs_numpy_and_pyarrow_alone(serve: Serve) -> None:
    """Its floats are made by the twin of the kernel, and have its bits: three channels, both layouts. Once connected it
    imports nothing more, so the first batch of a process that has just begun is there within 50 ms."""
    import hashlib

    images = pictures(shape=(3, 6, 5))
    service = serve(offered(images))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CLIENT, service.address], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    seen = hashlib.sha256()
    local = millrace.stream(images, batch=BATCH, seed=SEED, policy="digits", threads=0)
    for layout in ("NCHW", "NHWC"):
        for arrays in local.numpy(1, layout=layout, columns=["image", "label", "angle"]):
            for array in arrays:
                seen.update(array.tobytes())
    assert done.stdout.strip() == f"{seen.hexdigest()} True []"
