"""The fingerprint names what computes here; differences are named in words."""

import numba
import numpy as np

from millrace.model.environment import differences, fingerprint


def test_the_fingerprint_names_everything_as_text() -> None:
    print_ = fingerprint()
    wanted = {"python", "machine", "libc", "numpy", "simd", "blas", "core", "numba", "llvm", "cpu"}
    assert set(print_) == wanted
    assert all(isinstance(value, str) and value for value in print_.values())
    assert print_["numpy"] == np.__version__
    assert print_["numba"] == numba.__version__
    assert fingerprint() == print_


def test_scipys_own_blas_does_not_change_it() -> None:
    before = fingerprint()
    import scipy.linalg  # noqa: F401  (loads a second OpenBLAS)

    assert fingerprint() == before


def test_differences_are_listed_by_name() -> None:
    a = {"numpy": "2.4.6", "cpu": "znver4", "blas": "openblas 1"}
    assert differences(a, dict(a)) == []
    assert differences(a, {"numpy": "2.4.1", "cpu": "znver4"}) == [
        "blas: openblas 1, not unknown",
        "numpy: 2.4.6, not 2.4.1",
    ]
