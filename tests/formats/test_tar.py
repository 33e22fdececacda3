"""Tar members against the standard library."""

import tarfile

from millrace.formats.tar import member


def test_a_tar_header_is_the_one_that_tarfile_writes() -> None:
    info = tarfile.TarInfo("0001.png")
    info.size = 700
    assert member("0001.png", b"x" * 700)[0] == info.tobuf(tarfile.USTAR_FORMAT)
