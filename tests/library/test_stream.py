"""`millrace.stream`: any step at any time, by any number of threads, the bits of the pipeline underneath."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import millrace
from millrace import datasets
from millrace.errors import DataError, UsageError
from millrace.pipeline import PRESETS, Policy, Stream, from_mapping, images_of, labels_of, samples_of
from millrace.pipeline.draw import draw
from tests.library.pictures import POLICY, pictures, small


def test_a_step_is_the_pipelines_samples_in_its_order_with_all_that_was_drawn() -> None:
    stream = small()
    images, labels = pictures()
    below = Stream(images, labels.astype(np.uint8), policy=from_mapping(POLICY), seed=3, batch=8, slot_size=3)
    assert len(stream) == 5
    for step in (0, 4, 5, 12, 4710):
        batch = stream[step]
        slots = [below.batch(step, slot) for slot in range(below.order.slots(step))]
        for name in batch.schema.names:
            column = [value for slot in slots for value in slot.column(name).to_pylist()]
            assert batch.column(name).to_pylist() == column, (step, name)
        assert batch.num_rows == (5 if step % 5 == 4 else 8)
        drawn = draw(from_mapping(POLICY), samples_of(batch), height=6, width=7, seed=3, epoch=step // 5)
        assert np.array_equal(batch["angle"].to_numpy(), drawn.parameters[:, 2])
        assert np.array_equal(labels_of(batch), labels[samples_of(batch)])


def test_an_epoch_has_every_sample_once_and_each_epoch_another_order() -> None:
    stream = small()
    epochs = [np.concatenate([samples_of(batch) for batch in stream]) for _ in range(2)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(37))] * 2
    assert not np.array_equal(epochs[0], epochs[1])


def test_drop_last_leaves_out_the_short_step_of_each_epoch() -> None:
    stream = small(drop_last=True)
    assert (len(stream), stream.samples) == (4, 32)
    assert [len(x) for x, _ in stream.numpy(epochs=2)] == [8] * 8
    assert samples_of(stream[4]).tolist() == samples_of(small()[5]).tolist()  # the first step of epoch 1


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("read_ahead", [0, 0.001, 64])
def test_the_bits_are_those_of_one_thread_without_reading_ahead(threads: int, read_ahead: float) -> None:
    stream = small(threads=threads, read_ahead=read_ahead)
    for step, batch in enumerate(stream.arrow(epochs=2)):
        assert batch.equals(small()[step], check_metadata=True)
    assert step == 9


def test_by_name_it_is_what_train_streams() -> None:
    stream = millrace.stream("digits", batch=100, seed=5, subset=500, validation=50)
    data = datasets.load(datasets.find("digits"))
    rows = datasets.split(datasets.labels(data.train), subset=500, validation=50, seed=5)
    below = Stream(
        datasets.images(data.train),
        datasets.labels(data.train),
        rows.train,
        policy=PRESETS["digits"],
        seed=5,
        batch=100,
    )
    assert (len(stream), stream.samples, stream.shape, len(stream.classes)) == (5, 450, (1, 8, 8), 10)
    assert np.array_equal(images_of(stream[7])[:50], images_of(below.batch(7, 0)))
    held = millrace.stream("digits", batch=50, seed=5, subset=500, validation=50, split="validation")
    assert np.array_equal(samples_of(held[0]), rows.validation)
    assert np.array_equal(images_of(held[3]), datasets.images(data.train)[rows.validation])


def test_the_test_split_stands_as_stored_in_every_epoch() -> None:
    stream = millrace.stream("digits", batch=128, split="test")
    data = datasets.load(datasets.find("digits"))
    for _ in range(2):
        pixels, marks = zip(*stream.numpy(dtype="uint8"), strict=True)
        assert np.array_equal(np.concatenate(pixels), datasets.images(data.test))
        assert np.array_equal(np.concatenate(marks), datasets.labels(data.test))


def test_a_path_a_dataset_and_a_policy_in_every_form(tmp_path: Path) -> None:
    images, labels = pictures(channels=1)
    labels = labels.astype(np.uint8)
    np.savez(
        tmp_path / "own.npz",
        train_images=images[:, 0],
        train_labels=labels,
        test_images=images[:9, 0],
        test_labels=labels[:9],
    )
    (tmp_path / "own.yaml").write_text(
        "name: own\ntitle: own\nformat: npz\nclasses: [a, b, c, d, e]\nfiles: [{name: own.npz}]\n"
    )
    data = datasets.load(datasets.find(str(tmp_path / "own.yaml")))
    ways = [
        millrace.stream(str(tmp_path / "own.yaml"), batch=8, policy="digits"),
        millrace.stream(tmp_path / "own.yaml", batch=8, policy=PRESETS["digits"]),
        millrace.stream(data, batch=8, policy={"preset": "digits"}),
        millrace.stream((images[:, 0], labels.astype(np.int8)), batch=8, policy="digits"),
    ]
    assert [stream[3].to_pydict() == ways[0][3].to_pydict() for stream in ways] == [True] * 4
    plain = millrace.stream((images, labels), batch=37)[0]
    assert np.array_equal(images_of(plain), images[samples_of(plain)])  # arrays have no policy of their own


def test_arrays_may_be_a_test_split() -> None:
    images, labels = pictures()
    batch = millrace.stream((images, labels), batch=37, split="test")[0]
    assert np.array_equal(images_of(batch), images)


BAD = [
    ({"data": "mnis"}, "unknown dataset 'mnis'", "did you mean 'mnist'"),
    ({"data": 7}, "cannot be streamed", "int"),
    ({"data": (pictures()[0], pictures()[1][:-1])}, "do not fit", "37 images, 36 labels"),
    ({"data": (pictures()[0].astype(np.float32), pictures()[1])}, "float32 pixels need a range", "values from"),
    ({"data": (pictures()[0][0], pictures()[1][:3, None, None])}, "array of labels is not a list", r"\(3, 1, 1\)"),
    ({"data": (pictures()[0][:, 0, 0], pictures()[1])}, "array of images is not a stack", r"\(37, 7\)"),
    ({"data": (pictures()[0][:0], pictures()[1][:0])}, "images cannot be streamed", "at least one"),
    ({"data": ([[1, 2], [3]], [0, 1])}, "images are no array", "inhomogeneous"),
    ({"data": (pictures()[0], pictures()[1] * 0.5)}, "labels that are not whole", "0.5"),
    ({"data": (pictures()[0], pictures()[1] - 1)}, "holds an impossible label", "-1 to 3"),
    ({"data": (pictures()[0], pictures()[1].astype(np.int64) + 65_532)}, "impossible label", "65532 to 65536"),
    ({"data": pictures(), "fit": "crop"}, "arrays are taken as they are", "fit"),
    ({"data": pictures(), "range": "0..100"}, "values outside of its range", "values from"),
    ({"batch": 38}, "batch does not fit", "1 to 37"),
    ({"batch": 0}, "batch is out of range", "0"),
    ({"batch": 2.5}, "batch is out of range", "2.5"),
    ({"seed": 2**32}, "seed is out of range", "4294967296"),
    ({"seed": -1}, "seed is out of range", "-1"),
    ({"drop_last": "no"}, "drop_last", "true or false"),
    ({"offline": "no"}, "offline", "true or false"),
    ({"seed": True}, "seed is out of range", "True"),
    ({"policy": "digit"}, "unknown policy", "digits"),
    ({"policy": 3}, "no policy", "3"),
    ({"split": "tests"}, "unknown split", "did you mean 'test'"),
    ({"split": "validation"}, "arrays has no validation split", "validation=N"),
    ({"subset": 38}, "subset does not fit", "37"),
    ({"validation": 37}, "validation split does not fit", "36"),
    ({"threads": -1}, "threads is out of range", "-1"),
    ({"read_ahead": -1}, "read_ahead is out of range", "-1"),
    ({"read_ahead": float("nan")}, "read_ahead is out of range", "nan"),
]


@pytest.mark.parametrize(("options", "what", "detail"), BAD)
def test_what_does_not_fit_is_refused(options: dict[str, object], what: str, detail: str) -> None:
    data = options.pop("data", pictures())
    with pytest.raises(UsageError, match=f"(?s){what}.*{detail}"):
        millrace.stream(data, **{"batch": 8, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("step", [-1, "3", 1.0, 2**32 * 5])
def test_there_is_no_such_step(step: object) -> None:
    with pytest.raises(UsageError, match="step is out of range"):
        small()[step]  # type: ignore[index]


def test_nothing_is_usable_after_close() -> None:
    stream = small()
    loader, running = stream.numpy(), iter(stream.arrow())
    next(running)
    with stream:
        pass
    uses: list[Callable[[], object]] = [
        lambda: stream[0],
        lambda: next(running),
        lambda: iter(loader),
        stream.numpy,
        lambda: stream.at(0),
        lambda: stream.shard(0, 2),
    ]
    for use in uses:
        with pytest.raises(UsageError, match="closed"):
            use()


def test_import_is_quick_and_heavy_modules_come_with_their_first_use() -> None:
    code = (
        "import sys, millrace\nassert millrace.__version__\n"
        "assert not {'numpy', 'numba', 'pyarrow', 'ray', 'torch'} & set(sys.modules)\n"
        "assert {'stream', 'Policy'} <= set(dir(millrace))\nmillrace.stream\nassert 'ray' not in sys.modules\n"
        "assert 'sklearn' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_a_policy_is_built_in_code() -> None:
    assert small(policy=millrace.Policy(rotate=15))[0]["angle"].to_numpy().max() <= 15
    assert millrace.Policy is Policy
    assert Policy(rotate=np.float64(15)) == Policy(rotate=15)


def test_where_data_comes_from_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As for every command; an argument goes before it."""
    monkeypatch.setenv("MILLRACE_OFFLINE", "yes")
    with pytest.raises(DataError, match="offline"):
        millrace.stream("mnist", cache=tmp_path)
    monkeypatch.setenv("MILLRACE_OFFLINE", "")
    monkeypatch.setenv("MILLRACE_MIRROR", (tmp_path / "nothing").as_uri())
    with pytest.raises(DataError) as missing:
        millrace.stream("mnist", cache=tmp_path)
    assert "nothing" in str(missing.value)
    monkeypatch.setenv("MILLRACE_OFFLINE", "perhaps")
    with pytest.raises(UsageError, match="MILLRACE_OFFLINE"):
        millrace.stream("mnist", cache=tmp_path)


def test_no_mirror_is_spelled_in_the_environment_as_for_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    own = small()._source.dataset  # type: ignore[attr-defined]

    def load(spec: object, *, mirror: str | None, **_: object) -> datasets.Dataset:
        asked.append(mirror)
        return own  # type: ignore[no-any-return]

    monkeypatch.setattr("millrace.loading.data.load", load)
    for word in ("none", "", "file:///there"):
        monkeypatch.setenv("MILLRACE_MIRROR", word)
        millrace.stream("mnist", batch=8)
    assert asked == [None, None, "file:///there"]


@pytest.mark.parametrize("dtype", ["uint8", np.uint8, np.dtype("uint8")])
def test_a_dtype_may_be_given_as_numpy_has_it(dtype: Any) -> None:
    assert next(iter(small().numpy(dtype=dtype)))[0].dtype == np.uint8
    with pytest.raises(millrace.UsageError, match="unknown dtype 'int16'"):
        small().numpy(dtype=np.int16)
