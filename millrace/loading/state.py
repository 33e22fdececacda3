"""The state of a stream: the number of its next step, and what the stream is known by."""

from collections.abc import Mapping
from typing import Any

from millrace.errors import UsageError
from millrace.values import whole

VERSION = 1


def state_of(step: int, identity: Mapping[str, object]) -> dict[str, Any]:
    """The state as plain values (int, str, float, list, dict, None), fit for JSON and for `torch.save`."""
    return {"step": step, "version": VERSION, "stream": dict(identity)}


def step_of(state: Any, identity: Mapping[str, object]) -> int:
    """The step that a state stands at, or a plain step number itself.

    Errors: UsageError for a state of another stream, naming what differs, and for what is no state.
    """
    if not isinstance(state, Mapping):
        return whole("the step", state, 0)
    if "step" not in state or not isinstance(state.get("stream"), Mapping) or state.get("version") != VERSION:
        raise UsageError(
            "this is no state of a stream",
            expected=f"what state() or state_dict() gave, version {VERSION}",
            got=f"keys {', '.join(map(str, state)) or 'none'}, version {state.get('version')}",
        )
    theirs = state["stream"]
    differs = [name for name in {**identity, **theirs} if theirs.get(name) != identity.get(name)]
    if differs:
        raise UsageError(
            f"the state belongs to another stream: {', '.join(differs)} differ",
            expected=", ".join(f"{name} {identity.get(name)}" for name in differs),
            got=", ".join(f"{name} {theirs.get(name)}" for name in differs),
            do="make the stream as it was when the state was taken; rank, world and how it is delivered may change",
        )
    return whole("the step of the state", state["step"], 0)
