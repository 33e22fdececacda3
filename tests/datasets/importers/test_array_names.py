import pytest

from millrace.datasets.importers.array_names import Role, begins, pairs, role_of
from millrace.errors import FormatError, UsageError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x_train", Role("images", "train")),
        ("Y-Test", Role("labels", "test")),
        ("X", Role("images", None)),
        ("train_images", Role("images", "train")),
        ("val_labels", Role("labels", "validation")),
        ("t10k-labels", Role("labels", "test")),
        ("trainX", Role("images", "train")),
        ("ytest", Role("labels", "test")),
        ("mnist.images.train", Role("images", "train", "mnist")),
        ("emnist-letters-test-labels", Role("labels", "test", "emnist-letters")),
        ("arr_0", None),
        ("images_labels", None),
        ("train_test_images", None),
        ("train", None),
        ("weights", None),
        ("", None),
    ],
)
def test_a_name_says_what_an_array_is(name: str, expected: Role | None) -> None:
    assert role_of(name) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("x_train y_train x_test y_test", {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")}),
        ("labels images dx samples", {"train": ("images", "labels")}),
        ("X y", {"train": ("X", "y")}),
        ("train_images train_labels val_images val_labels", {
            "train": ("train_images", "train_labels"), "validation": ("val_images", "val_labels"),
        }),
        ("x_train y_train x_test", {"train": ("x_train", "y_train")}),  # a test split without labels is none
        ("shapes_images shapes_labels", {"train": ("shapes_images", "shapes_labels")}),
    ],
)  # fmt: skip
def test_arrays_are_paired(names: str, expected: dict[str, tuple[str, str]]) -> None:
    assert pairs(names.split(), "a") == expected


@pytest.mark.parametrize("wanted", ["fine", "fine_labels"])
def test_where_labels_could_be_several_one_is_named(wanted: str) -> None:
    names = ["images", "coarse_labels", "fine_labels"]
    with pytest.raises(UsageError, match=r"several arrays of labels for train[\s\S]*coarse_labels, fine_labels"):
        pairs(names, "a")
    assert pairs(names, "a", wanted) == {"train": ("images", "fine_labels")}
    with pytest.raises(FormatError, match="no images with labels"):
        pairs(names, "a", "other")


@pytest.mark.parametrize(
    "names", ["a_images a_labels b_images b_labels", "images train_images labels", "images_raw images labels"]
)
def test_several_sets_of_images_are_an_error_that_lists_them(names: str) -> None:
    with pytest.raises(UsageError, match=r"several sets of images[\s\S]*got: +\w*images\w*, \w*images"):
        pairs(names.split(), "a")


@pytest.mark.parametrize("names", ["", "arr_0 arr_1", "x_train", "y_train", "x_test y_test", "x_train y_test"])
def test_without_a_pair_to_train_on_the_error_lists_the_arrays(names: str) -> None:
    with pytest.raises(FormatError, match=rf"to train on[\s\S]*got: +{', '.join(names.split()) or 'no arrays'}"):
        pairs(names.split(), "a")


def test_the_beginning_of_names_ends_where_a_word_ends() -> None:
    assert begins("shapes_images.npy", "shapes")
    assert begins("shapes.npy", "")
    assert not begins("shapes2_images.npy", "shapes")
    assert not begins("a+_x", "a.")
