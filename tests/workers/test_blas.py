"""One BLAS thread: enforced, checked, given back."""

import pytest

from millrace.errors import TrainingError
from millrace.workers import blas


def test_one_thread_inside_and_as_before_outside() -> None:
    before = blas.blas_threads()
    assert before
    with blas.one_blas_thread():
        assert set(blas.blas_threads().values()) == {1}
    assert blas.blas_threads() == before


def test_a_blas_that_keeps_its_threads_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "blas_threads", lambda: {"libstubborn.so": 4})
    with pytest.raises(TrainingError, match="OPENBLAS_NUM_THREADS=1"), blas.one_blas_thread():
        pass


def test_two_threads_may_hold_it_and_the_last_lifts_it() -> None:
    before = blas.blas_threads()
    first, second = blas.one_blas_thread(), blas.one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(blas.blas_threads().values()) == {1}
    second.__exit__(None, None, None)
    assert blas.blas_threads() == before
