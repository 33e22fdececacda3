"""One process imports Millrace, Hugging Face's `datasets` and PyTorch, and all three work."""

from pathlib import Path

import pytest

from tests.peers.environment import needed, run

pytestmark = [pytest.mark.slow, needed, pytest.mark.timeout(300)]

TOGETHER = """
import datasets, millrace, torch
import numpy as np
from millrace import datasets as ours
drawn = np.arange(40 * 64, dtype=np.uint8).reshape(40, 8, 8)
rows = datasets.Dataset.from_dict({"image": drawn.tolist(), "label": [0, 1] * 20})
images = np.array(rows["image"], np.uint8)[:, None]
stream = millrace.stream((images, np.array(rows["label"])), batch=8, seed=3)
pixels = torch.cat([images.sum((1, 2, 3)) for images, _ in stream.torch(epochs=1, dtype="uint8")])
print(ours.__name__, datasets.__name__, len(pixels), pixels.dtype, stream[0].num_rows)
"""


@pytest.mark.parametrize("first", ["millrace", "datasets", "torch"])
def test_three_libraries_in_one_process(tmp_path: Path, first: str) -> None:
    said = run("-c", f"import {first}\n{TOGETHER}", folder=tmp_path)
    assert said.split()[:3] == ["millrace.datasets", "datasets", "40"]
