"""Workers that have nothing to do: more of them than can work at once."""

from millrace.workers.setup import Setup


def idle_workers(setup: Setup, wanted: int, cores: int) -> str | None:
    """What to say of it; None where all have something to do. wanted: the workers asked for, 0: one per core."""
    most, job = setup.most_at_work, setup.job
    if not (wanted > most or (not wanted and cores > most)):
        return None
    what = f"{wanted} workers" if wanted else f"{cores} cores"
    if job.stale:
        why, do = f"staleness {job.staleness}", "a larger `staleness`"
    else:
        why, do = f"{most} slot{'s'[: most > 1]}", "a smaller `slot_size` or a larger `batch`"
    return f"{what} for {why}: {most} can work at once; {do} would use more"
