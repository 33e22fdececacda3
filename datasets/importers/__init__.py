"""Importers: files of people's own, as they have them, understood as datasets.

Each importer is a module with `kind`, `claims(path)` and `survey(path, reading)`; `recognising` lists them.
"""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.datasets.importers.inventory import (
        Inventory as Inventory,
        Picture as Picture,
        Survey as Survey,
        shown_name as shown_name,
    )
    from millrace.datasets.importers.options import POLICY as POLICY, Reading as Reading
    from millrace.datasets.importers.path_spec import FORMAT as FORMAT, PathSpec as PathSpec, find_path as find_path
    from millrace.datasets.importers.remarks import worth_knowing as worth_knowing
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
