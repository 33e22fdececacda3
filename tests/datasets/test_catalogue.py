from pathlib import Path

import pytest

from millrace.datasets.catalogue import everyday, find, named, registry
from millrace.datasets.spec import DatasetSpec
from millrace.errors import UsageError
from tests.datasets.importers.drawn import folders

POINTS = ["points", "points-circles", "points-clusters"]


FURTHER = [
    "kmnist",
    "qmnist",
    "emnist-letters",
    "emnist-balanced",
    "emnist-digits",
    "emnist-byclass",
    "cifar100",
    "cifar100-coarse",
    "svhn",
]
CLASSES = {"emnist-letters": 26, "emnist-balanced": 47, "emnist-byclass": 62, "cifar100": 100, "cifar100-coarse": 20}
# One server has them, their publisher's.
ALONE = {"kmnist", "qmnist", "cifar100", "cifar100-coarse", "svhn"}


def test_the_datasets_are_known() -> None:
    assert list(registry()) == ["digits", "mnist", "fashion-mnist", "cifar10", *POINTS, *FURTHER]
    for name, spec in registry().items():
        assert spec.name == name
        assert len(spec.classes) == (2 if name in POINTS else CLASSES.get(name, 10))
        assert find(name) == spec


def test_everyday_datasets_are_not_gigabytes() -> None:
    assert [spec.name for spec in everyday()] == ["digits", "mnist", "fashion-mnist", "cifar10", *POINTS]


def test_the_tables_in_caches_are_found_as_before() -> None:
    """Keys as they were before specifications said how they are read."""
    keys = {name: registry()[name].key()[:12] for name in ("mnist", "fashion-mnist", "cifar10")}
    assert keys == {"mnist": "28ad657937ab", "fashion-mnist": "24040b243a02", "cifar10": "137e1a057671"}


def test_classes_are_in_the_order_of_their_labels() -> None:
    fine, coarse = find("cifar100").classes, find("cifar100-coarse").classes
    assert list(fine) == sorted(fine)
    assert list(coarse) == sorted(coarse)
    assert (fine[0], fine[99], coarse[19]) == ("apple", "worm", "vehicles 2")
    # By EMNIST's mapping files: label 36 of `balanced` is ASCII 97, 46 is 116; of `byclass` 10 is 65 and 61 is 122.
    assert [find("emnist-balanced").classes[label] for label in (0, 10, 36, 46)] == ["0", "A", "a", "t"]
    assert [find("emnist-byclass").classes[label] for label in (9, 10, 35, 36, 61)] == ["9", "A", "Z", "a", "z"]
    assert (find("emnist-letters").classes[0], find("emnist-letters").reading.labels_from) == ("A", 1)


def test_the_registry_is_read_only() -> None:
    with pytest.raises(TypeError):
        registry()["mine"] = find("digits")  # type: ignore[index]


@pytest.mark.parametrize("spec", [s for s in registry().values() if s.files], ids=lambda spec: spec.name)
def test_everything_from_the_network_is_pinned_and_has_mirrors(spec: DatasetSpec) -> None:
    assert all(file.pinned for file in spec.files)
    assert len(spec.mirrors) >= (1 if spec.name in ALONE else 2)
    assert spec.licence
    assert spec.homepage.startswith(("https://", "http://ufldl.stanford.edu/"))


def test_sizes_follow_from_the_formats() -> None:
    sizes = {file.part: file.size for file in find("fashion-mnist").files}
    assert sizes["train_images"] == 16 + 60_000 * 28 * 28
    assert sizes["test_labels"] == 8 + 10_000
    assert {member.size for member in find("cifar10").files[0].members} == {10_000 * 3073}


@pytest.mark.parametrize(("wrong", "right"), [("mnits", "mnist"), ("cifar-10", "cifar10"), ("digit", "digits")])
def test_an_unknown_name_gets_the_nearest_one(wrong: str, right: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean '{right}'"):
        find(wrong)


def test_a_path_is_read_as_a_dataset_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("{name: mine, format: npz, classes: [a, b], files: [{name: mine.npz}]}")
    assert find(str(path)).name == "mine"
    with pytest.raises(UsageError, match=r"cannot read .*none\.yml"):
        find(str(tmp_path / "none.yml"))


@pytest.mark.parametrize("example", ["cifar10-jpeg75", "shapes"])
def test_the_examples_are_valid(example: str) -> None:
    path = Path(__file__).parents[2] / "datasets" / "examples" / f"{example}.yaml"
    assert find(str(path)).name == example
    assert find(example) == find(str(path))


def test_a_path_with_the_name_of_a_dataset_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pathlib drops the "./" by which a text says so."""
    monkeypatch.chdir(tmp_path)
    folders(tmp_path / "digits", {"cat": 2, "dog": 2})
    assert find(named("digits")) == registry()["digits"]
    assert find(named(Path("./digits"))).classes == ("cat", "dog")
    for name in ("digits", "points-3", "shapes"):
        assert named(Path(name)) == f"./{name}"
    assert [named(Path(name)) for name in ("mine", "a/digits", "/digits")] == ["mine", "a/digits", "/digits"]
    with pytest.raises(UsageError, match="no file has such a name"):
        named("a\0b")
