"""What is said where this process ends without a word of its own: Ray ends a driver at once when its node is lost."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

END = 10.0  # seconds for the other process to end
# It waits for its standard input to end. A byte before that means that all is well.
PROGRAM = "import sys\nif not sys.stdin.buffer.read(1): sys.stderr.write(sys.argv[1])"


@contextmanager
def last_words(text: str) -> Iterator[None]:
    """Have the text on standard error if this process ends within the block: by the system's `_exit`, which is how Ray
    ends it and which runs nothing of Python's, or by a SIGKILL. Another process says it, and ends with the block."""
    # -I and -S: nothing is imported that takes time. A session of its own: Ctrl-C is not for it.
    heir = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", PROGRAM, text], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield
    finally:
        with suppress(OSError, subprocess.TimeoutExpired):
            heir.communicate(b".", timeout=END)
