"""Ray's own lines on the terminal are about its internals; what concerns the user is said by this project."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# Private: Ray prints what it hears of lost nodes to standard output, where `--json` puts its records, and has no
# public way to say it elsewhere. `test_private_ray` notices where it goes.
from ray._private import worker as ray_worker

LEVEL = b"Set ray log level from environment variable"


@contextmanager
def quiet() -> Iterator[None]:
    """Connect to Ray within the block, and within `variables`: it says nothing then, nor later."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    ray_worker.print_to_stdstream = _log
    # Its part in C++ announces that level on standard error before it follows it: the block's lines are kept, and said
    # after it without this one.
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        stderr = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            kept.seek(0)
            os.write(2, b"".join(line for line in kept if LEVEL not in line))


def _log(data: object, ignore_prefix: bool) -> None:
    logging.getLogger("ray").info("%s", data)
