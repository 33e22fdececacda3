"""SVHN, cropped: digits of house numbers, in files of MATLAB 5."""

from millrace.datasets.spec import DatasetSpec, FileSpec

SVHN = DatasetSpec(
    name="svhn",
    title="SVHN, house numbers 32x32: 73,257 + 26,032 images",
    format="svhn",
    classes=tuple("0123456789"),
    # Sizes and digests: TensorFlow Datasets, url_checksums/svhn_cropped.txt.
    files=(
        FileSpec(
            "train_32x32.mat",
            "train",
            182_040_794,
            "sha256:435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        ),
        FileSpec(
            "test_32x32.mat",
            "test",
            64_275_384,
            "sha256:cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        ),
    ),
    # Its digits are read as they stand: a house number is not mirrored.
    policy="digits",
    prepare="photos",
    licence="for non-commercial use only",
    homepage="http://ufldl.stanford.edu/housenumbers/",
    mirrors=("http://ufldl.stanford.edu/housenumbers/",),
    shape=(3, 32, 32),
)
