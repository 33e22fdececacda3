"""Folders of pictures with metadata.csv or metadata.jsonl, as Hugging Face's ImageFolder has them."""

import json
from pathlib import Path

import pytest

from millrace.datasets.importers.listed_pictures import claims, survey
from millrace.datasets.importers.options import Reading
from millrace.errors import MillraceError, UsageError
from tests.datasets.importers.encoded import png, seen


def lay(folder: Path, rows: list[dict[str, object]], kind: str = "csv") -> Path:
    """A list of these rows, and the pictures that they name, each of the value in its name."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "csv":
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    else:
        lines = [json.dumps(row) for row in rows]
    (folder / f"metadata.{kind}").write_text("\n".join(lines) + "\n")
    for row in rows:
        path = folder / str(row["file_name"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(int(path.stem)))
    return folder


ROWS: list[dict[str, object]] = [
    {"file_name": "3.png", "label": 1},
    {"file_name": "in/1.png", "label": 0},
    {"file_name": "2.png", "label": 1},
]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_list_names_pictures_and_their_labels(kind: str, tmp_path: Path) -> None:
    found = survey(lay(tmp_path, ROWS, kind), Reading())
    assert claims(tmp_path) == f"metadata.{kind}"
    assert seen(found) == [(2, 1), (3, 1), (1, 0)]
    assert [one.name for one in found.pictures("train")] == ["2.png", "3.png", "in/1.png"]
    assert found.inventory.counts == {"train": (1, 2)}
    assert len(found.inventory.stamps) == 4


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_splits_are_folders_with_a_list_each_or_in_one_list(kind: str, tmp_path: Path) -> None:
    lay(tmp_path / "a" / "train", ROWS, kind)
    lay(tmp_path / "a" / "test", ROWS[:1], kind)
    lay(tmp_path / "b", [{**row, "file_name": f"train/{row['file_name']}"} for row in ROWS]
        + [{"file_name": "test/3.png", "label": 1}], kind)  # fmt: skip
    for folder in ("a", "b"):
        found = survey(tmp_path / folder, Reading())
        assert found.inventory.counts == {"train": (1, 2), "test": (0, 1)}
        assert (seen(found), seen(found, "test")) == ([(2, 1), (3, 1), (1, 0)], [(3, 1)])


def test_names_are_labels_and_others_columns_are_passed_over(tmp_path: Path) -> None:
    rows = [{**row, "label": name, "width": 8} for row, name in zip(ROWS, ("cat", "ant", "cat"), strict=True)]
    found = survey(lay(tmp_path, rows), Reading())
    assert (found.inventory.classes, seen(found)) == (("ant", "cat"), [(2, 1), (3, 1), (1, 0)])
    (tmp_path / "classes.txt").write_text("cat\nant")
    assert survey(tmp_path, Reading()).inventory.classes == ("cat", "ant")


def test_labels_that_look_like_numbers_in_one_split_alone_are_names(tmp_path: Path) -> None:
    lay(tmp_path / "train", [{**row, "label": name} for row, name in zip(ROWS, ("7", "a", "7"), strict=True)])
    lay(tmp_path / "test", [{**ROWS[0], "label": "7"}])
    assert survey(tmp_path, Reading()).inventory.classes == ("7", "a")


def test_several_columns_are_listed_and_one_may_be_chosen(tmp_path: Path) -> None:
    rows = [{**row, "label": 0, "class": number} for number, row in enumerate(ROWS)]
    with pytest.raises(UsageError, match=r"several columns could hold the labels(.|\n)*label, class"):
        survey(lay(tmp_path, rows), Reading())
    assert survey(tmp_path, Reading(labels="class")).inventory.classes == ("0", "1", "2")


def test_pictures_that_are_not_listed_are_said_and_missing_ones_found_when_read(tmp_path: Path) -> None:
    lay(tmp_path, ROWS)
    (tmp_path / "in" / "9.png").write_bytes(png(9))
    (tmp_path / "2.png").unlink()
    found = survey(tmp_path, Reading())
    assert found.inventory.notes == ("1 pictures that no list names, such as in/9.png: passed over",)
    assert ("2.png", -1, 0, 0) in found.inventory.stamps
    with pytest.raises(FileNotFoundError):
        found.pictures("train")[0].read()


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("csv", "", "has to name the columns"),
        ("csv", "file,label\na.png,1\n", "has to name the columns"),
        ("csv", "file_name,label\n", "is empty"),
        ("csv", "file_name,label\na.png\n", "line 2 has 1 fields of 2"),
        ("csv", "file_name,label\n../a.png,1\n", "names no picture"),
        ("csv", "file_name,label\n/etc/passwd,1\n", "names no picture"),
        ("csv", "file_name,label\na.png,1\na.png,0\n", "listed twice"),
        ("csv", 'file_name,label\n"a.png,1\n', "cannot be read"),
        ("csv", "file_name\na.png\n", "holds no labels"),
        ("jsonl", "[]\n", "line 1 is no object"),
        ("jsonl", '{"file_name": "a.png"\n', "line 1"),
        ("jsonl", '{"label": 1}\n', "names no picture"),
        ("jsonl", '{"file_name": "a.png", "label": [1]}\n', "holds no labels"),
        ("jsonl", '{"file_name": "a.png", "label": 1}\n{"file_name": "b.png"}\n', "without a label"),
    ],
)
def test_lists_that_are_none_are_refused(name: str, text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / f"metadata.{name}").write_text(text)
    with pytest.raises(MillraceError, match=problem):
        survey(tmp_path, Reading())


def test_two_lists_side_by_side_are_refused(tmp_path: Path) -> None:
    lay(lay(tmp_path, ROWS), ROWS, "jsonl")
    with pytest.raises(UsageError, match="two lists side by side"):
        survey(tmp_path, Reading())
