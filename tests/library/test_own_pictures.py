"""A folder of one's own pictures, from its files to a network, an export and a report."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import millrace
from millrace import datasets
from millrace.datasets import Reading, decoding
from millrace.errors import FormatError, UsageError
from tests.datasets.importers.drawn import folders, pixels


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two classes of 16 pictures of 24 × 20, one of which cannot be read."""
    made = folders(tmp_path / "own", {"cat": 16, "dog": 16}, height=24, width=20)
    (made / "cat" / "007.png").write_bytes(b"no picture")
    return made


def train(own: Path, out: Path, **more: Any) -> Any:
    keys = {"size": (12, 8), "fit": "crop", "background": "black", "skip_bad": True, **more}
    return millrace.train(dataset=str(own), out=str(out), epochs=1, batch=8, network={"hidden": (6,)}, **keys)


@pytest.mark.slow
def test_a_network_takes_pictures_as_its_own_were_read(own: Path, tmp_path: Path) -> None:
    train(own, tmp_path / "run")
    network = millrace.network(tmp_path / "run")
    assert network.shape == (3, 12, 8)
    layer = np.dstack([pixels(3, 40, 17), np.full((40, 17), 255, np.uint8)])
    layer[:9, :, 3] = 0
    Image.fromarray(layer).save(tmp_path / "new.png")
    form = decoding.Form((12, 8), 3, Reading(fit="crop", background="black"))
    pixel = decoding.decoded(decoding.opened((tmp_path / "new.png").read_bytes(), False), form)
    expected = network.predict(np.ascontiguousarray(pixel)[None]).probabilities
    assert np.array_equal(network.predict([tmp_path / "new.png"]).probabilities, expected)
    assert np.array_equal(network.predict([Image.open(tmp_path / "new.png")]).probabilities, expected)
    saved = network.save(tmp_path / "network.safetensors")
    again = millrace.network(saved.path)
    assert np.array_equal(again.predict([tmp_path / "new.png"]).probabilities, expected)
    assert "007.png" in (tmp_path / "run" / "report.html").read_text()
    with pytest.raises(FormatError, match="cannot be taken"):
        network.predict([own / "cat" / "007.png"])


@pytest.mark.slow
def test_the_card_and_the_manifest_list_what_was_left_out(own: Path, tmp_path: Path) -> None:
    out = tmp_path / "export"
    millrace.export(str(own), out, size=(12, 8), skip_bad=True, policy="none")
    assert "| cat/007.png | no image |" in (out / "README.md").read_text()
    dataset = json.loads((out / "manifest.json").read_text())["dataset"]
    assert dataset["left_out"] == {"cat/007.png": "no image"}
    assert dataset["reading"]["size"] == [12, 8]
    assert datasets.find(str(out)).described((3, 12, 8))["reading"]["size"] == [12, 8]


def test_a_stream_takes_a_path_and_how_it_is_read(own: Path) -> None:
    stream = millrace.stream(own, batch=8, size=(8, 8), skip_bad=True, test_share=0.5, policy="none")
    assert (stream.shape, stream.classes) == ((3, 8, 8), ("cat", "dog"))
    with pytest.raises(UsageError, match="unknown argument of a stream"):
        millrace.stream(own, sise=(8, 8))
    with pytest.raises(UsageError, match="did you mean 'batch'"):
        millrace.stream(own, bacth=8)
    with pytest.raises(UsageError, match=r"give all of them: \[8, 8\]"):
        millrace.stream(own, size=8)
    with pytest.raises(UsageError, match="files of one's own"):
        millrace.stream("digits", size=(8, 8))


def test_a_dataset_file_says_how_a_path_is_read(own: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("path: own\nname: beasts\nclasses: [Cat, Dog]\nsize: [8, 10]\nskip_bad: true\n")
    found = datasets.find(str(file))
    assert (found.name, found.classes, found.policy) == ("beasts", ("Cat", "Dog"), "photos")
    assert datasets.load(found).shape == (3, 8, 10)
    file.write_text("path: own\nsize: [8, 10]\nskip_bad: true\ntest: none\n")
    assert datasets.load(datasets.find(str(file))).test.num_rows == 0
    file.write_text("path: own\ntest: none\ntest_share: 0.5\n")
    with pytest.raises(UsageError, match="none with a test share"):
        datasets.find(str(file))
    file.write_text("path: own\nclasses: [Cat]\n")
    with pytest.raises(UsageError, match="names of the classes do not fit"):
        datasets.find(str(file))
    file.write_text("path: own\nsizes: [8, 10]\n")
    with pytest.raises(UsageError, match="sizes"):
        datasets.find(str(file))
    file.write_text("path: own\nfit: squeeze\n")
    with pytest.raises(UsageError, match="squeeze"):
        datasets.find(str(file))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 3), (2, 700)])
def test_arrays_of_sizes_that_pictures_are_not_made_are_streamed_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, height: int, width: int
) -> None:
    """Measured series, say: taken, with a note."""
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "cache"))
    made = (np.arange(24 * height * width) % 251).astype(np.uint8).reshape(24, height, width)
    kept = np.arange(24) % 2
    np.savez(tmp_path / "a.npz", x_train=made, y_train=kept, x_test=made[:4], y_test=kept[:4])
    stream = millrace.stream(str(tmp_path / "a.npz"), batch=24, policy="none")
    batch = stream[0]
    samples = batch["sample"].to_numpy()
    assert sorted(samples) == list(range(24))
    assert np.array_equal(batch["image"].to_numpy_ndarray()[:, 0], made[samples])
    assert np.array_equal(batch["label"].to_numpy(), kept[samples])
    turned = millrace.stream(str(tmp_path / "a.npz"), batch=24, policy={"translate": 0.2, "rotate": 30})[0]
    assert turned["image"].to_numpy_ndarray().shape == (24, 1, height, width)
