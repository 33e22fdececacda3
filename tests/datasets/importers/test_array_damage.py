"""Whatever the bytes of files of arrays are, the answer is arrays or a MillraceError, and memory follows the bytes."""

import io
import struct
import tempfile
import tracemalloc
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.datasets.importers import idx_files, npy_files, npz_file
from millrace.datasets.importers.options import PLAIN
from millrace.errors import FormatError, MillraceError
from tests.datasets.server import Sample, gz
from tests.datasets.test_decoders import damaged

SAMPLE = Sample(shape=(1, 9, 8), train=6, test=3)


def npy(array: object) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asanyarray(array))
    return out.getvalue()


def lay(folder: Path, kind: ModuleType) -> tuple[Path, Path]:
    """A folder of files that an importer takes: the path to give, and the file to damage."""
    if kind is npz_file:
        (folder / "a.npz").write_bytes(SAMPLE.npz())
        return folder / "a.npz", folder / "a.npz"
    if kind is npy_files:
        for name, array in SAMPLE.arrays.items():
            (folder / f"{name}.npy").write_bytes(npy(array))
        return folder, folder / "test_images.npy"
    for name in SAMPLE.arrays:
        (folder / f"{name.replace('test', 't10k')}-ubyte.gz".replace("_", "-")).write_bytes(gz(SAMPLE.idx(name)))
    return folder, folder / "t10k-images-ubyte.gz"


def arrays(kind: ModuleType, path: Path) -> None:
    if kind.claims(path) is None:
        return
    for _, images, labels in kind.survey(path, PLAIN).arrays().splits():
        assert images.dtype == labels.dtype == np.uint8
        assert (images.ndim, len(images)) == (4, len(labels))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [npz_file, npy_files, idx_files])
def test_damaged_files_give_arrays_or_a_clear_error(kind: ModuleType) -> None:
    with tempfile.TemporaryDirectory() as name:
        path, victim = lay(Path(name), kind)
        arrays(kind, path)

        @settings(max_examples=120, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(damaged(victim.read_bytes()))
        def attack(data: bytes) -> None:
            victim.write_bytes(data)
            try:
                arrays(kind, path)
            except MillraceError:
                return

        attack()


@pytest.mark.parametrize("shape", [(0, (1 << 32) - 1, (1 << 32) - 1), (1 << 40, 0, 1 << 40)])
def test_an_empty_array_that_would_be_too_large_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": shape})
    (tmp_path / "images.npy").write_bytes(npy(np.zeros((2, 8, 8), np.uint8)))
    (tmp_path / "labels.npy").write_bytes(out.getvalue())
    with pytest.raises(FormatError, match=r"labels.npy has a shape that no array can have"):
        arrays(npy_files, tmp_path)


SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 8, 9, 28, 1 << 20, 1 << 31, (1 << 32) - 1]), min_size=1, max_size=4)
DTYPES = st.sampled_from(["u1", "?", "i2", "f4", "f8", "O", "U3", "c8", "M8[s]", "V0", "U0"])


@pytest.mark.slow
@given(SHAPES, SHAPES, DTYPES, DTYPES, st.integers(0, 5000))
@settings(max_examples=120, deadline=None, database=None)
def test_heads_that_promise_anything(first: list[int], second: list[int], one: str, other: str, size: int) -> None:
    """Heads of the three formats, of any shape and dtype, before a body of any size: none takes memory for nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        members = {}
        for file, shape, dtype in (("images", first, one), ("labels", second, other)):
            out = io.BytesIO()
            kind = np.dtype(dtype)
            np.lib.format.write_array_header_1_0(
                out, {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": tuple(shape)}
            )
            members[file] = out.getvalue() + bytes(size)
            (folder / f"{file}.npy").write_bytes(members[file])
            code = {"u1": 8, "i2": 0x0B, "f4": 0x0D}.get(dtype, 9)
            head = struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape)
            (folder / f"train-{file}-idx").write_bytes(gz(head + bytes(size)))
        with zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for file, data in members.items():
                archive.writestr(f"{file}.npy", data)
        tracemalloc.start()
        try:
            for importer, path in ((npz_file, folder / "a.npz"), (npy_files, folder), (idx_files, folder)):
                try:
                    arrays(importer, path)
                except MillraceError:
                    continue
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()
