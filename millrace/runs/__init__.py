"""A run's folder: who owns it, where its checkpoints, metrics and incidents lie."""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.runs.folder import CONFIG as CONFIG, RESULT as RESULT, RunFolder as RunFolder
    from millrace.runs.incidents import MIXED as MIXED, reproducible as reproducible
    from millrace.runs.journal import Journal as Journal, read_journal as read_journal
    from millrace.runs.journal_head import RunIdentity as RunIdentity
    from millrace.runs.journal_rows import (
        JournalRow as JournalRow,
        JournalRows as JournalRows,
        staleness as staleness,
        wrong_reads as wrong_reads,
    )
    from millrace.runs.json_lines import JsonLines as JsonLines, each_line as each_line, read_lines as read_lines
    from millrace.runs.mirror import CHECKPOINTS as CHECKPOINTS
    from millrace.runs.owner import Claim as Claim
    from millrace.runs.stages import (
        CHECKPOINT as CHECKPOINT,
        COMPUTE as COMPUTE,
        DATA as DATA,
        DRAW as DRAW,
        IDLE as IDLE,
        LEDGER as LEDGER,
        OTHERS as OTHERS,
        PUBLISH as PUBLISH,
        RECORD as RECORD,
        SEND as SEND,
        STAGES as STAGES,
        TRAINER as TRAINER,
        UPDATE as UPDATE,
        VALIDATE as VALIDATE,
        WAITING as WAITING,
        WARP as WARP,
        RoleTime as RoleTime,
        Spent as Spent,
        StageLine as StageLine,
        by_role as by_role,
        halted as halted,
        together as together,
    )
    from millrace.runs.working_copy import is_address as is_address
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
