"""What is said of a run when it begins or goes on."""

from millrace.runs import RunFolder
from millrace.workers.events import RunStarted
from millrace.workers.runtime import Runtime
from millrace.workers.setup import Setup


def started(setup: Setup, runtime: Runtime, folder: RunFolder, step: int) -> RunStarted:
    """The event of a run that begins at this step."""
    order = setup.order
    return RunStarted(
        folder=folder.location,
        step=step,
        total_steps=setup.total_steps,
        steps_per_epoch=order.steps_per_epoch,
        epochs=setup.job.epochs,
        samples=order.samples,
        validation_samples=len(setup.split.validation),
        parameters=setup.network.parameters,
        batch=order.batch,
        slots=order.most_slots,
        workers=runtime.workers,
        augmenters=runtime.augmenters,
        dataset=setup.dataset.spec.name,
        exported=setup.exported is not None,
        test_samples=setup.dataset.test.num_rows,
    )
