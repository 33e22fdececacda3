"""What went wrong in a run and was survived: a line each in its folder."""

import json
from pathlib import Path

MIXED = "another environment admitted"  # the kind of incident after which a run's bits may differ


def reproducible(incidents: Path) -> bool:
    """Whether every machine that computed for the run had its environment. incidents: the run's file of them."""
    lines = incidents.read_text().splitlines() if incidents.is_file() else []
    return not any(json.loads(line)["kind"] == MIXED for line in lines)
