"""A cache that cannot be written, and disks that are full."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from millrace.datasets.loading import load
from millrace.errors import DataError
from tests.datasets import server as answers
from tests.datasets.server import Sample, Server
from tests.datasets.specs import idx_spec, serve_idx

ROOT = Path(__file__).parents[2]
SAMPLE = Sample()


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_cache_under_a_file_cannot_be_written(server: Server, tmp_path: Path) -> None:
    serve_idx(server, SAMPLE)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cache folder .* cannot be written") as caught:
        load(idx_spec(SAMPLE), mirror=server.url, cache=tmp_path / "file" / "cache")
    assert "MILLRACE_CACHE=" in str(caught.value.do)
    assert server.seen == []


def in_child(program: str, *words: str, **more: Any) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
        **more,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX users")
def test_a_filled_cache_may_be_read_only_and_an_empty_one_says_so(server: Server, tmp_path: Path) -> None:
    serve_idx(server, SAMPLE)
    spec = idx_spec(SAMPLE)
    cache = tmp_path / "shared"
    load(spec, mirror=server.url, cache=cache)
    empty = tmp_path / "empty"
    empty.mkdir()
    paths = [path for folder in (cache, empty) for path in (folder, *folder.rglob("*"))]
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    program = """
import os, sys
from pathlib import Path
from millrace.datasets.loading import load
from millrace.errors import DataError
from tests.datasets.server import Sample
from tests.datasets.specs import idx_spec
if os.geteuid() == 0:
    # Root may write anywhere: without its capabilities it is one user among others.
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(header, data) != 0:
        sys.exit(77)
print(load(idx_spec(Sample()), cache=Path(sys.argv[1]), offline=True).digest)
try:
    load(idx_spec(Sample()), cache=Path(sys.argv[2]), mirror=sys.argv[3])
except DataError as error:
    print(error)
"""
    try:
        code, out = in_child(program, str(cache), str(empty), server.url)
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    if code == 77:
        pytest.skip("root cannot give up its capabilities here")
    assert code == 0, out
    assert load(spec, cache=cache, offline=True).digest in out
    assert "the cache folder " in out
    assert " cannot be written" in out
    assert "MILLRACE_CACHE=" in out


FULL = """
import resource, signal, sys
from pathlib import Path
from millrace.datasets.loading import load
from millrace.errors import DataError
from tests.datasets.server import Sample
from tests.datasets.specs import npz_spec
sample = Sample(train=400)
data = sample.npz()
if sys.argv[3] != "0":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    load(npz_spec(data), cache=Path(sys.argv[1]), mirror=sys.argv[2])
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [4000, pytest.param(9000, marks=pytest.mark.slow)])
def test_a_full_disk_is_named_and_leaves_nothing_half_written(server: Server, tmp_path: Path, limit: int) -> None:
    # The first limit stops the download (10 kB), the second the table made of a local copy of it (12 kB).
    data = Sample(train=400).npz()
    server.put("/shapes/shapes.npz", answers.whole(data))
    (tmp_path / "shapes.npz").write_bytes(data)
    mirror = server.url if limit == 4000 else str(tmp_path)
    code, out = in_child(FULL, str(tmp_path / "cache"), mirror, str(limit))
    assert code == 0, out
    assert "the disk of the cache folder " in out
    assert "MILLRACE_CACHE=" in out
    assert {name.rpartition("/")[2] for name in tree(tmp_path / "cache")} == {"lock"}


def test_a_full_file_system_is_named(server: Server, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(full)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a small file system of its own needs root and mount")
    try:
        server.put("/shapes/shapes.npz", answers.whole(Sample(train=400).npz()))
        code, out = in_child(FULL, str(full), server.url, "0")
        assert code == 0, out
        assert "the disk of the cache folder " in out
        assert not [name for name in tree(full) if not name.endswith("lock")]
    finally:
        subprocess.run(["umount", str(full)], check=True)
