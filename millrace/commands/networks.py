"""Networks by what people type: a run, a checkpoint, or a file of `export-model`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace import config, datasets
from millrace.commands import runs
from millrace.config import Config
from millrace.errors import CheckpointError
from millrace.model import Checkpoint, Network, load
from millrace.model.portable import Portable, from_safetensors
from millrace.reports.words import argument, short
from millrace.runs.folder import RunFolder
from millrace.runs.working_copy import is_address

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
    """The network of a checkpoint, with what the checkpoint says of the data it was trained on."""
    recipe = config.build(config.recipe_values(checkpoint.config))
    data = checkpoint.data or _described(recipe.dataset)
    channels, height, width = data["shape"]
    made = Portable(
        options=recipe.network,
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
        },
    )
    sizes = channels * height * width, len(made.classes)
    text = Network(recipe.network, *sizes).text
    if text != checkpoint.model:
        raise CheckpointError("the checkpoint belongs to another model", expected=text, got=checkpoint.model)
    return made


def _described(name: str) -> dict[str, Any]:
    """Of a checkpoint that does not say it: what its dataset is, from the dataset itself."""
    spec = datasets.find(name)
    return spec.described(spec.shape or datasets.load(spec).shape)
