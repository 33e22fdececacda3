"""Variables of the environment that Ray and its processes need, in this process's before Ray has threads.

The C library moves its list of variables where one is added, and frees the old one. Ray's threads read variables at
any time, and one that does so meanwhile ends the process with signal 11. Setting a variable that is there moves
nothing, and taking one away does not either.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Private: `ray.init` turns its token on by a variable, when it has threads. `test_private_ray` notices where it goes.
from ray._private.authentication import authentication_token_setup as ray_token

import millrace
from millrace.workers.ray_runtime.quiet import quiet

ROOT = Path(millrace.__file__).resolve().parents[1]  # the folder that this package is imported from
STAYS = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    # Ray adds these while it starts, and sets them to what it wants: they only have to be there.
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONBREAKPOINT": "",
}


@contextmanager
def variables(*, own: bool) -> Iterator[None]:
    """Set them; enter before any other thread begins, leave after `ray.shutdown`. May be entered again within.

    own: where Ray will be of this process's own, its processes inherit this environment, and this project has to be on
    their path. A runtime_env that says so would make every actor wait for an agent, and for a process that Ray has not
    started ahead.
    """
    for name, value in STAYS.items():
        os.environ.setdefault(name, value)
    if own:
        with quiet():
            ray_token.enable_token_auth_by_default()  # as `ray.init` does; nothing where RAY_AUTH_MODE is set
    with _set(_path() if own else {}):
        yield


def _path() -> dict[str, str]:
    rest = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part not in ("", str(ROOT))]
    return {"PYTHONPATH": os.pathsep.join([str(ROOT), *rest])}


@contextmanager
def _set(wanted: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
