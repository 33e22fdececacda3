"""MNIST and CIFAR-10 (JPEG 75) themselves, from the mirror that MILLRACE_TEST_MIRROR names."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from millrace import datasets
from millrace.datasets.catalogue import find
from millrace.errors import IntegrityError

MIRROR = os.environ.get("MILLRACE_TEST_MIRROR", "")
EXAMPLES = Path(__file__).parents[2] / "datasets" / "examples"

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not MIRROR, reason="MILLRACE_TEST_MIRROR does not say where the real data lies"),
]


def test_mnist(capsys: pytest.CaptureFixture[str]) -> None:
    dataset = datasets.load(find("mnist"), mirror=MIRROR)
    pixels, marks = datasets.images(dataset.train), datasets.labels(dataset.train)
    assert pixels.shape == (60_000, 1, 28, 28)
    assert datasets.images(dataset.test).shape == (10_000, 1, 28, 28)
    # Published: the first labels, the numbers per class, mean and deviation of the training pixels.
    assert marks[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(marks).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert round(float(pixels.mean() / 255), 4) == 0.1307
    assert round(float(pixels.std() / 255), 4) == 0.3081
    begin = time.perf_counter()
    again = datasets.load(find("mnist"), mirror=MIRROR)
    seconds = time.perf_counter() - begin
    with capsys.disabled():
        print(f"\n[second load of MNIST: {1000 * seconds:.1f} ms]", end=" ")  # noqa: T201
    assert again.digest == dataset.digest == datasets.verify(find("mnist")).digest


@pytest.mark.slow
def test_cifar10_jpeg75_as_a_dataset_file() -> None:
    spec = find(str(EXAMPLES / "cifar10-jpeg75.yaml"))
    dataset = datasets.load(spec, mirror=MIRROR)
    assert datasets.images(dataset.train).shape == (50_000, 3, 32, 32)
    assert np.bincount(datasets.labels(dataset.train)).tolist() == [5000] * 10
    assert np.bincount(datasets.labels(dataset.test)).tolist() == [1000] * 10
    means = datasets.images(dataset.train).mean(axis=(0, 2, 3)) / 255
    # Of the original; JPEG moves them by less than this.
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=2e-3)
    assert datasets.verify(spec).digest == dataset.digest


def test_cifar10_itself_refuses_the_jpeg_variant() -> None:
    with pytest.raises(IntegrityError, match=r"data_batch_1\.bin is not what it should be"):
        datasets.load(find("cifar10"), mirror=MIRROR)
