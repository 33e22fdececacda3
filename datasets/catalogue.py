"""The datasets that Millrace knows by name, and how a name or a file becomes a `DatasetSpec`.

MNIST and CIFAR-10 are pinned by digests of their content, as their publishers and several independent
projects give them. For Fashion-MNIST only digests of the gzip files as sent are published, so those
are checked, beside the size and form of the content.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from millrace.datasets import exported, importers, points_names
from millrace.datasets.dataset_file import read_dataset_file
from millrace.datasets.importers.options import PLAIN, Reading
from millrace.datasets.spec import DatasetSpec, FileSpec, MemberSpec
from millrace.errors import UsageError, unknown_name

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

MNIST = DatasetSpec(
    name="mnist",
    title="MNIST, handwritten digits 28x28: 60,000 + 10,000 images",
    format="idx",
    classes=tuple("0123456789"),
    files=(
        FileSpec(
            "train-images-idx3-ubyte.gz",
            "train_images",
            47_040_016,
            "sha256:ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        FileSpec(
            "train-labels-idx1-ubyte.gz",
            "train_labels",
            60_008,
            "sha256:65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        FileSpec(
            "t10k-images-idx3-ubyte.gz",
            "test_images",
            7_840_016,
            "sha256:0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        FileSpec(
            "t10k-labels-idx1-ubyte.gz",
            "test_labels",
            10_008,
            "sha256:ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    policy="digits",
    licence="CC BY-SA 3.0",
    homepage="https://yann.lecun.com/exdb/mnist/",
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    shape=(1, 28, 28),
)

FASHION_MNIST = DatasetSpec(
    name="fashion-mnist",
    title="Fashion-MNIST, articles of clothing 28x28: 60,000 + 10,000 images",
    format="idx",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    files=(
        FileSpec(
            "train-images-idx3-ubyte.gz",
            "train_images",
            47_040_016,
            sent_digest="sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        FileSpec(
            "train-labels-idx1-ubyte.gz",
            "train_labels",
            60_008,
            sent_digest="sha256:a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        FileSpec(
            "t10k-images-idx3-ubyte.gz",
            "test_images",
            7_840_016,
            sent_digest="sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        FileSpec(
            "t10k-labels-idx1-ubyte.gz",
            "test_labels",
            10_008,
            sent_digest="sha256:67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    policy="photos",
    licence="MIT, (c) 2017 Zalando SE",
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    shape=(1, 28, 28),
)

CIFAR10 = DatasetSpec(
    name="cifar10",
    title="CIFAR-10, colour photographs 32x32: 50,000 + 10,000 images",
    format="cifar-binary",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    files=(
        # Archives differ between mirrors (one holds more members); the members are the same.
        FileSpec(
            "cifar-10-binary.tar.gz",
            members=tuple(
                MemberSpec(f"cifar-10-batches-bin/{name}.bin", part, 30_730_000, f"md5:{md5}")
                for name, part, md5 in (
                    ("data_batch_1", "train", "5dd7e06a14cb22eb9f671a540d1b7c25"),
                    ("data_batch_2", "train", "5ea93a67294ea407fff1d09f752e9692"),
                    ("data_batch_3", "train", "942cd6a4bcdd0dd3c604fbe906cb4421"),
                    ("data_batch_4", "train", "ae636b3ba5c66a11e91e8cb52e771fcb"),
                    ("data_batch_5", "train", "53f37980c15c3d472c316c40844f3f0d"),
                    ("test_batch", "test", "803d5f7f4d78ea53de84dbe85f74fb6d"),
                )
            ),
        ),
    ),
    policy="photos",
    licence="unknown; published by Alex Krizhevsky for research",
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    # The publisher's own server gives some 50 kB/s, so it comes last.
    mirrors=(
        "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/gluon/dataset/cifar10/",
        "https://www.cs.toronto.edu/~kriz/",
    ),
    shape=(3, 32, 32),
)

EXAMPLES = Path(__file__).resolve().parent / "examples"
_REGISTRY = MappingProxyType({spec.name: spec for spec in (DIGITS, MNIST, FASHION_MNIST, CIFAR10, *points_names.SPECS)})


def registry() -> Mapping[str, DatasetSpec]:
    """The built-in datasets by name; read-only."""
    return _REGISTRY


def find(name: str, reading: Reading = PLAIN) -> DatasetSpec:
    """The dataset of this name, built in or among the examples; the export in this folder; the one that the YAML file
    of this path describes; or the files at this path, read as `reading` says. Nothing is decoded.

    A UsageError says an unknown name (with the nearest known one), what is wrong with the file, or that a reading was
    given for what is no path; a FormatError, what is not understood.
    """
    if is_path(name):
        return importers.find_path(Path(name), reading)
    if reading != PLAIN:
        asked = ", ".join(f"{key} {value}" for key, value in reading.given.items())
        raise UsageError(
            f"{name} is not read from files of one's own, so nothing says how",
            expected="the path of a folder or file of pictures or arrays",
            got=asked,
            do="put these into the dataset file" if _is_yaml(name) else f"leave out {asked.partition(' ')[0]}",
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
