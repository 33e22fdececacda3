"""Pictures in tar files: samples, shards, labels, and archives that want more than they should."""

import io
import tarfile
from pathlib import Path

import pytest

from millrace.datasets.importers import tar_index
from millrace.datasets.importers.options import Reading
from millrace.datasets.importers.webdataset import claims, survey
from millrace.errors import FormatError, MillraceError, UsageError
from tests.datasets.importers.encoded import png, samples, seen, write_tar

LABELS = {10: 0, 11: 2, 12: 1, 13: 2}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("ending", ["png", "PNG", "jpg", "jpeg", "webp"])
def test_samples_are_pictures_and_their_numbers(form: int, ending: str, tmp_path: Path) -> None:
    found = survey(write_tar(tmp_path / "a.tar", samples(LABELS, ending), form), Reading())
    assert seen(found) == list(LABELS.items())
    assert (found.inventory.classes, found.inventory.counts) == (("0", "1", "2"), {"train": (1, 1, 2)})


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_what_belongs_to_no_sample(form: int, tmp_path: Path) -> None:
    long = f"{'d' * 120}/é{'f' * 120}"
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=form) as archive:
        folder = tarfile.TarInfo("./folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        members = {
            f"./{long}.png": png(7), f"./{long}.cls": b"1\n", f"./{long}.seg.png": b"no picture of ours",
            "__info__.json": b"{", "./b.cls": b"0", "./b.png": png(8), "README": b"", "alone.cls": b"5",
        }  # fmt: skip
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    found = survey(path, Reading())
    assert [one.name for one in found.pictures("train")] == ["a.tar/b.png", f"a.tar/{long}.png"]
    assert seen(found) == [(8, 0), (7, 1)]


def test_shards_in_a_folder_by_a_pattern_and_alone(tmp_path: Path) -> None:
    for number in range(3):
        write_tar(tmp_path / f"train-{number:06d}.tar", samples({10 * number: 0, 10 * number + 1: 1}))
    expected = [(0, 0), (1, 1), (10, 0), (11, 1), (20, 0), (21, 1)]
    assert seen(survey(tmp_path, Reading())) == expected
    assert seen(survey(tmp_path / "train-{000000..000002}.tar", Reading())) == expected
    assert seen(survey(tmp_path / "train-000001.tar", Reading())) == expected[2:4]
    with pytest.raises(UsageError, match=r"train-000003.tar is not there"):
        survey(tmp_path / "train-{000000..000003}.tar", Reading())
    with pytest.raises(UsageError, match="not a range of shards"):
        survey(tmp_path / "train-{000003..000000}.tar", Reading())
    write_tar(tmp_path / "val-000000.tar", samples({99: 1}))
    assert survey(tmp_path, Reading()).inventory.counts == {"train": (3, 3), "validation": (0, 1)}


def test_names_as_labels_and_fields_of_json(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", samples({1: "bee", 2: "ant"}))
    assert survey(path, Reading()).inventory.classes == ("ant", "bee")
    members = [(f"{n}.{e}", d) for n in (1, 2) for e, d in (("jpg", png(n)), ("json", b'{"label": %d, "w": 8}' % n))]
    path = write_tar(tmp_path / "b.tar", members)
    assert seen(survey(path, Reading(labels_from=1))) == [(1, 0), (2, 1)]
    assert survey(path, Reading(labels="label")).inventory.classes == ("0", "1", "2")
    with pytest.raises(UsageError, match=r"no labels 'x'(.|\n)*label, w"):
        survey(path, Reading(labels="x"))
    path = write_tar(tmp_path / "c.tar", [("1.png", png(1)), ("1.json", b'{"fine": 1, "coarse": 0}')])
    with pytest.raises(UsageError, match=r"several columns could hold the labels(.|\n)*fine, coarse"):
        survey(path, Reading())


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ([], "holds no samples with a label"),
        ([("a/1.png", b""), ("b/1.png", b"")], r"2 pictures without one(.|\n)*unpack it"),
        ([("1.png", b""), ("1.jpg", b""), ("1.cls", b"0")], "has two pictures"),
        ([("1.png", b""), ("1.cls", b"0"), ("2.cls", b"0"), ("1.png", b""), ("1.cls", b"0")], "holds a member twice"),
        ([("1.png", b""), ("1.cls", b"")], r"1.cls is empty"),
        ([("1.png", b""), ("1.cls", b"\xff")], r"1.cls is no text"),
        ([("1.png", b""), ("1.json", b"{")], r"1.json is no JSON"),
        ([("1.png", b""), ("1.cls", b"-3")], "below the lowest"),
        ([("1.png", b""), ("1.cls", b"0"), ("2.png", b""), ("3.png", b""), ("3.cls", b"1")], "1 without, the first"),
    ],
)
def test_what_is_no_dataset_is_refused(members: list[tuple[str, bytes]], problem: str, tmp_path: Path) -> None:
    with pytest.raises(MillraceError, match=problem):
        survey(write_tar(tmp_path / "a.tar", members), Reading())


def test_compressed_archives_are_claimed_and_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"")
    assert claims(tmp_path) == claims(tmp_path / "a.tar.gz") == "a.tar.gz"
    with pytest.raises(FormatError, match=r"compressed archive(.|\n)*gunzip"):
        survey(tmp_path, Reading())


def test_a_file_that_was_cut_off_is_refused_wherever(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", samples(LABELS), tarfile.USTAR_FORMAT)
    whole = path.read_bytes()
    for end in range(0, 8 * 1024 + 1, 200):  # four samples of two members of two blocks each, and no end
        path.write_bytes(whole[:end])
        with pytest.raises(FormatError, match="ends too early"):
            survey(path, Reading())


def sparse(tmp_path: Path) -> Path:
    path = tmp_path / "sparse.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("1.png")
        info.type, info.size = tarfile.GNUTYPE_SPARSE, 4
        archive.addfile(info, io.BytesIO(b"1234"))
    return path


def records(tmp_path: Path, **headers: str) -> Path:
    path = tmp_path / "records.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("1.png")
        info.size, info.pax_headers = 4, headers
        archive.addfile(info, io.BytesIO(b"1234"))
    return path


def test_files_that_say_more_than_they_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="sparse"):
        survey(sparse(tmp_path), Reading())
    with pytest.raises(FormatError, match="sparse"):
        survey(records(tmp_path, **{"GNU.sparse.realsize": str(1 << 60)}), Reading())
    with pytest.raises(FormatError, match="record that is too large"):
        survey(records(tmp_path, path="x" * (1 << 17)), Reading())
    path = write_tar(tmp_path / "a.tar", samples(LABELS), tarfile.USTAR_FORMAT)
    data = bytearray(path.read_bytes())
    data[124:136] = b"77777777777\0"  # the first member has 8 GiB
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + sum(data[156:512]) + 8 * 32)
    path.write_bytes(data)
    with pytest.raises(FormatError, match="ends too early"):
        survey(path, Reading())


def test_members_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_index, "MOST", 7)
    with pytest.raises(FormatError, match="too many members"):
        survey(write_tar(tmp_path / "a.tar", samples(LABELS), tarfile.USTAR_FORMAT), Reading())


def test_a_name_outside_of_the_archive_is_a_name_and_nothing_else(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "in" / "a.tar", [("../x.png", png(1)), ("../x.cls", b"0"), ("/y.png", png(2)),
                                                ("/y.cls", b"1")])  # fmt: skip
    assert seen(survey(path, Reading())) == [(1, 0), (2, 1)]
    assert [file.name for file in tmp_path.rglob("*")] == ["in", "a.tar"]
