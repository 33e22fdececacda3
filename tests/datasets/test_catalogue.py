from pathlib import Path

import pytest

from millrace.datasets.catalogue import find, registry
from millrace.datasets.spec import DatasetSpec
from millrace.errors import UsageError

POINTS = ["points", "points-circles", "points-clusters"]


def test_the_datasets_are_known() -> None:
    assert list(registry()) == ["digits", "mnist", "fashion-mnist", "cifar10", *POINTS]
    for name, spec in registry().items():
        assert spec.name == name
        assert len(spec.classes) == (2 if name in POINTS else 10)
        assert find(name) == spec


def test_the_registry_is_read_only() -> None:
    with pytest.raises(TypeError):
        registry()["mine"] = find("digits")  # type: ignore[index]


@pytest.mark.parametrize("spec", [s for s in registry().values() if s.files], ids=lambda spec: spec.name)
def test_everything_from_the_network_is_pinned_and_has_two_mirrors(spec: DatasetSpec) -> None:
    assert all(file.pinned for file in spec.files)
    assert len(spec.mirrors) >= 2
    assert spec.licence
    assert spec.homepage.startswith("https://")


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
