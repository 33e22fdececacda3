"""The house rules that no tool checks: imports run downhill, kernels are pure, files and functions stay small.

Everything here reads the sources; only the front doors are imported.
"""

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import millrace
from millrace import compiled
from millrace.settings import keys, layers

ROOT = Path(millrace.__file__).parent  # rooms that the repository shows at its top are links in this folder
PACKAGES = (
    "commands",
    "datasets",
    "formats",
    "library",
    "loading",
    "model",
    "pipeline",
    "reports",
    "runs",
    "service",
    "settings",
    "storage",
    "workers",
)

# Each floor and the floors it may import from. `ray` stands for the library; it has a floor of its own in workers.
FOUNDATION = {
    "lazy", "errors", "arguments", "extras", "user_cache", "values", "fields", "yaml_text", "version", "compiled",
    "numba_start", "elementary", "counters", "labels", "cores", "columns",
}  # fmt: skip
ROOMS = {"storage", "formats", "datasets", "pipeline", "loading", "service", "model", "runs", "workers", "reports"}
BELOW: dict[str, set[str]] = {
    "errors": set(),
    "arguments": {"errors"},
    "extras": {"errors"},
    "lazy": {"errors", "extras"},
    "user_cache": set(),
    "cores": set(),
    "columns": set(),
    "version": set(),
    "values": {"errors"},
    "fields": {"errors", "values"},
    "yaml_text": {"errors"},
    "numba_start": set(),
    "compiled": {"errors", "numba_start", "user_cache"},
    "elementary": {"compiled", "errors", "numba_start", "user_cache"},
    "counters": {"compiled", "errors", "numba_start", "user_cache"},
    "labels": {"errors"},
    "storage": FOUNDATION,
    "formats": FOUNDATION,
    "datasets": FOUNDATION | {"storage", "formats"},
    "model": FOUNDATION | {"storage"},
    "pipeline": FOUNDATION | {"storage", "formats", "datasets"},
    "loading": FOUNDATION | {"storage", "formats", "datasets", "pipeline"},
    "service": FOUNDATION | {"storage", "formats", "datasets", "pipeline", "loading", "model", "runs", "reports"},
    "runs": FOUNDATION | {"storage", "model"},
    "reports": FOUNDATION | {"storage", "formats", "datasets", "pipeline", "model", "runs"},
    "workers": FOUNDATION | {"storage", "formats", "datasets", "pipeline", "model", "runs"},
    "settings": FOUNDATION | ROOMS,
    "library": FOUNDATION | ROOMS | {"settings"},
    "__init__": FOUNDATION | ROOMS | {"settings", "library"},
    "commands": FOUNDATION | ROOMS | {"settings", "library"},
    "__main__": FOUNDATION | ROOMS | {"settings", "library", "commands"},
}

# Modules that the command line needs to answer `--help`: the standard library alone.
QUICK = (
    "errors", "user_cache", "values", "fields", "datasets", "pipeline", "pipeline.policy", "pipeline.export.options",
    "model", "model.options", "workers", "workers.job", "workers.events", "settings.keys", "settings.layers",
    "settings.flags", "reports", "commands", "commands.main",
)  # fmt: skip
HEAVY = {"yaml", "numpy", "numba", "scipy", "pyarrow", "ray", "sklearn", "matplotlib", "PIL", "requests", "safetensors"}


@cache
def sources() -> tuple[Path, ...]:
    found = [*ROOT.glob("*.py"), *(path for package in PACKAGES for path in (ROOT / package).glob("**/*.py"))]
    return tuple(sorted(found))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def floor(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, wherever it stands; ours without "millrace.", relative ones with a dot."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.removeprefix("millrace.")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "millrace":
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "").removeprefix("millrace.")


def test_every_floor_is_known() -> None:
    assert {floor(path) for path in sources()} == set(BELOW)


def test_the_floors_have_no_circle() -> None:
    for below in BELOW.values():
        for other in below:
            assert BELOW[other] <= below, f"{other} imports what is not below"


def test_imports_run_downhill() -> None:
    uphill = {
        f"{name(path)} imports {module}"
        for path in sources()
        for _, module in imports(path)
        if module.startswith(".")
        or (module.split(".")[0] in BELOW and module.split(".")[0] not in BELOW[floor(path)] | {floor(path)})
    }
    assert not uphill


def test_ray_has_one_folder() -> None:
    home = ROOT / "workers" / "ray_runtime"
    outside = [
        f"{name(path)}:{line}"
        for path in sources()
        for line, module in imports(path)
        if module.split(".")[0] == "ray" and not path.is_relative_to(home)
    ]
    assert outside == []
    # And whoever imports that folder does it late, inside of a function.
    for path in sources():
        if not path.is_relative_to(home):
            top = [node for node in tree(path).body if isinstance(node, ast.ImportFrom)]
            assert not any((node.module or "").startswith("millrace.workers.ray_runtime") for node in top), name(path)


def test_what_help_needs_is_quick_to_import() -> None:
    modules = [f"millrace.{module}" for module in QUICK]
    code = f"import sys\nfor module in {modules!r}: __import__(module)\nprint(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT.parent, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")


FRONT_DOORS = sorted(
    ".".join(("millrace", *path.relative_to(ROOT).parent.parts))
    for path in sources()
    if path.name == "__init__.py" and "door(__name__" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("package", FRONT_DOORS)
def test_a_front_door_opens_to_all_it_names(package: str) -> None:
    door: ModuleType = importlib.import_module(package)
    assert len(set(door.__all__)) == len(door.__all__)
    for public in door.__all__:
        assert getattr(door, public) is not None
        # A module of that name would hide it, from the moment when it is imported.
        folder = Path(str(door.__file__)).parent
        assert not {public, f"{public}.py"} & {path.name for path in folder.iterdir()}
    assert set(door.__all__) <= set(dir(door))
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = door.nothing_of_that_name


# Ray's folder has no door: who imports it does so late, and from the file that is meant.
INNER = ("workers.ray_runtime",)
COLLECTIONS = {"commands", "formats", "library", "loading", "reports", "service", "settings"}


def test_no_front_door_is_walked_round() -> None:
    """What a room takes from another one that has a door, it takes from there; only a room's own files know the others.

    Rooms without a door are collections of modules, entered by the file's name: ARCHITECTURE.md says why.
    """
    assert {package for package in PACKAGES if f"millrace.{package}" not in FRONT_DOORS} == COLLECTIONS
    doors = {door.removeprefix("millrace."): importlib.import_module(door).__all__ for door in FRONT_DOORS[1:]}
    rooms = {door.split(".")[0] for door in doors}
    walked_round = []
    for path in sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and path != ROOT / "__init__.py":
                module = (node.module or "").removeprefix("millrace.")
                other = module.split(".")[0] in rooms - {floor(path)} and not module.startswith(INNER)
                if other and not {alias.name for alias in node.names} <= set(doors.get(module, ())):
                    walked_round.append(f"{name(path)}:{node.lineno} {ast.unparse(node)}")
    assert walked_round == []


def test_chance_comes_from_counters_alone() -> None:
    for path in sources():
        modules = [module for _, module in imports(path)]
        assert not {"random", "numpy.random"} & set(modules), name(path)
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and node.attr == "random":
                assert ast.unparse(node.value) not in ("np", "numpy"), f"{name(path)}:{node.lineno}"


def test_nothing_is_unpickled() -> None:
    unsafe = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    for path in sources():
        assert not unsafe & {module.split(".")[0] for _, module in imports(path)}, name(path)
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.unparse(node.value) == "False", f"{name(path)}:{node.value.lineno}"


def test_only_commands_print_and_only_tests_assert() -> None:
    for path in sources():
        for node in ast.walk(tree(path)):
            assert not isinstance(node, ast.Assert), f"{name(path)}:{node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                assert floor(path) == "commands", f"{name(path)}:{node.lineno}"


# Where a command line is written as such: for a terminal, or into a file for one.
COMMAND_LINES = (
    "library/variants.py",
    "library/reporting.py",
    "reports/loading_recipes.py",
    "workers/ray_runtime/session.py",
    "service/place.py",
)


def test_the_library_speaks_of_arguments() -> None:
    """Flags are words of the command line: elsewhere a message says `out`, and commands/wording.py makes it --out."""
    flags = {layers.flag(key) for key in keys.known_keys()} | {"--format", "--precision", "--shard-rows", "--tta"}
    found = []
    for path in sources():
        if floor(path) not in ("commands", "settings") and name(path) not in COMMAND_LINES:
            nodes = list(ast.walk(tree(path)))
            docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
            for node in nodes:
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                    said = set(re.findall(r"(?<![\w-])--[a-z][a-z.-]*", node.value)) & flags
                    foreign = "ray start" in node.value or "ray job" in node.value
                    found += [f"{name(path)}:{node.lineno} {word}" for word in said if not foreign]
    assert found == []


def test_files_are_small() -> None:
    beside = [path for room in ("benchmarks", "make", "examples", "tests") for path in (ROOT / room).rglob("*.py")]
    lines = {name(path): path.read_text(encoding="utf-8").count("\n") for path in (*sources(), *beside)}
    assert {path: count for path, count in lines.items() if count > 300} == {}


def test_functions_are_small() -> None:
    """At most 40 lines, not counting the docstring."""
    large = []
    for path in sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                text = node.body[0] if ast.get_docstring(node) is not None else None
                length = (text.end_lineno or 0) - text.lineno + 1 if text else 0
                lines = (node.end_lineno or 0) - node.lineno + 1 - length
                if lines > 40:
                    large.append(f"{name(path)}:{node.lineno} {node.name}: {lines} lines")
    assert large == []


COMPILERS = ("kernel", "device", "shared")  # the decorators of machine code


def decorators(node: ast.FunctionDef) -> set[str]:
    calls = [item.func if isinstance(item, ast.Call) else item for item in node.decorator_list]
    return {ast.unparse(call) for call in calls}


def test_numba_is_used_through_our_rules_alone() -> None:
    """No fastmath and no parallel loops: both change bits. Only the files with the rules import numba."""
    users = {name(path) for path in sources() if "numba" in {module.split(".")[0] for _, module in imports(path)}}
    assert users <= {"compiled.py", "elementary.py", "model/environment.py"}
    for path in sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.keyword):
                assert node.arg not in ("fastmath", "parallel"), f"{name(path)}:{node.value.lineno}"


def origins(path: Path) -> dict[str, str]:
    """The names that a file imports from files of this project, and the module each comes from."""
    found: dict[str, str] = {}
    for node in tree(path).body:
        if isinstance(node, ast.ImportFrom) and node.module == "millrace":
            found |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("millrace."):
            found |= {a.asname or a.name: (node.module or "").removeprefix("millrace.") for a in node.names}
    return found


def test_what_kernels_use_counts_in_their_digest() -> None:
    """A function or a number that a kernel takes from a file whose text is not part of the digest would change without
    the kernel being compiled again."""
    counted = {name(path).removesuffix(".py").replace("/", ".") for path in compiled.sources()} | {"compiled"}
    kernels = 0
    for path in sources():
        known = origins(path)
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and decorators(node) & set(COMPILERS):
                kernels += 1
                assert path in compiled.sources(), name(path)
                used = {item.id for item in ast.walk(node) if isinstance(item, ast.Name)} & set(known)
                assert {known[item] for item in used} <= counted, f"{name(path)}:{node.lineno} {node.name}"
    assert kernels > 20


def test_options_are_frozen() -> None:
    """Every dataclass whose name ends in Options, Config, Policy, Job or Place cannot be changed after its checks."""
    for path in sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef) and node.name.endswith(("Options", "Config", "Policy", "Job", "Place")):
                for item in node.decorator_list:
                    if "dataclass" in ast.unparse(item):
                        assert "frozen=True" in ast.unparse(item), f"{name(path)}:{node.lineno}"


def test_no_class_name_stands_twice() -> None:
    """One word for one thing: whoever reads a class's name knows which one is meant."""
    found: dict[str, list[str]] = {}
    for path in sources():
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(name(path))
    assert {word: places for word, places in found.items() if len(places) > 1} == {}
