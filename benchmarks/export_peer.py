# mypy: ignore-errors
# (what is imported here lies in the readers' environment)
"""The peer of benchmarks/export.py: Ray Data with OpenCV's warpAffine in a loop, written as Parquet.

    python export_peer.py IMAGES.npy LABELS.npy OUT EPOCHS CORES

Waits for a line on stdin before each measurement and prints the seconds of it; starting Ray is not counted.
"""

import logging
import shutil
import sys
import time

import cv2
import numpy as np
import pyarrow as pa
import ray
import ray.data
from ray.data.extensions import ArrowTensorArray


def augment(batch):
    """Each image of the batch through a random affine matrix, as augmentation with OpenCV is commonly written."""
    cv2.setNumThreads(1)
    generator = np.random.default_rng()
    images = batch["image"]
    out = np.empty_like(images)
    height, width = images.shape[1:]
    for row, image in enumerate(images):
        angle, scale = generator.uniform(-12, 12), generator.uniform(0.88, 1.12)
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, scale)
        matrix[:, 2] += generator.uniform(-0.08, 0.08, 2) * (width, height)
        out[row] = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    return {"image": out, "label": batch["label"]}


def main() -> None:
    images, labels = np.load(sys.argv[1]), np.load(sys.argv[2])
    out, epochs, cores = sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    ray.init(address="local", num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    logging.getLogger("ray.data").setLevel("ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    blocks = [
        {"image": part, "label": marks}
        for part, marks in zip(np.array_split(images, 8), np.array_split(labels, 8), strict=True)
    ]
    source = ray.data.from_arrow([_table(block) for block in blocks] * epochs).materialize()
    source.limit(1000).map_batches(augment, batch_format="numpy").write_parquet(f"{out}/warm")
    for _ in sys.stdin:
        begun = time.perf_counter()
        source.map_batches(augment, batch_size=1024, batch_format="numpy").write_parquet(f"{out}/data")
        sys.stdout.write(f"{time.perf_counter() - begun}\n")
        sys.stdout.flush()
        shutil.rmtree(f"{out}/data")


def _table(block):
    return pa.table({"image": ArrowTensorArray.from_numpy(block["image"]), "label": block["label"]})


if __name__ == "__main__":
    main()
