"""A home of their own for all tests: nothing is read from the user's folders or written to them but machine code."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from millrace.user_cache import user_cache

ROOT = Path(__file__).parents[1]
FOLDERS = {"XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "data", "XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "cache"}

SHARED = "a shared Ray"


def share_kernels(cache: Path, kernels: Path) -> None:
    """Make the kernels' folder of a cache a link to one that lives on, where links can be made."""
    cache.mkdir(parents=True, exist_ok=True)
    try:
        kernels.mkdir(parents=True, exist_ok=True)
        (cache / "kernels").symlink_to(kernels, target_is_directory=True)
    except OSError:
        return  # a cache that cannot be shared: the programs that tests start compile again


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Hands whole files to the test processes, so that the fixtures of a module are made once.

    The first process begins with the files on Ray, the others with all the rest: a Ray takes much of a machine, so two
    run at once only where nothing else is left to do. Files that share a Ray are one piece, for one process.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return SHARED if _needs(file)[1] else file

    def _assign_work_unit(self, node: Any) -> None:
        ray_first = node is self.nodes[0]
        for scope in self.workqueue:
            if (scope == SHARED or _needs(scope)[0]) == ray_first:
                self.workqueue.move_to_end(scope, last=False)
                break
        super()._assign_work_unit(node)


@functools.cache
def _needs(file: str) -> tuple[bool, bool]:
    """Whether a file has tests on Ray; whether on one that other files use too."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return "pytest.mark.ray" in text, "shared_ray" in text or "cluster: Head" in text


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    """What `--dist loadfile` asks for is our way of it; all else is as xdist has it."""
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def home_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """HOME, the XDG folders and MILLRACE_CACHE in a temporary folder, for this process and the ones it starts.

    Compiling all kernels takes longer than all fast tests: their folder stays the user's, whose names are digests
    of the sources, so what lies there cannot be wrong. So do matplotlib's lists of fonts.
    """
    home, kernels = tmp_path_factory.mktemp("home"), user_cache() / "kernels"
    fonts = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "matplotlib"
    share_kernels(home / "millrace", kernels)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("MILLRACE_") and name != "MILLRACE_TEST_MIRROR"]:
            patch.delenv(name)
        if "MPLCONFIGDIR" not in os.environ:
            patch.setenv("MPLCONFIGDIR", str(fonts))
        for name, folder in FOLDERS.items():
            patch.setenv(name, str(home / folder))
        patch.setenv("HOME", str(home))
        patch.setenv("MILLRACE_CACHE", str(home / "millrace"))
        yield home
