"""Pictures in Parquet and Arrow: every way in which columns hold them, and every layout of files."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from millrace.datasets.importers import parquet_rows
from millrace.datasets.importers.options import Reading
from millrace.datasets.importers.parquet_arrow import claims, survey
from millrace.errors import DataError, FormatError, UsageError
from tests.datasets.importers.encoded import NAMES, pictures_table, png, seen, value_of, write_arrow, write_parquet

VALUES, LABELS = [10, 11, 12, 13, 14], [0, 2, 1, 2, 0]
EXPECTED = list(zip(VALUES, LABELS, strict=True))
PICTURES = [png(value) for value in VALUES]
STRUCTS = [{"bytes": data, "path": None} for data in PICTURES]


@pytest.mark.parametrize("write", [write_parquet, write_arrow, lambda p, t: write_arrow(p, t, stream=False)])
@pytest.mark.parametrize(
    "image",
    [
        pa.array(STRUCTS),
        pa.array(STRUCTS, pa.struct([("path", pa.string()), ("bytes", pa.large_binary())])),
        pa.array(PICTURES),
        pa.array(PICTURES, pa.large_binary()),
        pa.array(PICTURES).dictionary_encode(),
        pa.chunked_array([STRUCTS[:1], STRUCTS[1:]]),
    ],
    ids=lambda image: str(image.type)[:24],
)
def test_columns_of_pictures_of_every_type(image: Any, write: Any, tmp_path: Path) -> None:
    found = survey(write(tmp_path / "a.data", pa.table({"image": image, "label": LABELS})), Reading())
    assert seen(found) == EXPECTED
    assert found.inventory.classes == ("0", "1", "2")
    assert found.inventory.counts == {"train": (2, 1, 2)}


@pytest.mark.parametrize("kind", [pa.uint8(), pa.int16(), pa.uint64(), pa.dictionary(pa.int8(), pa.int64())], ids=str)
def test_labels_of_every_whole_number(kind: pa.DataType, tmp_path: Path) -> None:
    labels = pa.array(LABELS, kind) if not pa.types.is_dictionary(kind) else pa.array(LABELS).dictionary_encode()
    path = write_parquet(tmp_path / "a.parquet", pictures_table(VALUES, labels))
    assert seen(survey(path, Reading())) == EXPECTED


def test_a_class_label_gives_names_also_to_classes_without_pictures(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", pictures_table(VALUES, LABELS, [*NAMES, "dog"]))
    found = survey(path, Reading(labels_from=1))  # a ClassLabel counts from 0, whatever was asked for
    assert (found.inventory.classes, found.inventory.counts["train"]) == ((*NAMES, "dog"), (2, 1, 2, 0))


def test_names_as_labels_are_sorted(tmp_path: Path) -> None:
    names = pa.array(["cat", "ant", "bee", "ant", "cat"]).dictionary_encode()
    found = survey(write_parquet(tmp_path / "a.parquet", pictures_table(VALUES, names)), Reading())
    assert found.inventory.classes == NAMES
    assert [label for _, label in seen(found)] == [2, 0, 1, 0, 2]


def test_an_empty_name_is_no_label(tmp_path: Path) -> None:
    names = pa.array(["cat", "", "bee", "ant", "cat"])
    path = write_parquet(tmp_path / "a.parquet", pictures_table(VALUES, names))
    with pytest.raises(FormatError, match="pictures without a label"):
        survey(path, Reading())
    assert survey(path, Reading(skip_bad=True)).inventory.classes == NAMES


def test_a_list_of_classes_beside_the_file_gives_names_and_order(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("cat\nbee\nant\n")
    path = write_parquet(tmp_path / "a.parquet", pictures_table(VALUES, LABELS))
    assert survey(path, Reading()).inventory.classes == ("cat", "bee", "ant")
    path = write_parquet(tmp_path / "b.parquet", pictures_table(VALUES[:2], ["ant", "cat"]))
    assert [label for _, label in seen(survey(path, Reading()))] == [2, 0]


def test_labels_count_from_one_where_that_is_said(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", pictures_table(VALUES, [1, 3, 2, 3, 1]))
    found = survey(path, Reading(labels_from=1))
    assert (found.inventory.classes, seen(found)) == (("1", "2", "3"), EXPECTED)
    with pytest.raises(FormatError, match="labels_from=1"):
        survey(path, Reading(labels_from=2))


def test_several_columns_that_could_hold_the_labels_are_listed(tmp_path: Path) -> None:
    table = pa.table({"img": STRUCTS, "fine": LABELS, "coarse": [0, 1, 0, 1, 0]})
    path = write_parquet(tmp_path / "a.parquet", table)
    with pytest.raises(UsageError, match=r"several columns could hold the labels(.|\n)*fine, coarse"):
        survey(path, Reading())
    assert survey(path, Reading(labels="coarse")).inventory.classes == ("0", "1")
    with pytest.raises(UsageError, match=r"no labels 'rough'(.|\n)*fine, coarse"):
        survey(path, Reading(labels="rough"))


def test_the_only_class_label_or_usual_name_is_the_label(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", pictures_table(VALUES, LABELS, NAMES, cls=[7, 7, 7, 7, 7]))
    assert survey(path, Reading()).inventory.classes == NAMES
    path = write_parquet(tmp_path / "b.parquet", pa.table({"image": STRUCTS, "id": VALUES, "Label": LABELS}))
    assert seen(survey(path, Reading())) == EXPECTED
    path = write_parquet(tmp_path / "c.parquet", pa.table({"image": STRUCTS, "species": ["a", "b", "a", "b", "a"]}))
    assert survey(path, Reading()).inventory.classes == ("a", "b")


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"label": LABELS}, r"holds no pictures(.|\n)*label: int64"),
        ({"image": STRUCTS}, "holds no labels"),
        ({"image": STRUCTS, "label": [0.5] * 5}, "holds no labels"),
        ({"a": STRUCTS, "b": STRUCTS, "label": LABELS}, "several columns hold pictures"),
        ({"image": STRUCTS, "label": [0] * 5}, "not a number of classes"),
        ({"image": STRUCTS, "label": [0, 1, 2, 3, 1 << 40]}, "not a number of classes"),
        ({"image": STRUCTS, "label": [0, 1, -1, 0, 0]}, "below the lowest"),
        ({"image": STRUCTS, "label": [0, 1, None, 0, 0]}, r"without a label(.|\n)*1 without, the first is number 2"),
        ({"image": STRUCTS, "label": ["a", "b", None, "a", "a"]}, "without a label"),
    ],
)
def test_what_cannot_be_a_dataset_is_refused(table: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with pytest.raises((FormatError, UsageError), match=problem):
        survey(write_parquet(tmp_path / "a.parquet", pa.table(table)), Reading())


def test_rows_without_a_label_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", pictures_table(VALUES, [0, -1, 1, None, 0], NAMES))
    found = survey(path, Reading(skip_bad=True))
    assert seen(found) == [(10, 0), (12, 1), (14, 0)]
    assert found.inventory.notes == ("train: 2 of 5 without a label: left out",)


def test_a_picture_that_is_not_in_the_file_is_said_when_it_is_read(tmp_path: Path) -> None:
    rows = [*STRUCTS[:3], {"bytes": None, "path": "3.png"}, None]
    pictures = survey(write_parquet(tmp_path / "a.parquet", pa.table({"image": rows, "label": LABELS})), Reading())
    for row in (3, 4):
        with pytest.raises(FormatError, match=f"row {row} of a.parquet holds no picture"):
            pictures.pictures("train")[row].read()


@pytest.mark.parametrize("write", [write_parquet, write_arrow])
def test_pictures_that_were_left_in_their_files_are_read_there(write: Any, tmp_path: Path) -> None:
    paths = [str(tmp_path / "10.png"), "in/11.png", "/nowhere/12.png", None]
    (tmp_path / "in").mkdir()
    for path, value in zip(paths[:2], VALUES, strict=False):
        (tmp_path / str(path)).write_bytes(png(value))
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = pa.array([{"bytes": None, "path": path} for path in paths], kind)
    found = survey(write(tmp_path / "a.data", pa.table({"image": rows, "label": [0, 1, 0, 1]})), Reading())
    pictures = found.pictures("train")
    assert [value_of(one) for one in pictures[:2]] == VALUES[:2]
    beside = sorted(["/nowhere/12.png", str(tmp_path / "10.png"), str(tmp_path / "in/11.png")])
    assert [stamp[0] for stamp in found.inventory.stamps] == [*beside, "a.data"]
    assert found.inventory.notes == ("3 pictures lie in files of their own",)
    with pytest.raises(FileNotFoundError):
        pictures[2].read()
    with pytest.raises(FormatError, match="row 3 of a"):
        pictures[3].read()


def test_shards_are_splits_by_their_names(tmp_path: Path) -> None:
    for number in range(3):
        values = range(10 * number, 10 * number + 4)
        table = pictures_table(values, [0, 1, 2, 0], NAMES)
        write_parquet(tmp_path / "hub" / "data" / f"train-{number:05d}-of-00003.parquet", table)
    write_parquet(tmp_path / "hub/data/test-00000-of-00001.parquet", pictures_table([90, 91], [2, 1], NAMES))
    (tmp_path / "hub" / "README.md").write_text("# a card")
    found = survey(tmp_path / "hub", Reading())
    assert found.inventory.counts == {"test": (0, 1, 1), "train": (6, 3, 3)}
    assert [value for value, _ in seen(found)] == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]
    names = [one.name for one in found.pictures("train")]
    assert names == sorted(names)
    assert len(set(names)) == 12
    assert names[4] == "data/train-00001-of-00003.parquet/000000000000"
    assert [stamp[0] for stamp in found.inventory.stamps] == sorted(stamp[0] for stamp in found.inventory.stamps)
    assert len(found.inventory.stamps) == 4
    assert len(survey(tmp_path / "hub/data/train-00001-of-00003.parquet", Reading()).pictures("train")) == 4
    (tmp_path / "hub/data/train-00001-of-00003.parquet").unlink()
    with pytest.raises(DataError, match=r"shards are missing(.|\n)*train-00001-of-00003.parquet is not there"):
        survey(tmp_path / "hub", Reading())


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["train.parquet", "more.parquet"], r"not clear of which split(.|\n)*more.parquet"),
        (["a/train.parquet", "b/train.parquet"], r"several datasets(.|\n)*a, b"),
        (["train-test.parquet"], "names several splits"),
    ],
)
def test_folders_that_could_be_several_things_are_refused(names: list[str], problem: str, tmp_path: Path) -> None:
    for name in names:
        write_parquet(tmp_path / name, pictures_table(VALUES, LABELS))
    with pytest.raises(UsageError, match=problem):
        survey(tmp_path, Reading())


def test_splits_may_be_folders(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train" / "0000.parquet", pictures_table(VALUES, LABELS))
    write_parquet(tmp_path / "valid" / "0000.parquet", pictures_table(VALUES[:1], [1]))
    assert survey(tmp_path, Reading()).inventory.counts == {"train": (2, 1, 2), "validation": (0, 1, 0)}


def test_a_split_without_labels_is_passed_over_and_said(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", pictures_table(VALUES, LABELS, NAMES))
    write_parquet(tmp_path / "test.parquet", pictures_table(VALUES, [-1] * 5, NAMES))
    found = survey(tmp_path, Reading()).inventory
    assert (list(found.counts), found.notes) == (["train"], ("test: 5 of 5 without a label: left out",))


def test_shards_of_other_columns_or_classes_are_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-0.parquet", pictures_table(VALUES, LABELS, NAMES))
    write_parquet(tmp_path / "train-1.parquet", pictures_table(VALUES, LABELS, NAMES[::-1]))
    with pytest.raises(FormatError, match=r"train-1.parquet has other columns, or other classes"):
        survey(tmp_path, Reading())


def test_large_row_groups_are_read_in_pieces_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_rows, "BATCH", 2)
    monkeypatch.setattr(parquet_rows, "KEPT", 200)  # bytes: less than three of these pictures
    values = list(range(20))
    table = pictures_table(values, [value % 2 for value in values])
    pictures = survey(write_parquet(tmp_path / "a.parquet", table, row_group_size=8), Reading()).pictures("train")
    for row in [*values, 19, 0, 7, 6, 5, 15, 1, 2, 3]:
        assert pictures[row].read() == png(row)


def test_a_stream_that_was_cut_between_two_batches_is_refused(tmp_path: Path) -> None:
    path = write_arrow(tmp_path / "a.arrow", pictures_table(VALUES, LABELS))
    whole = path.read_bytes()
    assert seen(survey(path, Reading())) == EXPECTED
    path.write_bytes(whole[:-8])
    assert pa.ipc.open_stream(path.read_bytes()).read_all().num_rows == 5  # it reads as if nothing were missing
    with pytest.raises(FormatError, match="ends too early"):
        survey(path, Reading())


def test_offsets_that_lead_out_of_the_file_are_found(tmp_path: Path) -> None:
    table = pa.table({"image": [b"1234", b"5678"], "label": [0, 1]})
    path = write_arrow(tmp_path / "a.arrow", table, stream=False)
    whole, offsets = path.read_bytes(), bytes([0, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0])
    assert whole.count(offsets) == 1
    path.write_bytes(whole.replace(offsets, bytes([0, 0, 0, 0, 255, 255, 255, 127, 8, 0, 0, 0])))
    pictures = survey(path, Reading()).pictures("train")
    with pytest.raises(FormatError, match=r"a\.arrow is damaged"):
        pictures[1].read()


def test_numbers_of_rows_in_the_place_of_labels_are_remarked_on(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", pa.table({"image": [png(1)] * 30, "id": list(range(30))}))
    found = survey(path, Reading()).inventory
    assert (found.kind, found.notes) == (
        "Parquet", ("30 classes for 30 pictures: perhaps another column holds the labels",)
    )  # fmt: skip
    path = write_arrow(tmp_path / "a.arrow", pa.table({"image": [png(1)] * 60, "id": [*range(30), *range(30)]}))
    assert (survey(path, Reading()).inventory.kind, survey(path, Reading()).inventory.notes) == ("Arrow", ())


def test_what_is_claimed(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data" / "train-0.parquet", pictures_table(VALUES, LABELS))
    (tmp_path / "data" / "cache-1.arrow").write_bytes(b"")
    (tmp_path / "data" / ".hidden.parquet").write_bytes(b"")
    (tmp_path / "metadata.parquet").write_bytes(b"")
    assert claims(tmp_path) == "data/train-0.parquet"
    assert claims(tmp_path / "data" / "train-0.parquet") == "train-0.parquet"
    assert survey(tmp_path, Reading()).inventory.notes == ("1 files cache-… of Hugging Face's cache: passed over",)
    (tmp_path / "data" / "train-0.parquet").unlink()
    assert claims(tmp_path) is None
