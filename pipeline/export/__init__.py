"""Export: the stream as files that others read. Knows no model and no Ray."""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.pipeline.export.explain import Explanation as Explanation, explain_row as explain_row
    from millrace.pipeline.export.options import ExportOptions as ExportOptions
    from millrace.pipeline.export.plan import ExportPlan as ExportPlan, make_plan as make_plan
    from millrace.pipeline.export.session import ExportSession as ExportSession, check_claimed as check_claimed
    from millrace.pipeline.export.source import Source as Source
    from millrace.pipeline.export.stored import StoredStream as StoredStream
    from millrace.pipeline.export.verify import (
        Damage as Damage,
        unknown_files as unknown_files,
        verify_joined as verify_joined,
        verify_shard as verify_shard,
    )
    from millrace.pipeline.export.writer import Done as Done, ShardWriter as ShardWriter
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
