"""The main job on the real thing: fetched over HTTP, trained by the program with its defaults."""

import functools
import http.server
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from millrace.user_cache import user_cache
from tests.conftest import share_kernels
from tests.workers.programs import ROOT, run

MIRROR = os.environ.get("MILLRACE_TEST_MIRROR", "")

pytestmark = [
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not MIRROR, reason="MILLRACE_TEST_MIRROR does not say where the real data lies"),
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing about it."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def mirror() -> Iterator[str]:
    """The mirror over real HTTP, wherever it lies."""
    if not MIRROR.startswith("file:"):
        yield MIRROR
        return
    handler = functools.partial(Quiet, directory=unquote(urlsplit(MIRROR).path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(30)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty, but for the machine code."""
    share_kernels(tmp_path / "cache" / "millrace", user_cache() / "kernels")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MILLRACE_CACHE", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def accuracy(output: str) -> float:
    """Percent, as the last line states it."""
    found = re.fullmatch(r"test accuracy (\d+\.\d+) %", output.splitlines()[-1])
    assert found, output
    return float(found[1])


def test_mnist_within_twenty_epochs(tmp_path: Path, mirror: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "run")
    output = run("train", "--dataset", "mnist", "--epochs", "20", "--mirror", mirror, "--out", folder, seconds=800)
    with capsys.disabled():
        print(f"\n[MNIST, 20 epochs: {output.splitlines()[-1]}]", end=" ")  # noqa: T201
    assert accuracy(output) >= 99.0
    # What is in the cache needs no mirror.
    assert accuracy(run("evaluate", folder, "--offline")) == accuracy(output)


def test_cifar10_jpeg75_as_a_dataset_of_ones_own(
    tmp_path: Path, mirror: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(ROOT / "datasets" / "examples" / "cifar10-jpeg75.yaml")
    output = run(
        *("train", "--dataset", file, "--mirror", mirror, "--out", str(tmp_path / "run"), "--epochs", "2"),
        *("--network.hidden", "1024", "512", "--batch", "256"),
        seconds=800,
    )
    with capsys.disabled():
        print(f"\n[CIFAR-10 (JPEG 75), 2 epochs: {output.splitlines()[-1]}]", end=" ")  # noqa: T201
    assert accuracy(output) >= 35.0
