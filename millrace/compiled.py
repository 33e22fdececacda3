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
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin

import numba
import numpy as np
import numpy.typing as npt
from numba.core import caching, types

from millrace.numba_start import start_numba
from millrace.user_cache import user_cache

start_numba()

Function = TypeVar("Function", bound=Callable[..., Any])
Number = TypeVar("Number", bound=np.generic)

# Not resolved: in a checkout some rooms are links, and every module is known by its path in this folder.
ROOT = Path(os.path.abspath(__file__)).parent
FOLDERS = (".", "pipeline", "model", "workers")

# The types of a kernel, written in its signature. Numbers: these, and bool, int (64 bits), float (64 bits).
U8 = np.uint8
U16 = np.uint16
U32 = np.uint32
U64 = np.uint64
I64 = np.int64
F32 = np.float32
F64 = np.float64
# Arrays: C-contiguous, of one to four dimensions; `In` is only read, so memory that is read-only fits as well.
In = Annotated[npt.NDArray[Number], 1, "read"]
In2 = Annotated[npt.NDArray[Number], 2, "read"]
In3 = Annotated[npt.NDArray[Number], 3, "read"]
Out = Annotated[npt.NDArray[Number], 1, "write"]
Out2 = Annotated[npt.NDArray[Number], 2, "write"]
Out3 = Annotated[npt.NDArray[Number], 3, "write"]
Out4 = Annotated[npt.NDArray[Number], 4, "write"]


def _machine_type(annotation: Any) -> Any:
    """What numba calls a type that stands in a kernel's signature."""
    if annotation is None:
        return types.void
    if isinstance(annotation, type) and issubclass(annotation, tuple):  # a NamedTuple of these
        named_tuple: Any = types.NamedTuple
        return named_tuple([_machine_type(field) for field in annotation.__annotations__.values()], annotation)
    if get_origin(annotation) is Annotated:
        array, dimensions, use = get_args(annotation)
        (number,) = get_args(get_args(array)[1])
        return types.Array(numba.from_dtype(np.dtype(number)), dimensions, "C", readonly=use == "read")
    return numba.from_dtype(np.dtype(annotation))


def signature(function: Callable[..., Any]) -> Any:
    """The one signature of a kernel, from its annotations."""
    *arguments, returns = map(_machine_type, function.__annotations__.values())
    return returns(*arguments)


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
    """Where machine code is kept, or None where nothing can be written (kernels then compile in every process)."""
    folder = user_cache() / "kernels" / digest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):
        return None
    return folder


def _path(function: Callable[..., Any]) -> Path:
    return Path(os.path.abspath(function.__code__.co_filename))


class _Locator(caching._CacheLocator):
    """Numba's question "where does this function's machine code lie", answered for this project's kernels."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get_cache_path(self) -> str:
        return str(kernel_folder())

    def get_source_stamp(self) -> str:
        return digest()

    def get_disambiguator(self) -> str:
        return str(self._path.relative_to(ROOT)).replace(os.sep, ".")

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> "_Locator":
        return cls(_path(function))


_hook = threading.Lock()


@contextlib.contextmanager
def _located_here() -> Iterator[None]:
    """Numba asks `_Locator` alone while a kernel is compiled; others who use numba in this process keep their own."""
    with _hook:
        settings: Any = numba.config
        others, settings.CACHE_LOCATOR_CLASSES = settings.CACHE_LOCATOR_CLASSES, f"{__name__}._Locator"
        try:
            yield
        finally:
            settings.CACHE_LOCATOR_CLASSES = others


def _discard(function: Callable[..., Any]) -> None:
    """Remove what is kept of a function; numba's file names begin with the names of the file and the function."""
    folder, module = kernel_folder(), Path(function.__code__.co_filename).stem
    if folder is not None:
        for path in folder.glob(glob.escape(f"{module}.{function.__qualname__}-") + "*"):
            with contextlib.suppress(OSError):
                path.unlink()


def kernel(function: Function) -> Function:
    """Compile a function for the signature that its annotations give; it runs without the GIL.

    The machine code of this project's own kernels is kept between processes.
    """

    def compiled(*, kept: bool) -> Function:
        compile_for = numba.njit(signature(function), cache=kept, nogil=True, error_model="numpy")
        with _located_here():
            return cast(Function, compile_for(function))

    if kernel_folder() is None or _path(function) not in sources():
        return compiled(kept=False)
    try:
        return compiled(kept=True)
    except Exception:
        # Files cut short by a power cut, or a full disk. A fault of the kernel itself comes again below.
        _discard(function)
    try:
        return compiled(kept=True)
    except OSError:
        return compiled(kept=False)


def device(function: Function) -> Function:
    """Compile a function that only kernels call: LLVM inlines it, it has no cache of its own."""
    return cast(Function, numba.njit(nogil=True, error_model="numpy", inline="never")(function))
