"""Where a run's time went, as a page, and as a section of the run's report."""

from collections.abc import Sequence
from html import escape

from millrace.reports.page import facts, page, section, table
from millrace.reports.stage_bars import over_time, stage_bars
from millrace.reports.stalls import held_back, said
from millrace.reports.words import duration, in_arguments
from millrace.runs import StageLine

WHAT_IF = ["what if", "a step", "time", "error"]
ERROR = (
    '<p class="faint">By a simulation of the step, from what was measured of its parts. The error is by how much it '
    "misses the run as it was, and what it assumes may be off.</p>"
)


def profile_page(title: str, lines: Sequence[StageLine], whole: StageLine, answers: list[list[str]]) -> str:
    """The page, HTML. answers: rows of WHAT_IF, none where there is nothing to say."""
    head = f"<header><h1>{escape(title)}</h1>{facts(figures(whole))}</header>"
    asked = table(WHAT_IF, answers, label="what if") if answers else ""
    return page(
        title, head + section("By role", time_by_role(lines, whole)) + section("What if", asked, ERROR if asked else "")
    )


def time_by_role(lines: Sequence[StageLine], whole: StageLine) -> str:
    """What holds the run back, the bars, the shares over time."""
    sentence = in_arguments(held_back(whole))
    over = over_time(list(lines))
    chart = f'<div style="max-width:32rem">{over}</div>' if over else ""
    return f"<p>{escape(sentence[0].upper() + sentence[1:])}.</p>{stage_bars(whole)}{chart}"


def figures(whole: StageLine) -> list[tuple[str, str]]:
    """What was measured, and each role's time in words."""
    milliseconds = 1000 * whole.seconds / max(whole.steps, 1)
    measured = f"{whole.steps:,} steps in {duration(whole.seconds)}, {milliseconds:.2f} ms each"
    place = f"{whole.slots} slots of {whole.rows} samples a step, on {whole.cores} cores, {whole.runtime}"
    roles = [(role, f"{time.threads}: {said(whole, role)}") for role, time in whole.roles.items()]
    return [("measured", measured), ("place", place), *roles]
