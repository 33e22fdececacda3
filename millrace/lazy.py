"""Front doors of packages: what a package shows, each name imported when it is first used.

A door lists its names once, as imports that only type checkers and editors carry out:

    if TYPE_CHECKING:
        from millrace.datasets.table import Dataset as Dataset, images as images
    else:
        __getattr__, __dir__, __all__ = door(__name__, __file__)

`X as X` marks a name as shown to others (PEP 484). So a package costs nothing until one of its names is used, and a
name that the door does not list is an error for type checkers too.
"""

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from millrace.extras import extras_named


def door(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of the package whose `__init__` is this file.

    AttributeError for a name that the door does not list.
    """
    homes: dict[str, str] = {}
    for branch in ast.parse(Path(file).read_bytes()).body:
        for node in branch.body if isinstance(branch, ast.If) else ():
            if isinstance(node, ast.ImportFrom):
                homes |= {alias.name: str(node.module) for alias in node.names}

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with extras_named():
            return getattr(import_module(homes[name]), name)

    return __getattr__, lambda: sorted(homes), sorted(homes)
