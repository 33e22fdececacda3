"""Where a run's time went, as a picture: a bar for each role, cut into its stages, in the colours of its page."""

from html import escape

from millrace.reports.chart import Line, chart
from millrace.reports.words import percent
from millrace.runs import STAGES, StageLine

WIDTH, LEFT, BAR, GAP = 860, 110, 34, 12
NARROW = 0.06  # shares below have no room for a number

# The page's colour of each stage, and how dark: what belongs together looks so; waiting is grey.
LOOKS = {
    "draw": ("--c3", 0.55), "warp": ("--c3", 1.0), "ledger": ("--c3", 0.3), "compute": ("--c1", 1.0),
    "send": ("--c5", 1.0), "update": ("--c2", 1.0), "publish": ("--c2", 0.5), "data": ("--c6", 1.0),
    "others": ("--faint", 0.5), "trainer": ("--faint", 0.8), "validate": ("--c4", 1.0), "checkpoint": ("--c4", 0.5),
    "record": ("--c6", 0.5), "idle": ("--faint", 0.2),
}  # fmt: skip


def stage_bars(line: StageLine) -> str:
    """A figure: a bar for each role, a legend; what it shows is told to those who do not see it."""
    roles = list(line.roles)
    height = len(roles) * (BAR + GAP)
    told = "; ".join(f"{role}: {_told(line, role)}" for role in roles)
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(told)}">']
    used: dict[str, None] = {}
    for row, role in enumerate(roles):
        top, time = row * (BAR + GAP), line.roles[role]
        many = f" × {time.threads}" if time.threads > 1 else ""
        middle = top + BAR / 2 + 4
        parts.append(f'<text x="{LEFT - 8}" y="{middle:.1f}" text-anchor="end">{escape(role)}{many}</text>')
        place = float(LEFT)
        for name in (name for name in LOOKS if name in time.stages):
            share = time.share(name)
            width = share * (WIDTH - LEFT)
            if width >= 0.3:
                used[name] = None
                title = f"<title>{escape(STAGES[name])} {percent(share)}</title>"
                box = f'x="{place:.1f}" y="{top}" width="{width:.1f}" height="{BAR}" {_fill(name)}'
                parts.append(f"<rect {box}>{title}</rect>")
                if share >= NARROW:
                    dark = f'style="fill:{_ink(name)}" text-anchor="middle"'
                    parts.append(f'<text x="{place + width / 2:.1f}" y="{middle:.1f}" {dark}>{share:.0%}</text>')
            place += width
    parts.append("</svg>")
    legend = "".join(
        f'<li style="list-style:none"><svg viewBox="0 0 12 12" style="display:inline-block;width:.8em;height:.8em">'
        f'<rect width="12" height="12" {_fill(name)}/></svg> {escape(STAGES[name])}</li>'
        for name in LOOKS
        if name in used
    )
    style = "display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:.4rem 0;padding:0;font-size:.875rem"
    return f'<figure>{"".join(parts)}<ul style="{style}">{legend}</ul></figure>'


def over_time(lines: list[StageLine]) -> str:
    """A chart of the workers' largest shares over the steps; empty where there is one line or none."""
    held = [line for line in lines if line.steps and "worker" in line.roles]
    if len(held) < 2:
        return ""
    steps = [float(line.step + 1) for line in held]
    kinds = {
        "forward and backward": ("compute",),
        "making batches": ("draw", "warp", "ledger"),
        "waiting": ("data", "others", "trainer"),
        "update and publishing": ("update", "publish"),
    }
    colours = (1, 3, 6, 2)
    made = [
        Line(name, steps, [100 * line.roles["worker"].share(*stages) for line in held], colour)
        for (name, stages), colour in zip(kinds.items(), colours, strict=True)
    ]
    return chart("The workers' time", made, "step", "% of it")


def _fill(name: str) -> str:
    colour, opacity = LOOKS[name]
    return f'style="fill:var({colour});fill-opacity:{opacity}"'


def _ink(name: str) -> str:
    """Of a number inside: the paper's on what is dark, else the page's own."""
    return "var(--paper)" if LOOKS[name][1] >= 0.75 else "var(--ink)"


def _told(line: StageLine, role: str) -> str:
    time = line.roles[role]
    return ", ".join(f"{STAGES[name]} {percent(time.share(name))}" for name in time.stages)
