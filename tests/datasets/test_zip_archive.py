import io
import zipfile
from pathlib import Path

import pytest

from millrace.datasets.spec import FileSpec, MemberSpec
from millrace.datasets.zip_archive import members
from millrace.errors import DataError, FormatError, IntegrityError
from tests.datasets.server import gz
from tests.datasets.specs import sha

FILE = FileSpec("a.zip", members=(MemberSpec("in/b.gz", "test", 4, sha(b"data")), MemberSpec("a", "train", 3)))


def archive(*entries: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as made:
        for name, data in entries:
            made.writestr(name, data)
    return out.getvalue()


def read(tmp_path: Path, data: bytes) -> dict[str, bytes]:
    (tmp_path / "a.zip").write_bytes(data)
    return {member.name: bytes(content.read_all()) for member, content in members(tmp_path / "a.zip", FILE)}


GOOD = (("a", b"abc"), ("../other", b"x"), ("in/b.gz", gz(b"data")))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_wanted_members_are_read_and_others_passed_over(tmp_path: Path, compression: int) -> None:
    assert read(tmp_path, archive(*GOOD, compression=compression)) == {"in/b.gz": b"data", "a": b"abc"}
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip"]


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        (archive(*GOOD[:2]), FormatError, "must hold a member once"),
        (archive(*GOOD, compression=zipfile.ZIP_BZIP2), FormatError, "compressed in a way"),
        (archive(("a", b"abcd"), GOOD[2]), IntegrityError, "larger than it may be"),
        (archive(("a", b"ab"), GOOD[2]), IntegrityError, "wrong size"),
        (archive(GOOD[0], ("in/b.gz", gz(b"date"))), IntegrityError, "not what it should be"),
        (archive(GOOD[0], ("in/b.gz", gz(b"data" * 9999))), IntegrityError, "larger than it may be"),
        (archive(GOOD[0], ("in/b.gz", b"data")), IntegrityError, "damaged gzip"),
        (archive(GOOD[0], ("in/b.gz", gz(b"data")[:-2])), IntegrityError, "cut short"),
        (
            archive(*GOOD, compression=zipfile.ZIP_STORED).replace(b"abc", b"abd"),
            IntegrityError,
            "a is damaged in its zip",
        ),
        (archive(*GOOD)[:-30], IntegrityError, "not a readable zip"),
        (b"", IntegrityError, "not a readable zip"),
        (archive(*((str(n), b"") for n in range(10_001))), FormatError, "too many members"),
    ],
)
def test_damage_is_named(tmp_path: Path, data: bytes, error: type[DataError], match: str) -> None:
    with pytest.raises(error, match=match):
        read(tmp_path, data)


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = archive(*GOOD, GOOD[0])
    with pytest.raises(FormatError, match=r"must hold a member once[\s\S]*2 times"):
        read(tmp_path, data)


def test_what_is_encrypted_is_refused(tmp_path: Path) -> None:
    data = bytearray(archive(*GOOD, compression=zipfile.ZIP_STORED))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := data.find(magic, start)) >= 0:
            data[start + at] |= 1
            start += 1
    with pytest.raises(FormatError, match="encrypted"):
        read(tmp_path, bytes(data))
