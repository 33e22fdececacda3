"""A cache folder of its own for every test, and a server on 127.0.0.1."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.compiled import kernel_folder
from millrace.datasets import limits
from tests.datasets.server import Server, serving


@pytest.fixture(scope="session", autouse=True)
def kernels_stay() -> None:
    """The kernels' folder is chosen before a test has a cache of its own, in which all would be compiled again."""
    kernel_folder()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder; no test touches the user's, and no proxy stands between a test and its server."""
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "cache"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that end soon."""
    quick = {"CONNECT": 2, "READ": 2, "FLOOR": 1000, "WINDOW": 0.4, "ATTEMPTS": 2, "PAUSE": 0.01, "LONGEST_PAUSE": 0.02}
    for name, value in (quick | {"FILE": 20, "LOCK": 5}).items():
        monkeypatch.setattr(limits, name, value)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running
