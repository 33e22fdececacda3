"""All benchmarks, or some: `make bench`, `make bench ONLY=warp,stream`; `make bench-quick` for whether they run.

    python -m benchmarks.run [--only warp,stream] [--quick] [--add] [--out FOLDER] [--mirror URL]
    python -m benchmarks.run --draw

Each part is a process of its own and says first how many minutes it takes, and last how many of its medians lie within
the spread of what FOLDER (benchmarks/) had before. What it found stands there in results.json, in the place of what
that part found before, or beside it with --add; results.md and results.svg are made of it anew, in benchmarks/ also the
README's table. --draw makes these of a results.json that is there, and measures nothing.
"""

import argparse
import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks import comparison, picture, processes, results, summary, table
from benchmarks.rounds import Effort, has_mnist

# Minutes on two cores; `rows(effort)` of the module of that name measures.
PARTS = {
    "warp": 4,
    "stream": 8,
    "loop": 4,
    "training": 9,
    "accuracy": 10,
    "ray": 6,
    "resume": 6,
    "export": 5,
    "growth": 2,
}
QUICK_SECONDS = 100.0
PACKAGES = (
    *("millrace", "numpy", "numba", "pyarrow", "scipy", "opencv-python-headless", "torch", "torchvision", "kornia"),
    *(
        "albumentations",
        "grain",
        "jax",
        "dm_pix",
        "tensorflow-cpu",
        "scikit-learn",
        "ray",
        "torchdata",
        "accelerate",
        "litdata",
        "datasets",
        "webdataset",
    ),
)


def measure(name: str, effort: Effort) -> results.Part:
    """Measure a part in this process."""
    begun = time.monotonic()
    rows = list(import_module(f"benchmarks.{name}").rows(effort))
    taken = time.monotonic() - begun
    return results.Part(
        rows, results.machine(), results.today(), results.versions(PACKAGES), taken, images(effort.mirror)
    )


def images(mirror: str | None) -> str:
    """What has to be said of the images."""
    return "" if has_mnist(mirror) else "Without MNIST: noise of its shape."


def in_a_process(name: str, given: argparse.Namespace, folder: Path) -> str:
    """Measure a part in a process of its own and put it among the results; why that failed, or nothing."""
    aside = folder / f"{name}.part.json"
    command = [sys.executable, "-m", "benchmarks.run", "--measure", name, "--out", str(aside)]
    command += ["--quick"] * given.quick + (["--mirror", given.mirror] if given.mirror else [])
    limit = QUICK_SECONDS if given.quick else 180.0 * PARTS[name] + 120
    process = subprocess.Popen(command)
    try:
        code = process.wait(limit)
        if code:
            return f"{name} ended with exit code {code}"
        (now,) = results.read(aside)[name]
    except subprocess.TimeoutExpired:
        return f"{name} was ended after {limit / 60:.0f} minutes"
    finally:
        processes.end(process)
        aside.unlink(missing_ok=True)
    there = results.read(folder / "results.json")
    before = there.get(name, [])
    both = {**there, name: [*before, now] if given.add else [now]}
    results.write(folder / "results.json", {part: both[part] for part in PARTS if part in both})
    print(table.markdown({name: now}), flush=True)
    if before and not given.quick:
        print(comparison.text(name, results.joined(before), now) + "\n", flush=True)
    return ""


def unlike(name: str, given: argparse.Namespace) -> str:
    """Why a run of a part cannot be added to those that are there, or nothing."""
    here = (results.machine(), results.versions(PACKAGES), images(given.mirror))
    for run in results.read(given.out / "results.json").get(name, []):
        for was, now in zip((run.machine, run.versions, run.images), here, strict=True):
            if was != now:
                return f"--add: expected what {name} was measured with before, {was}; got {now}; leave out --add"
    return ""


def draw(folder: Path) -> None:
    """The table and the picture of what was found; of our own folder the README's table too."""
    found = {name: results.joined(runs) for name, runs in results.read(folder / "results.json").items()}
    (folder / "results.md").write_text(table.markdown(found), encoding="utf-8")
    picture.draw(found, folder / "results.svg")
    if folder.resolve() == Path(__file__).parent and found:
        summary.insert(folder.parent / "README.md", found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of: {', '.join(PARTS)}; with commas between")
    parser.add_argument("--quick", action="store_true", help="small sizes, once: whether they run; no figure counts")
    parser.add_argument("--add", action="store_true", help="keep the runs that are there, of the same machine")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="the folder of the results")
    parser.add_argument("--mirror", default=os.environ.get("MILLRACE_TEST_MIRROR"), help="where MNIST lies")
    parser.add_argument("--draw", action="store_true", help="measure nothing: table and picture of what was found")
    parser.add_argument("--measure", choices=list(PARTS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        results.write(given.out, {given.measure: [measure(given.measure, Effort(given.quick, given.mirror))]})
        return 0
    chosen = [name for name in given.only.split(",") if name]
    if unknown := [name for name in chosen if name not in PARTS]:
        parser.error(f"--only: unknown {', '.join(unknown)}; expected some of: {', '.join(PARTS)}")
    given.out.mkdir(parents=True, exist_ok=True)
    results.read(given.out / "results.json")  # one of another format is refused before minutes are spent
    if given.draw:
        draw(given.out)
        return 0
    for why in (unlike(name, given) for name in chosen if given.add):
        if why:
            parser.error(why)
    # Most parts start processes in every turn: whose modules have to be compiled anew would differ by that alone.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    minutes = sum(PARTS[name] for name in chosen)
    print(f"{', '.join(chosen)}: about {'a minute' if given.quick else f'{minutes} minutes'}", flush=True)
    failed = []
    for name in chosen:
        if not given.quick:
            print(f"{name}: about {PARTS[name]} minutes", flush=True)
        failed += [fault] if (fault := in_a_process(name, given, given.out)) else []
    draw(given.out)
    for fault in failed:
        print(fault, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
