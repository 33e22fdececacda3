"""`millrace audit`: proof of what a run was trained on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from millrace import datasets
from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen, table
from millrace.errors import IntegrityError
from millrace.library import finding, resolving
from millrace.reports.words import counted, short
from millrace.runs.folder import RunFolder
from millrace.runs.incidents import reproducible
from millrace.runs.json_lines import read_lines
from millrace.runs.owner import Claim
from millrace.settings import flags, layers
from millrace.workers.ledger import expected
from millrace.workers.setup import Setup

KEYS = ("mirror", "offline")


@dataclass(frozen=True)
class AuditOptions:
    """Make every epoch of a run's data once more and compare it with the run's ledger: which samples, which pixels,
    none missing, none twice; and which failures the run survived."""

    run: str = flags.positional(
        "RUN", "folder or address of the run, its name in the data folder, or latest", required=True
    )
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Compare every finished epoch. Errors: IntegrityError (exit code 1) where one is not what it must be."""
    options, given = flags.parse("audit", AuditOptions, arguments, KEYS)
    screen = Screen(as_json=options.json)
    folder = finding.open_folder(options.run)
    settings = resolving.for_run(folder.path, layers.from_flags(given))
    with Downloads(screen) as progress:
        spec = datasets.find(settings.job.dataset)
        dataset = datasets.load(spec, mirror=settings.place.mirror, offline=settings.place.offline, progress=progress)
    setup = Setup(settings.job, dataset)
    shown = table(
        "epoch", "samples", "missing", "repeated", "ledger", right=("epoch", "samples", "missing", "repeated")
    )
    wrong, audited, samples = [], 0, 0
    for line in read_lines(folder.epochs):
        ledger, count = expected(setup.stream, line["epoch"])
        missing, repeated = max(0, count - line["samples"]), max(0, line["samples"] - count)
        same = ledger == line["ledger"]
        audited, samples = audited + 1, samples + line["samples"]
        if missing or repeated or not same:
            wrong.append(line["epoch"])
        verdict = "as it must be" if same else "other data"
        row = {"epoch": line["epoch"], "samples": line["samples"], "missing": missing, "repeated": repeated}
        screen.record(**row, ledger=line["ledger"], expected=ledger, same=same)
        shown.add_row(*(f"{value:,}" for value in row.values()), verdict)
    screen.show(shown)
    _tell(screen, folder, epochs=audited, samples=samples, wrong=wrong)
    if wrong:
        raise IntegrityError(
            f"the run in {short(folder.location)} was trained on other data than its configuration says",
            expected=f"the ledger of {counted(audited, 'epoch')}",
            got=f"another one in epoch {', '.join(map(str, wrong))}",
        )
    screen.say(f"{counted(audited, 'epoch')}, {samples:,} samples: missing 0, repeated 0")
    return 0


def _tell(screen: Screen, folder: RunFolder, **found: object) -> None:
    """Who trained the run, what it survived, and whether its bits can be had again."""
    survived = Counter(str(line["kind"]) for line in read_lines(folder.incidents))
    owner, bits = folder.last_owner(), reproducible(folder.incidents)
    screen.record(**found, survived=dict(survived), driver=owner, reproducible=bits)
    screen.say()
    screen.facts(("driver", _driver(owner)))
    screen.facts(("survived", ", ".join(f"{kind}: {count}" for kind, count in survived.items()) or "no failure"))
    if not bits:
        screen.facts(("bits", "not reproducible: machines with another environment were admitted (--mixed-cpus)"))


def _driver(owner: Claim | None) -> str:
    if owner is None:
        return "nobody has trained it"
    return f"{owner}{'' if owner.released else ', which trains or was lost'}"
