"""`millrace audit`: proof of what a run was trained on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.table import Table

from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen, table
from millrace.errors import IntegrityError
from millrace.library import finding, resolving
from millrace.library.auditing import Audit, EpochAudit, audit
from millrace.reports.words import behind, counted, short
from millrace.runs import Claim
from millrace.settings import flags, layers
from millrace.settings.keys import DATA_KEYS


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
    options, given = flags.parse("audit", AuditOptions, arguments, DATA_KEYS)
    screen = Screen(as_json=options.json)
    folder = finding.open_folder(options.run)
    settings = resolving.for_run(folder.path, layers.from_flags(given))

    def each(epoch: EpochAudit) -> None:
        screen.record(**asdict(epoch), same=epoch.same)

    with Downloads(screen) as progress:
        dataset = resolving.dataset_of(settings, progress)
    found = audit(folder, settings.job, dataset, each)
    screen.show(_table(found))
    _report(screen, found)
    epochs = counted(len(found.epochs), "epoch")
    if found.wrong:
        raise IntegrityError(
            f"the run in {short(folder.location)} was trained on other data than its configuration says",
            expected=f"the ledger of {epochs}",
            got=f"another one in epoch {', '.join(map(str, found.wrong))}",
        )
    if found.balanced:
        screen.say(f"{epochs}, {found.samples:,} showings, every class equally often: missing 0, too many 0")
    else:
        screen.say(f"{epochs}, {found.samples:,} samples: missing 0, repeated 0")
    return 0


def _table(found: Audit) -> Table:
    """The epochs. Where each sample comes once in them, one too many is one that was repeated; balanced sampling
    repeats by plan, so there it is told how many different ones were shown."""
    heads = ("showings", "samples", "missing", "too many") if found.balanced else ("samples", "missing", "repeated")
    shown = table("epoch", *heads, "ledger", right=("epoch", *heads))
    for epoch in found.epochs:
        different = () if epoch.rows is None else (epoch.rows,)
        numbers = (epoch.epoch, epoch.samples, *different, epoch.missing, epoch.repeated)
        shown.add_row(*(f"{value:,}" for value in numbers), "as it must be" if epoch.same else "other data")
    return shown


def _report(screen: Screen, found: Audit) -> None:
    """Who trained the run, what it survived, and whether its bits can be had again."""
    screen.record(
        epochs=len(found.epochs),
        samples=found.samples,
        wrong=found.wrong,
        survived=found.survived,
        driver=found.driver,
        reproducible=found.reproducible,
        staleness=found.staleness,
        unfinished=found.unfinished,
    )
    screen.say()
    if found.unfinished:
        more = counted(found.unfinished, "epoch")
        screen.facts(("unfinished", f"{more} more, of which the journal here does not have every update yet"))
    screen.facts(("driver", _driver(found.driver)))
    screen.facts(("survived", ", ".join(f"{kind}: {count}" for kind, count in found.survived.items()) or "no failure"))
    if found.staleness:
        screen.facts(("staleness", f"{behind(found.staleness)} (the journal gives the ledger)"))
    if not found.reproducible:
        screen.facts(("bits", "not reproducible: machines with another environment were admitted (--mixed-cpus)"))


def _driver(owner: Claim | None) -> str:
    if owner is None:
        return "none: it was never trained"
    return f"{owner}{'' if owner.released else ', which trains or was lost'}"
