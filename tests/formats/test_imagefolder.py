"""The folders of an imagefolder."""

import pytest

from millrace.formats.imagefolder import class_folders


@pytest.mark.parametrize(
    ("classes", "folders"),
    [
        (("cat", "dog"), ["cat", "dog"]),
        (tuple("0123456789"), list("0123456789")),
        (("dog", "cat"), ["0-dog", "1-cat"]),
        (("a/b", "c\nd"), ["0-a_b", "1-c_d"]),
        (("A", "a"), ["0-A", "1-a"]),
        (("..", "x"), ["0", "1-x"]),
        (("été", "鳥"), ["0-_t_", "1-_"]),
    ],
)
def test_class_folders_stand_in_the_order_of_the_labels(classes: tuple[str, ...], folders: list[str]) -> None:
    assert class_folders(classes) == folders == sorted(folders)
    many = class_folders([f"x{9 - n % 10}/{n}" for n in range(256)])
    assert many == sorted(many)
    assert len(set(many)) == 256


def test_65536_folders_are_apart_in_order_and_names_of_files() -> None:
    many = class_folders(["x" * 300, *(f"class {n}" for n in range(1, 65_536))])
    assert many == sorted(many)
    assert len({name.casefold() for name in many}) == 65_536
    assert max(map(len, many)) <= 100
    assert class_folders(["x" * 255, "y"]) == ["x" * 255, "y"]
    assert class_folders(["x" * 256, "y"]) == ["0-" + "x" * 98, "1-y"]
