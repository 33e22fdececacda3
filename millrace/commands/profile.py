"""`millrace profile`: where the time of a run went."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from millrace.commands.screen import Screen
from millrace.commands.wording import in_flags
from millrace.library import finding
from millrace.library.profiling import read_profile, write_profile
from millrace.reports.profile_page import figures
from millrace.reports.words import short
from millrace.settings import flags


@dataclass(frozen=True)
class ProfileOptions:
    """Say where the time of a run's steps went, role by role, and what holds it back; profile.html in the run's folder
    shows it as a picture. The run need not be finished."""

    run: str = flags.positional(
        "RUN", "folder or address of the run, its name in the data folder, or latest", required=True
    )
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Print the shares and write the page. Errors: UsageError where the run has none."""
    options, _ = flags.parse("profile", ProfileOptions, arguments)
    screen = Screen(as_json=options.json)
    folder = finding.open_folder(options.run)
    profile = read_profile(folder)
    path = write_profile(folder, profile)
    held_back, asked = in_flags(profile.held_back), profile.simulated
    screen.record(
        steps=profile.whole.steps,
        seconds_per_step=profile.seconds_per_step,
        shares=profile.shares,
        held_back=held_back,
        what_if=[asdict(answer) for answer in asked.answers] if asked else [],
        file=path,
    )
    screen.facts(*figures(profile.whole))
    screen.say()
    screen.say(held_back, style="bold")
    if asked is not None:
        screen.say()
        screen.say("what if", style="dim")
        for what, step, change, error in asked.rows:
            screen.say(f"  {what:<24}{step:>10} a step: {change}, {error}")
        screen.say(
            "  by a simulation; ± is by how much it misses the run as it was, and what it assumes may be off",
            style="dim",
        )
    elif profile.whole.stale:
        screen.say("what if: no answers for a stale run, whose workers wait for nobody", style="dim")
    screen.say()
    screen.facts(("picture", short(path)))
    return 0
