"""Loaders: batches of their own memory; threads that end, whatever happens in the loop."""

import contextlib
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import millrace
from millrace.errors import UsageError
from millrace.extras import MissingExtra
from millrace.pipeline import images_of, labels_of, parameters_of, samples_of
from tests.library.pictures import small


def ahead() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def no_threads() -> bool:
    until = time.monotonic() + 10
    while ahead() and time.monotonic() < until:
        time.sleep(0.01)
    return not ahead()


def test_columns_in_the_order_asked_for() -> None:
    stream = small()
    names = ["angle", "image", "flip", "sample", "label", "weight"]
    for step, found in enumerate(stream.numpy(columns=names, dtype="uint8")):
        batch = stream[step]
        drawn = parameters_of(batch)
        expected = [drawn[:, 2], images_of(batch), drawn[:, 6] != 0, samples_of(batch), labels_of(batch)]
        for array, other in zip(found, expected, strict=False):
            assert np.array_equal(array, other)
        assert [array.dtype for array in found] == ["f4", "u1", "?", "i8", "i4", "f4"]
        assert found[-1].tolist() == [np.float32(1 / batch.num_rows)] * batch.num_rows


def test_layouts_and_scales() -> None:
    stream = small()
    pixels = images_of(stream[0])
    (first,) = next(iter(stream.at(0).numpy(columns="image", layout="NHWC", dtype="uint8")))
    assert np.array_equal(first, pixels.transpose(0, 2, 3, 1))

    def scaled(**options: object) -> np.ndarray:
        return next(iter(stream.at(0).numpy(**options)))[0]  # type: ignore[arg-type]

    np.testing.assert_allclose(scaled(normalize="unit"), pixels / np.float32(255), rtol=1e-6)
    assert np.array_equal(scaled(normalize="none"), pixels.astype(np.float32))
    mean, std = np.array(stream.mean).reshape(3, 1, 1), np.array(stream.std).reshape(3, 1, 1)
    np.testing.assert_allclose(scaled(), (pixels / 255 - mean) / std, atol=1e-5)
    np.testing.assert_allclose(scaled(layout="NHWC"), ((pixels / 255 - mean) / std).transpose(0, 2, 3, 1), atol=1e-5)
    np.testing.assert_allclose(scaled(mean=0.5, std=(0.5, 1, 2))[:, 1], pixels[:, 1] / 255 - 0.5, atol=1e-6)
    np.testing.assert_allclose(scaled(normalize="unit", mean=0.25), pixels / 255 - 0.25, atol=1e-6)


def test_the_statistics_are_those_of_the_training_pixels() -> None:
    train = millrace.stream("digits", subset=300, validation=30)
    held = millrace.stream("digits", subset=300, validation=30, split="test")
    assert (train.mean, train.std) == (held.mean, held.std)
    alone = small(split="test")
    with pytest.raises(UsageError, match=r"(?s)statistics .* not known.*mean="):
        alone.numpy()
    assert len(next(iter(alone.numpy(mean=0.5, std=0.25)))[0]) == 8


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"layout": "NCWH"}, "unknown layout"),
        ({"dtype": "float64"}, "unknown dtype"),
        ({"normalize": "standart"}, "did you mean 'standard'"),
        ({"columns": ["image", "lable"]}, "did you mean 'label'"),
        ({"columns": []}, "no column"),
        ({"mean": (0.1, 0.2)}, "mean does not fit"),
        ({"mean": "a"}, "mean does not fit"),
        ({"std": 0}, "std is out of range"),
        ({"std": float("nan")}, "std does not fit"),
        ({"dtype": "uint8", "mean": 0.5, "std": 0.1}, "not normalised"),
        ({"dtype": "uint8", "normalize": "standart"}, "did you mean 'standard'"),
        ({"epochs": 0}, "epochs is out of range"),
    ],
)
def test_deliveries_that_cannot_be(options: dict[str, object], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        small().numpy(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options", [{}, {"dtype": "uint8"}, {"layout": "NHWC"}, {"split": "test", "mean": 0, "std": 1}]
)
def test_a_batch_stays_as_it_was_and_may_be_written_to(options: dict[str, Any]) -> None:
    stream = small(**({"split": options.pop("split")} if "split" in options else {}))
    kept = [(images, labels, images.copy(), labels.copy()) for images, labels in stream.numpy(3, **options)]
    before = stream[1]
    for images, labels, then, marks in kept:
        assert np.array_equal(images, then)
        assert np.array_equal(labels, marks)
        assert images.flags.writeable
        images[:] = 0
    assert stream[1].equals(before)


def test_an_exception_in_the_loop_ends_the_threads() -> None:
    def fail() -> None:
        for _ in small().numpy(epochs=1000):
            raise ValueError("in the loop")

    with pytest.raises(ValueError, match="in the loop") as caught:
        fail()
    assert no_threads()
    assert caught.value is not None


def test_threads_end_with_a_pass_a_break_a_close_and_a_loader_nobody_holds() -> None:
    stream = small()
    for _ in stream.numpy():
        pass
    assert not ahead()
    for _ in stream.numpy(epochs=1000):
        break
    assert no_threads()
    running = iter(stream.numpy(epochs=1000))
    next(running)
    assert ahead()
    stream.close()
    assert not ahead()
    del running
    gc.collect()


def test_reading_ahead_is_bounded_in_bytes() -> None:
    made = []
    stream = small(count=370, read_ahead=3 * 8 * 700 / (1 << 20), threads=2)
    loader = stream.numpy(epochs=4)
    make = loader._make
    loader._make = lambda step, rows: (made.append(step), make(step, rows))[1]  # type: ignore[func-returns-value]
    running = iter(loader)
    next(running)
    time.sleep(0.3)
    assert 2 <= len(made) <= 5  # one handed out, at most three ahead, and one begun since


def test_an_error_in_a_thread_reaches_the_loop() -> None:
    loader = small().numpy()

    def fail(step: int, _: object) -> tuple[np.ndarray, ...]:
        raise OSError(f"step {step}")

    loader._make = fail
    with pytest.raises(OSError, match="step 0"):
        next(iter(loader))
    assert no_threads()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_goes_on_in_the_same_bits() -> None:
    stream = small()
    loader = stream.numpy(epochs=2)
    running = iter(loader)
    next(running)
    child = os.fork()
    if child == 0:  # no assertion may leave this process by any other way
        good = all(np.array_equal(next(running)[0], next(iter(small().at(1 + n).numpy()))[0]) for n in range(9))
        good = good and next(running, None) is None and len(list(loader)) == 10
        os._exit(0 if good else 1)
    until = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < until:
        time.sleep(0.02)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0)
    assert len(list(running)) == 9


@pytest.mark.slow
def test_ctrl_c_in_the_loop_ends_the_program_at_once() -> None:
    code = (
        "import millrace, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it from birth\n"
        "stream = millrace.stream('digits', threads=2)\n"
        "try:\n"
        "    for number, batch in enumerate(stream.numpy(epochs=10**6)):\n"
        "        if number == 3: print('ready', flush=True)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted at', stream.step > 3)\n"
        "    raise\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        run.send_signal(signal.SIGINT)
        try:
            out, errors = run.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            run.kill()
            raise
    assert out == "interrupted at True\n"
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert run.returncode == -signal.SIGINT


def test_a_stream_and_its_loaders_cross_to_another_process() -> None:
    stream = small().shard(1, 3)
    loader = pickle.loads(pickle.dumps(stream.arrow(epochs=2)))  # noqa: S301  (our own bytes)
    assert [batch.equals(stream[step]) for step, batch in enumerate(loader)] == [True] * 10


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed here")
def test_without_pytorch_it_says_what_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"(?s)torch is not installed.*pip install 'millrace\[torch\]'"):
        small().torch()


def test_a_numpy_loader_crosses_too() -> None:
    loader = pickle.loads(pickle.dumps(small().numpy(columns=["sample"])))  # noqa: S301  (our own bytes)
    assert len(list(loader)) == 5


def test_a_pass_that_threads_share_gives_each_batch_to_one_of_them() -> None:
    stream = small()
    shared = iter(stream.numpy(epochs=20, columns=("sample",)))
    taken: list[bytes] = []

    def consume() -> None:
        taken.extend(samples.tobytes() for (samples,) in shared)

    threads = [threading.Thread(target=consume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(taken) == sorted(samples.tobytes() for (samples,) in stream.at(0).numpy(20, columns=("sample",)))


def test_a_pass_that_another_thread_closes_in_mid_step_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    running, process, asked = iter(small().numpy()), os.getpid(), list[int]()
    next(running)

    def closing() -> int:
        asked.append(0)
        if len(asked) == 2:  # between the look at its reader and the take
            running.close()
        return process

    monkeypatch.setattr("millrace.loading.loader.os.getpid", closing)
    with contextlib.suppress(UsageError):  # or the batch, where it was ready
        next(running)
    with pytest.raises(UsageError, match="closed"):
        next(running)
