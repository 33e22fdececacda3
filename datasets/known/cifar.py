"""CIFAR-10 and CIFAR-100: records of one or two label bytes and 3x32x32 pixels, in an archive."""

from millrace.datasets.importers.options import Reading
from millrace.datasets.spec import DatasetSpec, FileSpec, MemberSpec

CIFAR10 = DatasetSpec(
    name="cifar10",
    title="CIFAR-10, colour photographs 32x32: 50,000 + 10,000 images",
    format="cifar-binary",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    files=(
        # Archives differ between mirrors (one holds more members); the members are the same. Sizes: 10,000 records of
        # 3,073 bytes. Digests: of no publisher, but the same in the sources of several projects that read these files.
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

_FINE = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""
_COARSE = """aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
household_furniture insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes
large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1
vehicles_2"""


def _cifar100(name: str, title: str, what: str, names: str, labels: str) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        title=f"{title}, {what} 32x32: 50,000 + 10,000 images",
        format="cifar-binary",
        classes=tuple(word.replace("_", " ") for word in names.split()),
        files=(
            # The digest of the archive: TensorFlow Datasets, url_checksums/cifar100.txt; of members, nobody gives any.
            FileSpec(
                "cifar-100-binary.tar.gz",
                sent_digest="sha256:58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                members=(
                    MemberSpec("cifar-100-binary/train.bin", "train", 153_700_000),
                    MemberSpec("cifar-100-binary/test.bin", "test", 30_740_000),
                ),
            ),
        ),
        policy="photos",
        licence="unknown; published by Alex Krizhevsky for research",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        folder="cifar100",
        shape=(3, 32, 32),
        reading=Reading(labels=labels),
    )


CIFAR100 = _cifar100("cifar100", "CIFAR-100", "colour photographs", _FINE, "fine")
CIFAR100_COARSE = _cifar100("cifar100-coarse", "CIFAR-100-coarse", "photos, 20 kinds", _COARSE, "coarse")
