"""Why an actor or a call of Ray failed, in one line that says it."""

from ray.exceptions import RayActorError, RayTaskError

# Ray keeps the reason, process and address of an actor's death in the text of its error alone: `ActorDiedError` drops
# the record that it was made from. Where the text has another form its first line is said, and `test_causes` fails.
DEAD = "The actor is dead because "


def cause_of(error: BaseException) -> BaseException:
    """What a task of Ray raised, or the error itself."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return cause if isinstance(cause, BaseException) else error


def why(error: BaseException) -> str:
    """The line of an error that says the cause; of an actor's death also its process and machine."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if not isinstance(error, RayActorError):
        return lines[0]
    if error.actor_init_failed:
        return f"it could not start: {lines[-1]}"  # the end of the traceback: its error
    fields = dict(line.split(": ", 1) for line in lines if line.startswith(("pid: ", "ip: ")))
    for line in lines:
        if line.startswith(DEAD):
            said = line.removeprefix(DEAD).split(" Some common causes")[0]
            return f"{said} (process {fields.get('pid', 'unknown')} at {fields.get('ip', 'an unknown address')})"
    return lines[0]
