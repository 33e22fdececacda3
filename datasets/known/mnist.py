"""MNIST and those made like it: IDX files of 28x28 pixels in grey.

MNIST is pinned by digests of its content, as several independent projects give them. For the others only digests of
the gzip files as sent are published, so those are checked, beside the size and form of the content. Sizes follow from
the form: a head of 8 or 16 bytes (of QMNIST's labels 12), then the values.
"""

from millrace.datasets.spec import DatasetSpec, FileSpec

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
    title="Fashion-MNIST, clothing 28x28: 60,000 + 10,000 images",
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
    # The digests: TensorFlow Datasets, url_checksums/fashion_mnist.txt.
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

KMNIST = DatasetSpec(
    name="kmnist",
    title="KMNIST, cursive Japanese 28x28: 60,000 + 10,000 images",
    format="idx",
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    # The digests: TensorFlow Datasets, url_checksums/kmnist.txt.
    files=(
        FileSpec(
            "train-images-idx3-ubyte.gz",
            "train_images",
            47_040_016,
            sent_digest="sha256:51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        ),
        FileSpec(
            "train-labels-idx1-ubyte.gz",
            "train_labels",
            60_008,
            sent_digest="sha256:e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        ),
        FileSpec(
            "t10k-images-idx3-ubyte.gz",
            "test_images",
            7_840_016,
            sent_digest="sha256:edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        ),
        FileSpec(
            "t10k-labels-idx1-ubyte.gz",
            "test_labels",
            10_008,
            sent_digest="sha256:20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
    ),
    policy="digits",
    licence="CC BY-SA 4.0, Center for Open Data in the Humanities",
    homepage="https://github.com/rois-codh/kmnist",
    mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    shape=(1, 28, 28),
)

QMNIST = DatasetSpec(
    name="qmnist",
    title="QMNIST, handwritten digits 28x28: 60,000 + 60,000 images",
    format="idx",
    classes=tuple("0123456789"),
    # The digests: torchvision, datasets/mnist.py, class QMNIST. The class is the first of the labels' eight columns.
    files=(
        FileSpec(
            "qmnist-train-images-idx3-ubyte.gz",
            "train_images",
            47_040_016,
            sent_digest="md5:ed72d4157d28c017586c42bc6afe6370",
        ),
        FileSpec(
            "qmnist-train-labels-idx2-int.gz",
            "train_labels",
            1_920_012,
            sent_digest="md5:0058f8dd561b90ffdd0f734c6a30e5e4",
        ),
        FileSpec(
            "qmnist-test-images-idx3-ubyte.gz",
            "test_images",
            47_040_016,
            sent_digest="md5:1394631089c404de565df7b7aeaf9412",
        ),
        FileSpec(
            "qmnist-test-labels-idx2-int.gz",
            "test_labels",
            1_920_012,
            sent_digest="md5:5b5b05890a5e13444e108efe57b788aa",
        ),
    ),
    policy="digits",
    licence="BSD 3-clause, (c) 2019 Facebook",
    homepage="https://github.com/facebookresearch/qmnist",
    mirrors=("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
    shape=(1, 28, 28),
)
