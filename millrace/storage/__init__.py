"""Files that survive: temporary, flushed, renamed; on a disk or on any filesystem that pyarrow knows; locks."""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.storage.disk_faults import faults as faults
    from millrace.storage.files import (
        flush_folder as flush_folder,
        is_temporary as is_temporary,
        remove as remove,
        rename as rename,
        sweep as sweep,
        temporary as temporary,
        write_folder as write_folder,
        write_whole as write_whole,
        whole_file as whole_file,
    )
    from millrace.storage.folder import HIDDEN as HIDDEN, Folder as Folder, Stat as Stat
    from millrace.storage.lock import holder as holder, holding as holding, locked as locked, try_lock as try_lock
    from millrace.storage.mounts import is_shared as is_shared
    from millrace.storage.processes import Process as Process, mapped_by as mapped_by
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
