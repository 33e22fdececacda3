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
