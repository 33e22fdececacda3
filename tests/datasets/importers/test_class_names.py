from pathlib import Path

import pytest

from millrace.datasets.importers.class_names import class_names
from millrace.errors import FormatError


def test_without_a_file_labels_are_their_own_names(tmp_path: Path) -> None:
    assert class_names(tmp_path, 3) == (("0", "1", "2"), None)


@pytest.mark.parametrize("text", ["cat\ndog\n", "\ufeffcat \r\ndog", "cat\n dog\n\n\n"])
def test_one_name_a_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "classes.txt").write_bytes(text.encode())
    assert class_names(tmp_path, 2) == (("cat", "dog"), tmp_path / "classes.txt")
    assert class_names(tmp_path, 1)[0] == ("cat", "dog")  # a class without an image


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"cat\n", r"another number of classes[\s\S]*labels go up to 1[\s\S]*1 names[\s\S]*`labels_from=1`"),
        (b"", "another number of classes"),
        (b"a\nb\na\n", "twice or not at all\n.*'a'"),
        (b"a\n\nb\n", "twice or not at all"),
        (b"\xff\xfe\n", "is not text"),
        (b"x\n" * (9 << 20), "another number of classes"),
    ],
)
def test_what_names_no_classes_is_refused(tmp_path: Path, data: bytes, match: str) -> None:
    (tmp_path / "classes.txt").write_bytes(data)
    with pytest.raises(FormatError, match=match):
        class_names(tmp_path, 2)
