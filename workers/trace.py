"""The trace of a run: the last stretches of each of its threads, as one file for a viewer of traces."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from millrace.errors import CheckpointError
from millrace.formats.trace_events import TraceEvent, encode
from millrace.runs import STAGES
from millrace.storage import faults, write_whole
from millrace.workers.clock import Stretch
from millrace.workers.events import Notice, Reporter

MOST = 400_000  # stretches of all threads; of each thread the last
WORDS = tuple(STAGES.values())


def write_trace(path: str | None, stretches: Mapping[str, Sequence[Stretch]], report: Reporter) -> None:
    """Write the file, whole or not at all; None: there is none to write. stretches: of each thread, by role and number
    (`worker-3`). What keeps it from being written ends no run: it is a notice."""
    if path is None:
        return
    each = MOST // max(len(stretches), 1)
    threads = {}
    for name, kept in sorted(stretches.items()):
        role, _, number = name.partition("-")
        last = list(kept)[-each:]
        threads[role, int(number or 0)] = [TraceEvent(WORDS[stage], begin, end) for stage, begin, end in last]
    target = Path(os.path.expanduser(path))
    try:
        with faults(f"the trace {target}", "cannot be written", CheckpointError):
            write_whole(target, encode(threads))
    except CheckpointError as error:
        report(Notice(str(error)))
