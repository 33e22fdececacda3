"""What is done where this process ends without saying why: Ray ends a driver at once when its node is lost."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

END = 10.0  # seconds for the other process to end
# It waits for its standard input to end. A byte before that means that all is well.
PROGRAM = """
import os, sys
if not sys.stdin.buffer.read(1):
    sys.stderr.write(sys.argv[1])
    for process in map(int, sys.argv[2:]):
        try:
            os.kill(process, 9)
        except OSError:
            pass
"""


@contextmanager
def last_words(text: str, processes: Sequence[int] = ()) -> Iterator[None]:
    """Have the text on standard error and these processes killed if this one ends within the block: by the system's
    `_exit`, which is how Ray ends it and which runs nothing of Python's, or by a SIGKILL. Another process does so, and
    ends with the block."""
    # -I and -S: nothing is imported that takes time. A session of its own: Ctrl-C is not for it.
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, text, *map(str, processes)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        with suppress(OSError, subprocess.TimeoutExpired):
            other.communicate(b".", timeout=END)
