"""The wheel `millrace-client`: of Millrace's own files those that `millrace.connect` imports, found by reading them."""

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parents[2]
# What users reach from a connected stream; `.torch()` imports the loaders of PyTorch late.
BEGIN = ("millrace", "millrace.service.client.connecting", "millrace.loading.tensors")


def file_of(module: str) -> Path | None:
    """The file of a module of Millrace; None where there is none of that name."""
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.exists()), None)


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(file_of(module).read_bytes())  # type: ignore[union-attr]


@cache
def door(package: str) -> dict[str, str]:
    """What the door of a package names, each with the module that it lies in: see millrace/lazy.py."""
    branches = [node for node in tree(package).body if isinstance(node, ast.If)]
    inner = [node for branch in branches for node in branch.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in inner for alias in node.names}


def imports(node: ast.AST) -> Iterator[ast.ImportFrom]:
    """The imports that are carried out, late ones too, but not those that type checkers alone see."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ImportFrom):
            yield child
        elif not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from imports(child)


def needed(module: str) -> Iterator[str]:
    """The modules of Millrace that one imports, those behind doors by their own names."""
    for node in imports(tree(module)):
        if (node.module or "").split(".")[0] == "millrace":
            named = door(str(node.module)) if file_of(str(node.module)).name == "__init__.py" else {}  # type: ignore[union-attr]
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield named.get(alias.name) or (inner if file_of(inner) else str(node.module))


def closure() -> set[str]:
    """All modules of the client, with the packages that they lie in."""
    found: set[str] = set()
    ahead = list(BEGIN)
    while ahead:
        module = ahead.pop()
        if module not in found:
            found.add(module)
            ahead += [*needed(module), module.rpartition(".")[0] or "millrace"]
    return found


MODULES = closure()
PACKAGES = sorted(module for module in MODULES if file_of(module).name == "__init__.py")  # type: ignore[union-attr]


class ClientModules(build_py):
    """Of each package the modules of the client alone."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        found = super().find_package_modules(package, package_dir)
        return [one for one in found if one[1] == "__init__" or f"{package}.{one[1]}" in MODULES]


[version] = [ast.literal_eval(node.value) for node in tree("millrace.version").body if isinstance(node, ast.Assign)]
os.chdir(Path(__file__).parent)
setup(
    version=version,
    packages=PACKAGES,
    package_dir={"": os.path.relpath(ROOT)},
    package_data={"millrace": ["py.typed"]},
    include_package_data=False,
    cmdclass={"build_py": ClientModules},
)
