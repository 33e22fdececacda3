"""Kernels: cached by what their sources say, wherever those lie; compiled again where nothing is kept; NumPy's bits."""

import errno
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import caching, types

from millrace import compiled, counters, elementary
from millrace.compiled import F32, F64, ROOT, U8, U32, In, Out, Out2, device, kernel
from millrace.pipeline import draw, warp

# Two small files in the place of the project's: a kernel, and the function that it calls, in another file.
KERNEL = """
import sys
import numpy as np
from millrace.compiled import F64, In, Out, kernel, kernel_folder
from millrace.pipeline.callee import twice
@kernel
def apply(x: In[F64], out: Out[F64]) -> None:
    for i in range(x.shape[0]):
        out[i] = twice(x[i]) + 1.0
out = np.empty(2)
apply(np.array([1.0, 2.0]), out)
hits = sum(apply.stats.cache_hits.values())
print(out.tolist(), hits, kernel_folder())
"""
CALLEE = "from millrace.compiled import device\n@device\ndef twice(x):\n    return {factor} * x\n"


def project(folder: Path, factor: float = 2.0) -> Path:
    package = folder / "millrace"
    (package / "pipeline").mkdir(parents=True)
    for name in ("compiled.py", "numba_start.py", "user_cache.py"):
        shutil.copy(ROOT / name, package / name)
    (package / "run.py").write_text(KERNEL)
    for room in (package, package / "pipeline"):
        (room / "__init__.py").write_text("")
    (package / "pipeline" / "callee.py").write_text(CALLEE.format(factor=factor))
    return folder


def run(folder: Path, cache: Path) -> tuple[list[float], int, str]:
    """What the kernel gives, how often it came from the cache, and the cache's folder."""
    done = subprocess.run(
        [sys.executable, "-m", "millrace.run"],
        cwd=folder,
        env={**os.environ, "MILLRACE_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = re.fullmatch(r"\[(.*)\] (\d+) (.*)\n", done.stdout)
    assert found
    return [float(number) for number in found[1].split(",")], int(found[2]), found[3]


def files(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_machine_code_is_kept_and_found_from_any_path(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = run(project(tmp_path / "here"), cache)
    assert first[:2] == ([3.0, 5.0], 0)
    assert Path(first[2]).parent == cache / "kernels"
    kept = files(cache)
    assert len(kept) == 2  # numba's index and the machine code
    # Elsewhere, next to a file that has no kernels: from the cache.
    elsewhere = project(tmp_path / "some where" / "else")
    (elsewhere / "millrace" / "pipeline" / "other.py").write_text("x = 1\n")
    assert run(elsewhere, cache) == ([3.0, 5.0], 1, first[2])
    assert files(cache) == kept
    assert all(path.is_relative_to(cache) for path in tmp_path.rglob("*.nb?"))
    # A callee in another file is edited: compiled again, in another folder.
    (elsewhere / "millrace" / "pipeline" / "callee.py").write_text(CALLEE.format(factor=10.0))
    edited = run(elsewhere, cache)
    assert edited[:2] == ([11.0, 21.0], 0)
    assert edited[2] != first[2]


@pytest.mark.slow
def test_an_edit_and_its_reversal_are_seen_in_place(tmp_path: Path) -> None:
    cache, folder = tmp_path / "cache", project(tmp_path / "here")
    first = run(folder, cache)
    callee = folder / "millrace" / "pipeline" / "callee.py"
    callee.write_text(CALLEE.format(factor=10.0))
    assert run(folder, cache)[:2] == ([11.0, 21.0], 0)
    callee.write_text(CALLEE.format(factor=2.0))
    assert run(folder, cache) == ([3.0, 5.0], 1, first[2])


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = project(tmp_path / "here")
    assert run(folder, tmp_path / "file" / "cache") == ([3.0, 5.0], 0, "None")
    assert list(folder.rglob("*.nb?")) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_cache_costs_time_only(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o500)
    assert run(project(tmp_path / "here"), cache) == ([3.0, 5.0], 0, "None")


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("left", [b"", bytes(4096)])
def test_damaged_machine_code_is_compiled_again(tmp_path: Path, ending: str, left: bytes) -> None:
    """What a power cut or a full disk leaves behind: files cut short, or full of zeros."""
    cache, folder = tmp_path / "cache", project(tmp_path / "here")
    run(folder, cache)
    (damaged,) = cache.rglob(f"*.{ending}")
    damaged.write_bytes(left)
    assert run(folder, cache)[:2] == ([3.0, 5.0], 0)
    assert run(folder, cache)[:2] == ([3.0, 5.0], 1)


@pytest.mark.usefixtures("kept_here")
def test_a_cache_that_cannot_be_read_costs_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def cut_short(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise EOFError("Ran out of input")

    monkeypatch.setattr(caching.IndexDataCacheFile, "load", cut_short)
    monkeypatch.setattr(caching.IndexDataCacheFile, "save", lambda *_: None)
    assert _half_of(3.0) == 1.5
    assert len(calls) == 2


@pytest.mark.usefixtures("kept_here")
def test_a_disk_that_is_full_costs_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "save", full)
    assert _half_of(3.0) == 1.5


@pytest.fixture
def kept_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """This file is one of those whose machine code is kept."""
    monkeypatch.setattr(compiled, "ROOT", Path(__file__).parent)
    monkeypatch.setattr(compiled, "sources", lambda: (Path(os.path.abspath(__file__)),))


def _half_of(value: float) -> float:
    @kernel
    def half(x: float) -> float:
        return x * 0.5

    return half(value)


def test_the_fault_of_a_kernel_is_shown() -> None:
    with pytest.raises(numba.TypingError, match="nowhere"):

        @kernel
        def faulty(x: float) -> float:
            return x + nowhere  # type: ignore[name-defined, no-any-return]  # noqa: F821


def test_a_signature_stands_in_the_annotations() -> None:
    def some(a: Out2[F32], b: In[U8], c: int, d: float, e: bool, f: U32) -> float:
        return d

    read_only = types.Array(types.uint8, 1, "C", readonly=True)
    numbers = types.int64, types.float64, types.boolean, types.uint32
    assert compiled.signature(some) == types.float64(types.float32[:, ::1], read_only, *numbers)


def test_other_users_of_numba_keep_their_own_cache() -> None:
    others = getattr(numba.config, "CACHE_LOCATOR_CLASSES")  # noqa: B009
    assert "millrace" not in others
    assert not any(locator.__module__.startswith("millrace") for locator in caching.CacheImpl._locator_classes)


def test_the_sources_are_those_with_kernels() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in compiled.sources()}
    assert {"counters.py", "elementary.py", "pipeline/warp.py", "pipeline/draw.py"} <= names
    assert not {"compiled.py", "errors.py", "pipeline/stream.py"} & names
    assert not any(name.startswith(("tests", ".venv")) for name in names)
    assert re.fullmatch(r"[0-9a-f]{64}", compiled.digest())


@cache
def made(function: Any) -> Any:
    """The kernel, made by the first test that needs it and not where tests are collected."""
    return kernel(function)


def test_kernels_follow_numpy_where_numbers_end() -> None:
    out = np.empty(4)
    made(_divide)(np.array([1.0, -1.0, 0.0, 1.0]), np.array([0.0, 0.0, 0.0, 3.0]), out)
    assert np.array_equal(out, np.array([np.inf, -np.inf, np.nan, 1 / 3]), equal_nan=True)


def test_a_kernel_takes_its_signature_alone() -> None:
    with pytest.raises(TypeError, match="No matching definition"):
        made(_divide)(np.zeros(2, np.float32), np.zeros(2), np.zeros(2))
    frozen = np.ones(2)
    frozen.flags.writeable = False
    made(_divide)(frozen, frozen, np.empty(2))
    with pytest.raises(TypeError, match="No matching definition"):
        made(_divide)(frozen, frozen, frozen)


def _divide(x: In[F64], y: In[F64], out: Out[F64]) -> None:
    for i in range(x.shape[0]):
        out[i] = x[i] / y[i]


@device
def _product(x: Any, y: Any) -> Any:
    return x * y


def _multiply_add(x: In[F32], y: In[F32], z: In[F32], out: Out[F32]) -> None:
    for i in range(x.shape[0]):
        out[i] = _product(x[i], y[i]) + z[i]


def _horner(x: In[F64], turns: int) -> float:
    total = 0.0
    for i in range(x.shape[0]):
        for _ in range(turns):
            total = total * x[i] + 1.0
    return total


def test_a_multiplication_is_rounded_before_the_addition() -> None:
    """(1 + 2⁻²³)² − (1 + 2⁻²²) is 2⁻⁴⁶, which only a fused operation would show."""
    x = np.full(40, 1 + 2.0**-23, np.float32)
    out = np.empty_like(x)
    made(_multiply_add)(x, x, np.full(40, -(1 + 2.0**-22), np.float32), out)
    assert out.tolist() == [0.0] * 40
    rng = np.random.default_rng(0)
    a, b, c = (rng.standard_normal(10_000).astype(np.float32) for _ in range(3))
    out = np.empty_like(a)
    made(_multiply_add)(a, b, c, out)
    assert np.array_equal(out.view(np.uint32), (a * b + c).view(np.uint32))
    total = 0.0
    for value in a[:50].astype(np.float64).tolist():
        for _ in range(3):
            total = total * value + 1.0
    assert made(_horner)(a[:50].astype(np.float64), 3) == total


FUSED = re.compile(r"\b(v?fn?m(add|sub)\w*|fml[as])\b")  # of x86 and of ARM


def assembly(compiled_kernel: Any) -> str:
    """The machine code of a kernel, compiled here for this machine: what comes from the cache has no text."""
    again = numba.njit(compiled_kernel.signatures[0], nogil=True, error_model="numpy")(compiled_kernel.py_func)
    return "\n".join(again.inspect_asm().values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["_draw", "_compose", "_warp"])
def test_no_kernel_of_the_pipeline_fuses(name: str) -> None:
    text = assembly(getattr(warp if name == "_warp" else draw, name))
    assert len(text) > 1000
    assert FUSED.findall(text) == []


def test_the_search_for_fused_operations_finds_them() -> None:
    def fused(x: Any) -> Any:
        return x * x + x

    fast = numba.njit(types.float64(types.float64), fastmath=True)(fused)
    plain = numba.njit(types.float64(types.float64))(fused)
    if not FUSED.search("\n".join(fast.inspect_asm().values())):
        pytest.skip("this machine has no fused operations")
    assert not FUSED.search("\n".join(plain.inspect_asm().values()))


def test_the_locks_of_the_interpreter_are_released() -> None:
    kernels: list[Any] = [counters._philox_rows, elementary._normals, warp._warp, draw._draw]
    for options in (found.targetoptions for found in kernels):
        assert options["nogil"]
        assert options["error_model"] == "numpy"
        assert not options.get("fastmath")


def test_kernels_do_not_import_scipy_and_numba_knows_that_it_is_there() -> None:
    program = (
        "import sys, millrace.counters, numba.np.arraymath as a; print('scipy.linalg' in sys.modules, a._HAVE_BLAS)"
    )
    program += "; import numba, numpy as n; print(numba.njit(lambda x: n.cov(x))(n.eye(2)).tolist())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert done.stdout == "False True\n[[0.5, -0.5], [-0.5, 0.5]]\n", done.stderr
