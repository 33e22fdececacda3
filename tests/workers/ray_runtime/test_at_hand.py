"""A dataset that the driver opens itself, and how many augmenters a run on an own Ray has."""

import pytest

from millrace.workers.job import Job, Place
from millrace.workers.ray_runtime import session
from millrace.workers.ray_runtime.at_hand import AtHand
from tests.workers.runs import JOB, digits


def test_what_needs_no_network_is_opened() -> None:
    dataset = AtHand(JOB, mirror=None, offline=False).dataset()
    assert dataset is not None
    assert dataset.digest == digits().digest


def test_what_has_to_be_fetched_is_left_to_the_fetcher() -> None:
    assert AtHand(Job(dataset="mnist"), mirror="http://127.0.0.1:1", offline=False).dataset() is None


@pytest.mark.parametrize(
    ("workers", "asked", "alone", "expected"),
    [(2, None, True, 0), (3, None, True, 1), (4, None, True, 0), (2, None, False, None), (4, 2, True, 2)],
)
def test_an_augmenter_needs_a_core_beside_the_workers(
    monkeypatch: pytest.MonkeyPatch, workers: int, asked: int | None, alone: bool, expected: int | None
) -> None:
    monkeypatch.setattr(session, "cores", lambda: 2 if workers == 2 else 4)
    place = Place(runtime="ray", workers=workers, augmenters=asked)
    assert session._staff(JOB, place, alone).augmenters == expected
