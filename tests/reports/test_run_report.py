"""The page of a run: what its curves say."""

import re

from millrace.reports.run_report import RunReport, run_report


def test_the_rate_is_drawn_over_the_epochs_that_passed() -> None:
    """Of a run that was stopped in its fourth epoch, and of one in its first: epochs are steps by steps per epoch."""
    for count, finished, end in ((36, 3, "3.6"), (6, 0, "0.6")):
        report = RunReport(
            title="a run",
            facts=[],
            classes=("a", "b"),
            shape=(1, 2, 2),
            steps=[{"step": step, "rate": 0.1} for step in range(count)],
            steps_per_epoch=10,
            epochs=[{"epoch": k, "loss": 1.0, "accuracy": 0.5, "samples_per_second": 9.0} for k in range(finished)],
            judged=None,
            samples=[],
            first=None,
            regions=None,
            config="",
            environment={},
            command="millrace train",
        )
        found = re.search(
            r'aria-label="Learning rate. rate: 0.1 at epoch 0.1, 0.1 at epoch (.*?)\."', run_report(report)
        )
        assert found is not None
        assert found[1] == end
