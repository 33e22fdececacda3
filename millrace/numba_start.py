"""Numba without SciPy: before it compiles anything, it imports SciPy's linear algebra to see whether it is there, which
takes longer than the rest of its start. Whether SciPy is installed can be seen without."""

import importlib.util
import sys
from typing import Any

ARRAYS = "numba.np.arraymath"  # the module that asks


def start_numba() -> None:
    """Have that asked now, in the cheap way; whoever else uses numba in this process finds it as it would be."""
    if ARRAYS in sys.modules:
        return
    try:
        linalg: Any = importlib.import_module("numba.np.linalg")
        asked = linalg.ensure_blas
    except (ImportError, AttributeError):
        return  # another numba, which starts as it does
    linalg.ensure_blas = _ensure_scipy
    try:
        arrays: Any = importlib.import_module(ARRAYS)
        arrays.ensure_blas = asked
    finally:
        linalg.ensure_blas = asked


def _ensure_scipy() -> None:
    if importlib.util.find_spec("scipy") is None:
        raise ImportError("scipy is not installed")
