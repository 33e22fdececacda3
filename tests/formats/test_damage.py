"""Damaged shards: whatever the bytes, rows of the right shape or a FormatError; nothing else, and no runaway memory."""

import io
import tarfile
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.errors import FormatError
from millrace.formats import FORMATS
from millrace.formats.rows import Rows
from millrace.formats.shards import decode
from tests.formats.contract import encoded, info_of, some_rows

ROWS = some_rows()
INFO = info_of(ROWS)
SOUND = {name: encoded(name, ROWS) for name in FORMATS}


def read(name: str, data: bytes) -> Rows:
    return decode(name, pa.py_buffer(data), INFO, SOUND[name].fetch, "the shard")


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_changed_bytes_are_rows_or_a_format_error(name: str, data: Any) -> None:
    changed = bytearray(SOUND[name].data)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(changed)))
    for content in (bytes(changed), bytes(changed[:cut])):
        try:
            rows = read(name, content)
        except FormatError:
            continue
        assert rows.images.shape == ROWS.images.shape
        assert len(rows.images) == len(rows.labels) == len(rows.epochs) == len(rows.parameters)


def test_links_and_other_members_are_refused() -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE):
        sink = io.BytesIO()
        with tarfile.open(fileobj=sink, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            info = tarfile.TarInfo("a.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        with pytest.raises(FormatError, match="not a member of a shard"):
            read("webdataset", sink.getvalue())


def with_labels(content: bytes) -> bytes:
    """The npz with another array of labels."""
    source = zipfile.ZipFile(io.BytesIO(SOUND["npz"].data))
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for info in source.infolist():
            archive.writestr(info, content if info.filename == "labels.npy" else source.read(info))
    return sink.getvalue()


def test_an_array_of_objects_is_not_unpickled() -> None:
    content = io.BytesIO()
    np.save(content, np.array([print, None], object), allow_pickle=True)
    with pytest.raises(FormatError, match="not an array of numbers"):
        read("npz", with_labels(content.getvalue()))


def test_an_array_larger_than_the_shard_is_refused_unread() -> None:
    bomb = with_labels(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="larger than it may be"):
            read("npz", bomb)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
