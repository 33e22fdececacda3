"""How long a step takes on many nodes: constants measured, a model of them checked against real runs, and drawn.

    python -m benchmarks.scaling constants            # measure them
    python -m benchmarks.scaling check [--nodes 4 8]  # real runs on simulated nodes behind cards, beside the model
    python -m benchmarks.scaling draw                 # the pictures, and the table of what was checked

What was found stands in scaling.json beside this file, the pictures in docs/pictures; the page is scaling.md. It takes
Linux, `unshare`, `ip` and `tc`.
"""

import argparse
import dataclasses
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.cards import FAST, Cards, cluster, go_inside
from benchmarks.results import machine, today
from benchmarks.scaling_model import Constants, phases, seconds
from benchmarks.scaling_runs import SMALL, Run, measured

FOUND = Path(__file__).with_suffix(".json")
PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
CORES = 2
RUNS = [
    Run(2),
    Run(4),
    Run(8),
    Run(3, 3),
    Run(4, 3),
    Run(8, 3),
    Run(4, 1, wire="bfloat16"),
    Run(4, 1, wire="int8"),
    Run(4, 3, wire="int8"),
    Run(4, 1, SMALL, rate="300mbit"),
    Run(8, 3, SMALL, rate="300mbit"),
    Run(1, 1, rate=FAST),
    Run(2, 1, rate=FAST),
    Run(4, 1, rate=FAST),
    Run(4, 3, rate=FAST),
    Run(8, 1, rate=FAST),
    Run(2, 1, staleness="1"),
    Run(4, 1, staleness="unbounded"),
]


def read() -> dict[str, Any]:
    """What was found until now."""
    return json.loads(FOUND.read_text()) if FOUND.exists() else {}


def constants() -> Constants:
    """As they were measured."""
    return Constants(**read()["constants"])


def keep(**what: Any) -> None:
    """Add to what was found."""
    FOUND.write_text(json.dumps(read() | what, indent=1) + "\n")


def check(nodes: list[int], only: str, count: int) -> None:
    """Run what has so many nodes, and this text in its name, and keep the seconds."""
    cards = Cards(max(nodes))
    for workers in nodes:
        with cluster(cards, workers) as address:
            for run in RUNS:
                if run.workers == workers and only in run.name:
                    found = measured(run, address, cards, count)
                    keep(runs=read().get("runs", {}) | {run.name: found})
                    print(line(run, found), flush=True)


def line(run: Run, found: list[float]) -> str:
    """A row of the table, with the model's seconds and its error."""
    said, middle = seconds(run.setting(CORES), constants()), statistics.median(found)
    spread = f"{min(found):.3f} to {max(found):.3f}"
    return f"| {run.name} | {said:.3f} | {middle:.3f} | {spread} | {100 * (said / middle - 1):+.0f} % |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["constants", "check", "draw"])
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 3, 4, 8], help="sizes of the clusters")
    parser.add_argument("--only", default="", help="runs that have this text in their names")
    parser.add_argument("--count", type=int, default=12, help="steps of a run that are measured")
    options = parser.parse_args()
    if options.what == "draw":
        from benchmarks.scaling_picture import costs, draw

        runs, known = read().get("runs", {}), constants()
        checked = {run: runs[run.name] for run in RUNS if run.name in runs}
        for run, found in checked.items():
            print(line(run, found))
            said = phases(run.setting(CORES), known)
            print("   ", ", ".join(f"{name} {value:.3f}" for name, value in said.items()), file=sys.stderr)
        draw({run.name: (seconds(run.setting(CORES), known), found) for run, found in checked.items()}, known, PICTURES)
        print(*(f"| {' | '.join(row)} |" for row in costs(known)), sep="\n")
        return
    go_inside("benchmarks.scaling")
    if options.what == "check":
        check(options.nodes, options.only, options.count)
        return
    from benchmarks.scaling_constants import measure

    made = measure()
    keep(constants=dataclasses.asdict(made), machine=machine(), date=today())
    print(json.dumps(dataclasses.asdict(made), indent=1))


if __name__ == "__main__":
    main()
