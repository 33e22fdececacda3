# mypy: ignore-errors
# (Hugging Face's `datasets` has the name of a folder of ours, so nothing of ours is imported here.)
"""The peers of benchmarks/export.py, each image through OpenCV's warpAffine in a loop, written as Parquet.

    python -P export_peer.py NAME IMAGES.npy LABELS.npy OUT EPOCHS CORES

For every line on stdin it writes the epochs and prints a line of JSON with the images per second; starting Ray is not
counted.

  ray           Ray Data, `map_batches` and `write_parquet`, as in "Working with Images" (docs.ray.io/en/latest/data)
  huggingface   Hugging Face Datasets, `map` over batches in as many processes as cores and `to_parquet`, as in
                "Process", "Batch processing" and "Multiprocessing" (huggingface.co/docs/datasets/process)
"""

import json
import logging
import shutil
import sys
import time

import cv2
import numpy as np


def augment(batch):
    """Each image of the batch through `warpAffine`, matrices as of `getRotationMatrix2D` drawn and computed for all."""
    cv2.setNumThreads(1)
    generator = np.random.default_rng()
    images = batch["image"]
    out = np.empty_like(images)
    count, height, width = images.shape
    angle = np.deg2rad(generator.uniform(-12, 12, count))
    scale = generator.uniform(0.88, 1.12, count)
    dx, dy = generator.uniform(-0.08, 0.08, (2, count)) * [[width], [height]]
    cos, sin, x, y = np.cos(angle) * scale, np.sin(angle) * scale, (width - 1) / 2, (height - 1) / 2
    rows = [cos, sin, (1 - cos) * x - sin * y + dx, -sin, cos, sin * x + (1 - cos) * y + dy]
    for image, matrix, into in zip(images, np.stack(rows, 1).reshape(-1, 2, 3), out, strict=True):
        cv2.warpAffine(image, matrix, (width, height), into, cv2.INTER_LINEAR)
    return {"image": out, "label": batch["label"]}


def ray_data(images, labels, out, epochs, cores):
    """Ray Data."""
    import pyarrow as pa
    import ray
    import ray.data
    from ray.data.extensions import ArrowTensorArray

    ray.init(address="local", num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    logging.getLogger("ray.data").setLevel("ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    blocks = [
        pa.table({"image": ArrowTensorArray.from_numpy(part), "label": marks})
        for part, marks in zip(np.array_split(images, 8), np.array_split(labels, 8), strict=True)
    ]
    source = ray.data.from_arrow(blocks * epochs).materialize()
    return lambda: source.map_batches(augment, batch_size=1024, batch_format="numpy").write_parquet(out)


def huggingface(images, labels, out, epochs, cores):
    """Hugging Face Datasets."""
    import datasets

    datasets.disable_progress_bars()
    kinds = {"image": datasets.Array2D(images.shape[1:], "uint8"), "label": datasets.Value("uint8")}
    source = datasets.Dataset.from_dict({"image": images, "label": labels}, datasets.Features(kinds))
    source = source.with_format("numpy", dtype=np.uint8).repeat(epochs)

    def write():
        made = source.map(augment, batched=True, batch_size=1024, num_proc=cores, load_from_cache_file=False)
        made.to_parquet(f"{out}/data.parquet")

    return write


def main() -> None:
    name, images, labels, out = sys.argv[1], np.load(sys.argv[2]), np.load(sys.argv[3]), sys.argv[4]
    epochs, cores = int(sys.argv[5]), int(sys.argv[6])
    write = {"ray": ray_data, "huggingface": huggingface}[name](images, labels, out, epochs, cores)
    for _ in sys.stdin:
        begun = time.perf_counter()
        write()
        print(json.dumps({"rate": epochs * len(images) / (time.perf_counter() - begun)}), flush=True)
        shutil.rmtree(out)


if __name__ == "__main__":
    try:
        main()
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
