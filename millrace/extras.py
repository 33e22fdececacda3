"""Optional dependencies: which extra of this package brings which module, and the error that says so."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from millrace.errors import UsageError

# The top-level modules of what pyproject.toml lists as optional. A test holds both lists together.
EXTRAS: Mapping[str, str] = {
    "sklearn": "digits",
    "matplotlib": "pictures",
    "PIL": "pictures",
    "ray": "ray",
    "torch": "torch",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "scipy": "svhn",
}


class MissingExtra(UsageError, ImportError):
    """Something was asked for that needs an optional dependency which is not installed."""


def missing_extra(module: str) -> MissingExtra:
    """The error for an optional dependency that is not installed: a key of `EXTRAS`."""
    return MissingExtra(
        f"{module} is not installed",
        expected=f"the extra {EXTRAS[module]!r}",
        do=f"pip install 'millrace[{EXTRAS[module]}]'",
    )


def client_alone() -> MissingExtra:
    """The error where only the client of the service is installed (the distribution `millrace-client`)."""
    return MissingExtra(
        "millrace-client is installed, which is `millrace.connect` alone",
        expected="the whole of Millrace",
        do="pip uninstall millrace-client && pip install millrace",
    )


@contextmanager
def extras_named() -> Iterator[None]:
    """Around what may import an optional dependency, or as a decorator: one that is missing is named.

    Errors:
        MissingExtra: in the place of the ModuleNotFoundError of a module in `EXTRAS`, or of one of ours that
            `millrace-client` leaves out; any other error passes unchanged.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module == "millrace":
            raise client_alone() from error
        if module not in EXTRAS:
            raise
        raise missing_extra(module) from error
