import gzip
import io
import tarfile
from pathlib import Path

import pytest

from millrace.datasets.archive import members
from millrace.datasets.content import open_content
from millrace.datasets.spec import FileSpec, MemberSpec
from millrace.errors import FormatError, IntegrityError
from tests.datasets.server import gz, tar
from tests.datasets.specs import sha

A, B = b"a" * 700, b"b" * 512
SPEC = FileSpec(
    "all.tar.gz", members=(MemberSpec("d/a", "train", len(A), sha(A)), MemberSpec("d/b", "test", len(B), sha(B)))
)


def lay(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "all.tar.gz"
    path.write_bytes(data if data.startswith(b"\x1f\x8b") else gz(data))
    return path


def check_file(file: FileSpec, path: Path) -> None:
    with open_content(path, file) as content:
        list(members(content, file))
        content.finish()


def test_members_come_by_name_in_any_order_and_others_are_passed_over(tmp_path: Path) -> None:
    others = ("d/._a", b"macOS"), ("d/big", bytes(5000)), ("n" * 120, b"a long name")
    path = lay(tmp_path, tar(others[0], ("./d/b", B), others[1], others[2], ("d/a", A), ("d/z", b"")))
    with open_content(path, SPEC) as content:
        assert {member.name: bytes(data) for member, data in members(content, SPEC)} == {"d/a": A, "d/b": B}


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "d/../../x", "d/..", "\\x", "..\\x", "d\\..\\x"])
def test_names_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    path = lay(tmp_path, tar(("d/a", A), (name, b"x"), ("d/b", B)))
    with pytest.raises(FormatError, match="outside of itself"):
        check_file(SPEC, path)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_links_devices_and_folders_are_never_followed(tmp_path: Path, kind: bytes) -> None:
    def archive(name: str) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as writer:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            writer.addfile(info)
        return out.getvalue()[:512]

    check_file(SPEC, lay(tmp_path, archive("other") + tar(("d/a", A), ("d/b", B))))
    with pytest.raises(FormatError, match="d/a is a link, a folder or a device"):
        check_file(SPEC, lay(tmp_path, archive("d/a") + tar(("d/a", A), ("d/b", B))))


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = lay(tmp_path, tar(("d/a", A), ("d/b", B)))
    check_file(SPEC, path)
    assert list(tmp_path.rglob("*")) == [path]


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        (tar(("d/a", A)), FormatError, "lacks members"),
        (tar(("d/a", A), ("d/a", A), ("d/b", B)), FormatError, "a member twice"),
        (tar(("d/a", A + b"a"), ("d/b", B)), IntegrityError, "d/a has the wrong size"),
        (tar(("d/a", A), ("d/b", B[:-1] + b"x")), IntegrityError, "d/b is not what it should be"),
        (tar(("d/a", A), ("d/b", B))[:1000], FormatError, "ends too early"),
        (tar(("d/a", A), ("d/b", B))[:1536], FormatError, "ends too early"),
        (b"not a tar archive" * 100, FormatError, "not a tar archive"),
        (b"", FormatError, "ends too early"),
        (gz(tar(("d/a", A), ("d/b", B)))[:-20], IntegrityError, "cut short"),
        (tar(("x", b""))[:512] * 10_001 + bytes(1024), FormatError, "too many members"),
    ],
)
def test_damaged_archives_are_refused(tmp_path: Path, data: bytes, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        check_file(SPEC, lay(tmp_path, data))


def test_another_member_of_impossible_size_is_refused(tmp_path: Path) -> None:
    negative = tarfile.TarInfo("x")
    negative.size = -512
    with pytest.raises(FormatError, match="damaged header"):
        check_file(SPEC, lay(tmp_path, negative.tobuf(tarfile.GNU_FORMAT) + tar(("d/a", A), ("d/b", B))))
    huge = tarfile.TarInfo("x")
    huge.size = 1 << 40
    with pytest.raises(FormatError, match="ends too early"):
        check_file(SPEC, lay(tmp_path, huge.tobuf(tarfile.GNU_FORMAT) + tar(("d/a", A), ("d/b", B))))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, b"9"])
def test_a_bomb_in_a_member_that_is_passed_over_is_stopped(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("x")
    info.size, info.type = 1 << 30, kind
    with gzip.open(tmp_path / "all.tar.gz", "wb", compresslevel=1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(20):
            file.write(bytes(1 << 20))
    with pytest.raises(IntegrityError, match="larger than it may be"):
        check_file(SPEC, tmp_path / "all.tar.gz")
