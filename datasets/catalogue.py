"""The datasets that Millrace knows by name, and how a name or a file becomes a `DatasetSpec`."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from millrace.datasets import exported, importers, points_names
from millrace.datasets.dataset_file import read_dataset_file
from millrace.datasets.importers.options import PLAIN, Reading
from millrace.datasets.known import cifar, emnist, mnist
from millrace.datasets.known.svhn import SVHN
from millrace.datasets.spec import DatasetSpec
from millrace.errors import OptionError, UsageError, unknown_name

DIGITS = DatasetSpec(
    name="digits",
    title="Handwritten digits 8x8 (UCI, bundled with scikit-learn): 1,437 + 360 images",
    format="embedded",
    classes=tuple("0123456789"),
    policy="digits",
    licence="CC BY 4.0 (UCI Machine Learning Repository)",
    homepage="https://archive.ics.uci.edu/dataset/80",
    shape=(1, 8, 8),
)

EXAMPLES = Path(__file__).resolve().parent / "examples"
# What `millrace fetch` without a name fetches; the others are large, or asked for by few.
_EVERYDAY = (DIGITS, mnist.MNIST, mnist.FASHION_MNIST, cifar.CIFAR10, *points_names.SPECS)
_FURTHER = (
    mnist.KMNIST,
    mnist.QMNIST,
    emnist.LETTERS,
    emnist.BALANCED,
    emnist.DIGITS,
    emnist.BYCLASS,
    cifar.CIFAR100,
    cifar.CIFAR100_COARSE,
    SVHN,
)
_REGISTRY = MappingProxyType({spec.name: spec for spec in (*_EVERYDAY, *_FURTHER)})


def registry() -> Mapping[str, DatasetSpec]:
    """The built-in datasets by name; read-only."""
    return _REGISTRY


def everyday() -> tuple[DatasetSpec, ...]:
    """The built-in datasets that are fetched where none is named: 300 MB in all, not gigabytes."""
    return _EVERYDAY


def find(name: str, reading: Reading = PLAIN) -> DatasetSpec:
    """The dataset of this name, built in or among the examples; the export in this folder; the one that the YAML file
    of this path describes; or the files at this path, read as `reading` says. Nothing is decoded.

    A UsageError says an unknown name (with the nearest known one), what is wrong with the file, or that a reading was
    given for what is no path; a FormatError, what is not understood.
    """
    if is_path(name):
        return importers.find_path(Path(name), reading)
    if reading != PLAIN:
        first = next(iter(reading.given))
        raise OptionError(
            first,
            f"is given, but {name} is not read from files of one's own",
            expected="the path of a folder or file of pictures or arrays",
            got=", ".join(f"{key} {value}" for key, value in reading.given.items()),
            do="put these into the dataset file" if _is_yaml(name) else f"leave out `{first}`",
        )
    if name in _REGISTRY:
        return _REGISTRY[name]
    if (made := points_names.find_points(name)) is not None:
        return made
    if "://" in name or os.path.isdir(name):
        return exported.find_export(name)
    if _is_yaml(name):
        return read_dataset_file(Path(name))
    if (example := EXAMPLES / f"{name}.yaml").is_file():
        return read_dataset_file(example)
    raise unknown_name("dataset", name, _REGISTRY, do="give one of these names, or the path of your files")


def named(given: str | os.PathLike[str]) -> str:
    """What `find` takes, from what a caller gives: a text as it is; a path, also where its text is a name that is built
    in, as the path that it is: pathlib drops the "./" which tells them apart. UsageError where it holds a NUL."""
    text = os.fspath(given)
    if "\0" in text:
        raise UsageError("no file has such a name", expected="a name or a path without NUL", got=repr(text))
    if isinstance(given, str) or os.sep in text or not _is_name(text):
        return text
    return os.path.join(os.curdir, text)


def _is_name(text: str) -> bool:
    """Whether `find` would take this for a name, not for a path."""
    return text in _REGISTRY or points_names.parse(text) is not None or (EXAMPLES / f"{text}.yaml").is_file()


def is_path(name: str) -> bool:
    """Whether this is the path of files of one's own: no known name, no dataset file, no export."""
    if name in _REGISTRY or points_names.find_points(name) is not None or "://" in name or _is_yaml(name):
        return False
    if os.path.isdir(name):
        return not os.path.isfile(os.path.join(name, exported.MANIFEST))
    return os.sep in name or os.path.exists(name)


def policy_of(name: str) -> str:
    """The name of the policy that a dataset has of its own; files are not looked at for it."""
    return importers.POLICY if is_path(name) else find(name).policy


def _is_yaml(name: str) -> bool:
    return name.lower().endswith((".yaml", ".yml"))
