"""The exception tree: every error says what went wrong, what was expected, what came, and what to do."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeVar


class MillraceError(Exception):
    """A fault that the user can understand and act on.

    `what` names the thing; `expected`, `got` and `do` complete the message. The command line prints
    the message without a traceback and leaves with `exit_code`.
    """

    exit_code = 1

    def __init__(self, what: str, *, expected: object = None, got: object = None, do: str | None = None) -> None:
        self.what, self.expected, self.got, self.do = what, expected, got, do
        lines = [what]
        if expected is not None:
            lines.append(f"  expected: {expected}")
        if got is not None:
            lines.append(f"  got:      {got}")
        if do is not None:
            lines.append(f"  do:       {do}")
        super().__init__("\n".join(lines))

    def within(self, context: str) -> Self:
        """The same error, its first line led by where it happened: `recipes/a.yaml: unknown key 'epoch'`."""
        return type(self)(f"{context}: {self.what}", expected=self.expected, got=self.got, do=self.do)

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders (Ray) with their keyword arguments intact."""
        return _rebuild, (type(self), self.what, self.expected, self.got, self.do)


def _rebuild(kind: type[MillraceError], what: str, expected: object, got: object, do: str | None) -> MillraceError:
    return kind(what, expected=expected, got=got, do=do)


class UsageError(MillraceError):
    """The command, an option or a configuration file asks for something impossible (exit code 2)."""

    exit_code = 2


class OptionError(UsageError):
    """The value of one option is of the wrong type, out of range or no known name.

    key: the name of the option, dotted where it lies in a group; problem: what is wrong with its value; context: where
    it was set, for the message."""

    def __init__(
        self,
        key: str,
        problem: str = "",
        *,
        expected: object = None,
        got: object = None,
        do: str | None = None,
        context: str = "",
    ) -> None:
        self.key, self.problem, self.context = key, problem, context
        super().__init__(f"{context}{key} {problem}".rstrip(), expected=expected, got=got, do=do)

    def within(self, context: str) -> Self:
        return self._but(context=f"{context}: {self.context}")

    def inside(self, group: str) -> Self:
        """The same error of the option in a group: `rate` → `optimizer.rate`."""
        return self._but(key=f"{group}.{self.key}")

    def set_by(self, source: str) -> Self:
        """The same error, saying who set the value."""
        return self._but(problem=f"{self.problem} (set by {source})")

    def _but(self, **changed: str) -> Self:
        return _rebuild_option(type(self), {**self.__dict__, **changed})

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_option, (type(self), dict(self.__dict__))


Option = TypeVar("Option", bound=OptionError)


def _rebuild_option(kind: type[Option], known: Mapping[str, Any]) -> Option:
    return kind(**{name: known[name] for name in ("key", "problem", "expected", "got", "do", "context")})


class DataError(MillraceError):
    """A dataset cannot be had or is not what it should be."""


class DownloadError(DataError):
    """No mirror gave the file: network, server, speed or deadline."""


class IntegrityError(DataError):
    """Bytes arrived, but their size or digest is wrong."""


class FormatError(DataError):
    """Verified bytes do not decode: magic, shape, trailing bytes, archive members."""


class CheckpointError(MillraceError):
    """A checkpoint or run folder is damaged or belongs to something else."""


class MismatchError(CheckpointError):
    """A checkpoint is whole, but of another dataset or another model."""


class TakenOverError(CheckpointError):
    """Another driver has taken the run over; this one must not write to it any more."""


class ReportError(MillraceError):
    """The report of a run cannot be written; the run that it would show is whole."""


class TrainingError(MillraceError):
    """Training cannot go on: a loss that is not a number, a lost worker that cannot be replaced."""


class Diverged(TrainingError):
    """A loss, a gradient or a weight is not finite. It would be so again: the same seed ends at the same
    step; a stale run near it, or where its updates come in another order perhaps not at all."""


class ServiceError(MillraceError):
    """A server refuses, fails, or is not the one that was meant; the message says what it told."""


class DeadlineError(MillraceError):
    """Something was waited for longer than it may take; the message says what and what to change."""


def unknown_name(kind: str, name: str, known: Iterable[str], *, do: str | None = None) -> UsageError:
    """The error for a name that is not in a table, with the nearest known name as a suggestion."""
    names = sorted(known)
    return UsageError(
        f"unknown {kind} {name!r}", expected=", ".join(names), got=repr(name), do=did_you_mean(name, names) or do
    )


def unknown_option(key: str, name: str, known: Iterable[str]) -> OptionError:
    """`unknown_name` for the value of an option."""
    names = list(known)
    return OptionError(
        key, f"{name!r} is unknown", expected=", ".join(names), got=repr(name), do=did_you_mean(name, names)
    )


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The suggestion of the nearest known name, None where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"did you mean {near[0]!r}?" if near else None
