"""EMNIST: handwritten letters and digits as MNIST has its digits, all in one zip of gzip files.

Its images lie transposed (layout cwh), and its letters count from 1. Sizes of the splits: Cohen and others, "EMNIST:
an extension of MNIST to handwritten letters", 2017. Of the letters the paper has 88,800 + 14,800, and TensorFlow
Datasets after it; the publisher's page counts 145,600, and its files hold 124,800 + 20,800, as those found who read
them whole (torchvision does). Names of the classes: the zip's own mapping files.
"""

import string

from millrace.datasets.importers.options import Reading
from millrace.datasets.spec import DatasetSpec, FileSpec, MemberSpec

_PIXELS = 28 * 28


def _emnist(split: str, what: str, classes: str, train: int, test: int, labels_from: int = 0) -> DatasetSpec:
    start = f"gzip/emnist-{split}"
    return DatasetSpec(
        name=f"emnist-{split}",
        title=f"EMNIST-{split}, {what} 28x28: {train:,} + {test:,} images",
        format="idx",
        classes=tuple(classes),
        files=(
            # Size and digest of the zip: TensorFlow Datasets, url_checksums/emnist.txt.
            FileSpec(
                "gzip.zip",
                size=561_753_746,
                digest="sha256:fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
                members=(
                    MemberSpec(f"{start}-train-images-idx3-ubyte.gz", "train_images", 16 + train * _PIXELS),
                    MemberSpec(f"{start}-train-labels-idx1-ubyte.gz", "train_labels", 8 + train),
                    MemberSpec(f"{start}-test-images-idx3-ubyte.gz", "test_images", 16 + test * _PIXELS),
                    MemberSpec(f"{start}-test-labels-idx1-ubyte.gz", "test_labels", 8 + test),
                ),
            ),
        ),
        policy="digits",
        licence="public domain (NIST Special Database 19)",
        homepage="https://www.nist.gov/itl/products-and-services/emnist-dataset",
        mirrors=(
            "https://biometrics.nist.gov/cs_links/EMNIST/",
            "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
        ),
        folder="emnist",
        shape=(1, 28, 28),
        layout="cwh",
        reading=Reading(labels_from=labels_from),
    )


_ALL = string.digits + string.ascii_uppercase + string.ascii_lowercase
# Small letters that look like the large ones are one class with them in `balanced`.
_DIFFERENT = string.digits + string.ascii_uppercase + "abdefghnqrt"

LETTERS = _emnist("letters", "written letters", string.ascii_uppercase, 124_800, 20_800, labels_from=1)
BALANCED = _emnist("balanced", "digits and letters", _DIFFERENT, 112_800, 18_800)
DIGITS = _emnist("digits", "written digits", string.digits, 240_000, 40_000)
BYCLASS = _emnist("byclass", "digits, ABC, abc", _ALL, 697_932, 116_323)
