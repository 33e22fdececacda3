"""Networks by what people type: a run, a checkpoint, or a file of `export-model`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace import config, datasets
from millrace.commands import runs
from millrace.config import Config
from millrace.datasets import DatasetSpec
from millrace.errors import CheckpointError
from millrace.model import Checkpoint, Network, load
from millrace.model.portable import Portable, from_safetensors
from millrace.reports.words import argument, short
from millrace.workers.run_folder import RunFolder
from millrace.workers.working_copy import is_address

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Found:
    """A network and where it was found: `location` as people type it, `path` where its files lie on this machine."""

    path: Path
    location: str
    network: Portable

    @property
    def step(self) -> int:
        """The updates that the network has had."""
        return int(self.network.about.get("step", 0))


def find_network(text: str) -> Found:
    """The network that people mean: a file, the folder of a run or a checkpoint, a run's address or name, or `latest`.

    Of a run it is the best that early stopping keeps, else the newest. UsageError or CheckpointError otherwise."""
    path = Path(text).expanduser()
    if path.is_file():
        try:
            return Found(path.absolute(), str(path.absolute()), from_safetensors(path.read_bytes(), short(path)))
        except OSError as error:
            raise CheckpointError(f"{short(path)} cannot be read", got=error.strerror) from error
    if is_address(text):
        folder = RunFolder.open(text)
        return Found(folder.path, folder.location, portable(_newest(folder)))
    path = runs.locate(text)
    return Found(path, str(path), portable(checkpoint_at(path)))


def checkpoint_at(path: Path) -> Checkpoint:
    """The checkpoint in this folder, or of the run in it the best that early stopping keeps, else the newest."""
    if not RunFolder.is_run(path):
        return load(path)
    return _newest(RunFolder.open(path))


def _newest(folder: RunFolder) -> Checkpoint:
    latest = folder.best() or folder.latest()
    if latest is None:
        raise CheckpointError(
            f"the run in {short(folder.location)} has no checkpoint yet",
            do=f"millrace resume {argument(folder.location)} trains it",
        )
    return latest


def recipe_of(about: Mapping[str, Any]) -> Config:
    """The recipe that a network was trained by."""
    return config.build(config.recipe_values(about.get("config", {})))


def portable(checkpoint: Checkpoint) -> Portable:
    """The network of a checkpoint, with what its dataset's specification says of its inputs and classes."""
    recipe = config.build(config.recipe_values(checkpoint.config))
    spec = datasets.find(recipe.dataset)
    shape = spec.shape or _shape(spec)
    made = Portable(
        options=recipe.network,
        shape=shape,
        classes=spec.classes,
        inputs=checkpoint.inputs,
        weights=checkpoint.served,
        about={
            "dataset": spec.name,
            "dataset_digest": checkpoint.dataset_digest,
            "step": checkpoint.step,
            "config": checkpoint.config,
            "fingerprint": checkpoint.fingerprint,
            "prepare": "digits" if spec.policy == "digits" else "points" if spec.format == "points" else "photos",
        },
    )
    sizes = shape[0] * shape[1] * shape[2], len(spec.classes)
    text = Network(recipe.network, *sizes).text
    if text != checkpoint.model:
        raise CheckpointError("the checkpoint belongs to another model", expected=text, got=checkpoint.model)
    return made


def _shape(spec: DatasetSpec) -> tuple[int, int, int]:
    """The shape of the images, where the specification leaves it to the files."""
    channels, height, width = datasets.images(datasets.load(spec).train).shape[1:]
    return channels, height, width
