"""What went wrong in a run and was survived: a line each in its folder."""

from pathlib import Path

from millrace.runs.json_lines import read_lines

MIXED = "another environment admitted"  # the kind of incident after which a run's bits may differ


def reproducible(incidents: Path) -> bool:
    """Whether every machine that computed for the run had its environment. incidents: the run's file of them."""
    return not any(line.get("kind") == MIXED for line in read_lines(incidents))
