"""Tar members against the standard library."""

import io
import tarfile

import pytest

from millrace.formats.tar import Buffer, member, members


def test_a_tar_header_is_the_one_that_tarfile_writes() -> None:
    info = tarfile.TarInfo("0001.png")
    info.size = 700
    assert member("0001.png", b"x" * 700)[0] == info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_members_are_those_that_tarfile_finds(form: int) -> None:
    long = f"{'d' * 90}/{'f' * 60}" if form == tarfile.USTAR_FORMAT else "b"
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as archive:
        for number, name in enumerate(["a", "é.png", long]):
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uid = 511 + number, 10**9, 1 << 20
            archive.addfile(info, io.BytesIO(bytes([number]) * info.size))
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    found = [(header.name, header.type, header.size) for header, _ in members(Buffer(sink.getvalue(), "it"), 9)]
    with tarfile.open(fileobj=io.BytesIO(sink.getvalue())) as archive:
        assert found == [(info.name, info.type, info.size) for info in archive]
