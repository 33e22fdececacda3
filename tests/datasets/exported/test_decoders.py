"""Decoders: whatever the bytes, rows of the right shape or a FormatError; nothing else, and no runaway memory."""

import dataclasses
import io
import tarfile
import zipfile
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.datasets.exported import Manifest
from millrace.datasets.exported.decoders import FORMATS, decode
from millrace.datasets.exported.decoders.webdataset import members
from millrace.errors import DataError, FormatError, UsageError
from millrace.pipeline.export import ShardWriter
from millrace.storage.folder import Folder
from tests.pipeline.export.small import planned, shapes


class Sound:
    """A sound shard of one format: its bytes, its manifest, its other files."""

    def __init__(self, name: str) -> None:
        dataset = shapes()
        plan = planned(dataset, format=name)
        writer = ShardWriter(plan, dataset, Folder("."))
        _, parts, files = writer.encoded(plan.shards[0], writer.source.rows(plan.shards[0]))
        self.data = b"".join(memoryview(part) for part in parts)
        self.files = dict(files)
        self.manifest = Manifest("", "", plan.configuration, plan.dataset, plan.splits, ())

    def decode(self, data: bytes) -> Any:
        return decode(pa.py_buffer(data), self.manifest, self.fetch, "the shard")

    def fetch(self, name: str) -> bytes:
        if name not in self.files:
            raise FormatError(f"{name} is missing")
        return self.files[name]


SOUND = {name: Sound(name) for name in FORMATS}


@pytest.mark.parametrize("name", FORMATS)
def test_sound_bytes_decode(name: str) -> None:
    assert SOUND[name].decode(SOUND[name].data).images.shape == (16, 1, 6, 5)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_changed_bytes_are_rows_or_a_format_error(name: str, data: Any) -> None:
    sound = SOUND[name]
    changed = bytearray(sound.data)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(changed)))
    for content in (bytes(changed), bytes(changed[:cut])):
        try:
            rows = sound.decode(content)
        except FormatError:
            continue
        assert rows.images.shape[1:] == (1, 6, 5)
        assert len(rows.images) == len(rows.labels) == len(rows.epochs) == len(rows.parameters)


@pytest.mark.parametrize("name", FORMATS)
def test_images_of_another_shape_are_refused(name: str) -> None:
    sound = SOUND[name]
    other = dataclasses.replace(sound.manifest, dataset={**sound.manifest.dataset, "shape": [1, 5, 6]})
    with pytest.raises(FormatError):
        decode(pa.py_buffer(sound.data), other, sound.fetch, "the shard")
    fewer = dataclasses.replace(sound.manifest, dataset={**sound.manifest.dataset, "classes": ["one"]})
    with pytest.raises(FormatError, match="has no class"):
        decode(pa.py_buffer(sound.data), fewer, sound.fetch, "the shard")


def test_an_unknown_format_has_a_suggestion() -> None:
    manifest = dataclasses.replace(SOUND["npz"].manifest, configuration={"format": "npy"})
    with pytest.raises(UsageError, match="did you mean 'npz'"):
        decode(pa.py_buffer(b""), manifest, None, "it")  # type: ignore[arg-type]


def test_links_and_other_members_are_refused() -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE):
        sink = io.BytesIO()
        with tarfile.open(fileobj=sink, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            info = tarfile.TarInfo("a.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        with pytest.raises(FormatError):
            list(members(sink.getvalue()))


def test_an_array_of_objects_is_not_unpickled() -> None:
    source = zipfile.ZipFile(io.BytesIO(SOUND["npz"].data))
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for info in source.infolist():
            content = io.BytesIO()
            np.save(content, np.array([print, None], object), allow_pickle=True)
            archive.writestr(info, content.getvalue() if info.filename == "labels.npy" else source.read(info))
    with pytest.raises(DataError):
        SOUND["npz"].decode(sink.getvalue())
