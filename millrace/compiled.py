"""Compiled kernels: numba with this project's rules, cached where edits, copies and read-only installs cannot hurt.

Rules: the GIL is released; floating-point errors follow NumPy; no `fastmath`, which would contract
to fused multiply-add and change bits. Signatures are given, so a kernel has one machine code.

The machine code is kept in the user's cache folder under a digest of *all* kernel sources: numba's
own cache looks at one file and misses edits to callees in others, and it is keyed by path, which
differs in every copy of the code that Ray unpacks.
"""

import contextlib
import glob
import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import caching, types

from millrace.user_cache import user_cache

Function = TypeVar("Function", bound=Callable[..., Any])

# Not resolved: in a checkout some rooms are links, and every module is known by its path in this folder.
ROOT = Path(os.path.abspath(__file__)).parent
FOLDERS = (".", "pipeline", "model", "workers")

U8 = types.uint8
U32 = types.uint32
I64 = types.int64
F32 = types.float32
F64 = types.float64
VOID = types.void
BOOL = types.boolean


def array(kind: Any, dimensions: int = 1) -> Any:
    """The type of a C-contiguous, writable array argument."""
    return types.Array(kind, dimensions, "C")


def readonly(kind: Any, dimensions: int = 1) -> Any:
    """The type of a C-contiguous array argument that is only read (writable ones fit as well)."""
    return types.Array(kind, dimensions, "C", readonly=True)


@cache
def sources() -> tuple[Path, ...]:
    """The files that define kernels or functions called by kernels, in a fixed order."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).glob("**/*.py" if folder != "." else "*.py")]
    own = ROOT / "compiled.py"
    return tuple(
        sorted(path for path in set(files) if path != own and b"from millrace.compiled import" in path.read_bytes())
    )


@cache
def digest() -> str:
    """Hexadecimal sha256 over the names and bytes of all kernel sources and of this file."""
    total = hashlib.sha256()
    for path in [ROOT / "compiled.py", *sources()]:
        total.update(str(path.relative_to(ROOT)).encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


@cache
def kernel_folder() -> Path | None:
    """Where machine code is kept, or None where nothing can be written (kernels then compile anew)."""
    folder = user_cache() / "kernels" / digest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):
        return None
    return folder


class _Locator(caching._CacheLocator):
    """Numba's question "where does this function's machine code lie", answered for this project's files."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder = name, folder

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return digest()

    def get_disambiguator(self) -> str:
        return self._name

    @classmethod
    def from_function(cls, function: Any, file: str) -> "_Locator | None":
        path, folder = Path(os.path.abspath(file)), kernel_folder()
        if folder is None or not path.is_relative_to(ROOT) or path not in sources():
            return None
        return cls(str(path.relative_to(ROOT)).replace(os.sep, "."), folder)


if not any(locator.__name__ == "_Locator" for locator in caching.CacheImpl._locator_classes):
    caching.CacheImpl._locator_classes.insert(0, _Locator)


def _discard(function: Callable[..., Any]) -> None:
    """Remove what is kept of a function; numba's file names begin with the names of the file and the function."""
    folder, module = kernel_folder(), Path(function.__code__.co_filename).stem
    if folder is not None:
        for path in folder.glob(glob.escape(f"{module}.{function.__qualname__}-") + "*"):
            with contextlib.suppress(OSError):
                path.unlink()


def kernel(*signature: Any, returns: Any = VOID) -> Callable[[Function], Function]:
    """Compile a function for one signature; it runs without the GIL and is cached between processes."""

    def compiler(kept: bool) -> Callable[[Function], Function]:
        compile_for = numba.njit(returns(*signature), cache=kept, nogil=True, error_model="numpy")
        return cast(Callable[[Function], Function], compile_for)

    def compile_kernel(function: Function) -> Function:
        if kernel_folder() is None:
            return compiler(kept=False)(function)
        try:
            return compiler(kept=True)(function)
        except Exception:
            # Files cut short by a power cut, or a full disk. A fault of the kernel itself comes again below.
            _discard(function)
        try:
            return compiler(kept=True)(function)
        except OSError:
            return compiler(kept=False)(function)

    return compile_kernel


def device(function: Function) -> Function:
    """Compile a function that only kernels call: LLVM inlines it, it has no cache of its own."""
    return cast(Function, numba.njit(nogil=True, error_model="numpy", inline="never")(function))
