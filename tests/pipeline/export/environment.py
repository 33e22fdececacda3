"""The readers' environment: other tools, and an S3 server, as processes of their own."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-readers" / "bin" / "python"
SCRIPTS = ROOT / "tests" / "readers"
needed = pytest.mark.skipif(not PYTHON.exists(), reason="the readers' environment is missing: make readers")


def clean_environment(home: Path) -> dict[str, str]:
    """An environment without this project on the path, without a network, with a home of its own."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "TMPDIR")}
    return {**kept, "HOME": str(home), "HF_HOME": str(home / "hf"), "HF_HUB_OFFLINE": "1"}


@contextmanager
def s3_server(home: Path) -> Iterator[str]:
    """The address of an S3 server with a bucket `bucket`; it ends with the block."""
    command = [str(PYTHON), str(SCRIPTS / "s3_server.py")]
    environment = {**clean_environment(home), "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    with subprocess.Popen(
        command,
        cwd=home,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()
