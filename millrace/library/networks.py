"""Trained networks, by what people type: a run, a checkpoint or a file of `export-model`; and what they answer."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from millrace.arguments import path_text, wrong_type
from millrace.errors import CheckpointError, UsageError, unknown_name
from millrace.library import finding, resolving
from millrace.library.model_files import ModelFile, save_network
from millrace.model import Checkpoint, Network, Portable, from_safetensors, load
from millrace.reports.words import short
from millrace.runs import RunFolder, is_address
from millrace.settings import layers
from millrace.settings.keys import job_of_recipe
from millrace.values import whole
from millrace.workers import probabilities

if TYPE_CHECKING:
    from PIL import Image

NETWORK = "a file of export-model, a run or a checkpoint, the name of a run in the data folder, an address, or `latest`"
WHENCE = ("mirror", "offline")  # the keys that say where a dataset comes from
Pictures = npt.NDArray[np.uint8] | str | os.PathLike[str] | Sequence["str | os.PathLike[str] | Image.Image"]


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network takes n images for. probabilities: float64 (n, classes), each row sums to 1; classes: names."""

    probabilities: npt.NDArray[np.float64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The likeliest class of each image, int64 (n,); of equals the first."""
        labels: npt.NDArray[np.int64] = np.argmax(self.probabilities, axis=1)
        return labels

    @property
    def names(self) -> list[str]:
        """The names of these classes."""
        return [self.classes[label] for label in self.labels.tolist()]

    def top(self, count: int) -> list[list[tuple[str, float]]]:
        """For each image the `count` likeliest classes (fewer where there are not so many) with their probabilities."""
        count = whole("count", count, 1)
        return [
            [(self.classes[k], float(row[k])) for k in np.argsort(-row, kind="stable")[:count].tolist()]
            for row in self.probabilities
        ]


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network and where it was found: `location` as people type it, `path` where its files lie on this machine.

    portable: weights, classes, normalisation and where they come from (`model.portable`)."""

    path: Path
    location: str
    portable: Portable

    def __repr__(self) -> str:
        return f"TrainedNetwork({self.portable.network.text}, {self.location!r})"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.portable.classes

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images that it takes."""
        return self.portable.shape

    @property
    def about(self) -> Mapping[str, Any]:
        """Where it comes from: dataset, dataset_digest, step, config (its recipe), fingerprint, prepare and, of
        one's own pictures, reading."""
        return self.portable.about

    @property
    def step(self) -> int:
        """The updates that the network has had."""
        return int(self.about.get("step", 0))

    def predict(self, images: Pictures, *, threads: int = 1) -> Predictions:
        """What these images show, as `millrace predict` says it.

        images: uint8 (n, C, H, W) of the network's shape, or (n, H, W) where C is 1, as the dataset holds them; or a
        sequence of pictures (paths of PNG or JPEG files, or Pillow images) of any size, or one path, which are prepared
        as the training images were. threads: of this process; their number changes no bit.

        Errors: UsageError where the arrays do not fit, or pictures are given to a network of points; DataError where a
        file is no picture.
        """
        threads, own, pixels = whole("threads", threads, 1), self.portable, self._pixels(images)
        found = probabilities(own.network, own.inputs, own.weights, pixels, threads=threads)
        return Predictions(found, self.classes)

    def save(
        self, path: str | os.PathLike[str], *, format: str = "safetensors", precision: str = "float32"
    ) -> ModelFile:
        """Write it as one file: as `millrace export-model`, see `library.model_files.save_network`."""
        return save_network(self.portable, path, format, precision)

    def _pixels(self, images: Pictures) -> npt.NDArray[np.uint8]:
        """The images as uint8 (n, C, H, W)."""
        if not isinstance(images, np.ndarray):
            return self._prepared(images)
        pixels = images[:, None] if images.ndim == 3 and self.shape[0] == 1 else images
        if pixels.dtype != np.uint8 or pixels.shape[1:] != self.shape:
            raise UsageError(
                "these images are not as the network takes them",
                expected=f"uint8 (n, {', '.join(map(str, self.shape))})",
                got=f"{images.dtype} {images.shape}",
            )
        return np.ascontiguousarray(pixels)

    def _prepared(self, pictures: Any) -> npt.NDArray[np.uint8]:
        from millrace.datasets import opaque, prepared, prepared_as_read, read_picture, reading_kept

        prepare = str(self.about.get("prepare", "photos"))
        if prepare == "points":
            raise UsageError("this network was trained on points in the plane", expected="a network for pictures")
        if isinstance(pictures, str | os.PathLike) or hasattr(pictures, "convert"):
            return self._prepared([pictures])
        if not isinstance(pictures, Iterable):
            raise wrong_type("images", pictures, "an array, paths, or Pillow images")
        pictures = list(pictures)
        if not pictures:
            return np.empty((0, *self.shape), np.uint8)
        for one in pictures:
            if not (isinstance(one, str | os.PathLike) or hasattr(one, "convert")):
                got = type(one).__name__
                raise UsageError("this is no picture", expected="an array, paths, or Pillow images", got=got)
        if "reading" in self.about:
            reading = reading_kept(self.about["reading"])
            sources = [Path(os.path.expanduser(one)) if isinstance(one, str | os.PathLike) else one for one in pictures]
            return np.stack([prepared_as_read(source, self.shape, reading) for source in sources])
        read = [
            read_picture(Path(os.path.expanduser(one))) if isinstance(one, str | os.PathLike) else opaque(one)
            for one in pictures
        ]
        return np.stack([prepared(picture, self.shape, prepare) for picture in read])


def network(file: str | os.PathLike[str], **place: Any) -> TrainedNetwork:
    """A trained network, to predict with: a file of `export-model`, the folder of a run or a checkpoint, a run's
    address or its name in the data folder, or `latest`. Of a run it is the best that early stopping keeps, else the
    newest. place: `mirror` and `offline`, for the rare dataset that must be fetched to know the images' shape.

    Errors: UsageError where nothing lies there or another key is given, CheckpointError where it is damaged or no
    network of Millrace."""
    for key in place:
        if key not in WHENCE:
            raise unknown_name("key of a network", key, WHENCE)
    return find_network(path_text("file", file, NETWORK), resolving.layer_of(place))


def find_network(text: str, given: layers.Layer | None = None) -> TrainedNetwork:
    """The network that people mean, as `network`; `given`: the layer of what they said of the place."""
    path = Path(os.path.expanduser(text))
    if path.is_file():
        try:
            portable = from_safetensors(path.read_bytes(), short(path))
        except OSError as error:
            raise CheckpointError(f"{short(path)} cannot be read", got=error.strerror) from error
        return TrainedNetwork(path.absolute(), str(path.absolute()), portable)
    if is_address(text):
        folder = RunFolder.open(text)
        return of_checkpoint(newest(folder), folder.path, folder.location, given)
    path = finding.locate(text, "network", NETWORK)
    return of_checkpoint(checkpoint_at(path), path, str(path), given)


def of_checkpoint(
    checkpoint: Checkpoint, path: Path, location: str, given: layers.Layer | None = None
) -> TrainedNetwork:
    """The network of a checkpoint that lies in `path`."""
    data = checkpoint.data
    if not data:  # an earlier version did not write what its dataset is: the dataset itself is asked
        settings = resolving.for_network(checkpoint.config, path, given or {})
        spec = resolving.spec_of(settings, settings.job.dataset)
        data = spec.described(spec.shape or resolving.dataset_of(settings).shape)
    return TrainedNetwork(path, location, portable(checkpoint, data))


def checkpoint_at(path: Path) -> Checkpoint:
    """The checkpoint in this folder, or of the run in it the best that early stopping keeps, else the newest."""
    return newest(RunFolder.open(path)) if RunFolder.is_run(path) else load(path)


def newest(folder: RunFolder) -> Checkpoint:
    """The best checkpoint of a run that early stopping keeps, else the newest; CheckpointError where there is none."""
    latest = folder.best() or folder.latest()
    if latest is None:
        raise CheckpointError(
            f"the run in {short(folder.location)} has no checkpoint yet",
            do=f"`millrace.resume({str(folder.location)!r})` trains it",
        )
    return latest


def portable(checkpoint: Checkpoint, data: Mapping[str, Any]) -> Portable:
    """The network of a checkpoint; data: what its dataset is, as `DatasetSpec.described` says it."""
    job = job_of_recipe(checkpoint.config)
    channels, height, width = data["shape"]
    made = Portable(
        options=job.network,
        shape=(channels, height, width),
        classes=tuple(data["classes"]),
        inputs=checkpoint.inputs,
        weights=checkpoint.served,
        about={
            "dataset": data["name"],
            "dataset_digest": checkpoint.dataset_digest,
            "step": checkpoint.step,
            "config": checkpoint.config,
            "fingerprint": checkpoint.fingerprint,
            "prepare": data["prepare"],
            **({"reading": data["reading"]} if "reading" in data else {}),
        },
    )
    text = Network(job.network, channels * height * width, len(made.classes)).text
    if text != checkpoint.model:
        raise CheckpointError("the checkpoint belongs to another model", expected=text, got=checkpoint.model)
    return made
