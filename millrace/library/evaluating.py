"""How good networks are on a dataset's test images: one, or several together, over augmented views."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from millrace import datasets
from millrace.cores import cores
from millrace.datasets import Dataset
from millrace.errors import CheckpointError, UsageError
from millrace.labels import Labels
from millrace.library.networks import TrainedNetwork
from millrace.model import differences, fingerprint
from millrace.pipeline import augmented
from millrace.reports.words import short
from millrace.settings.keys import job_of_recipe
from millrace.values import whole
from millrace.workers import Evaluation, Job, judged, slot_rows
from millrace.workers import evaluate as measured

TEST_SPLIT, MOST_VIEWS = 2, 255
U8Array = npt.NDArray[np.uint8]
PIECE = 64 << 20  # bytes of probabilities that are averaged at a time, or one slot's for each core


def evaluate(
    networks: Sequence[TrainedNetwork],
    dataset: Dataset,
    *,
    views: int = 0,
    notice: Callable[[str], None] = lambda text: None,
) -> Evaluation:
    """Loss, accuracy and confusion on the test images; of several networks the probabilities are averaged, with `views`
    (up to 255) also those of so many augmented views of each image. notice: called for each network that was trained
    in another environment, where the last digits may differ.

    Errors: CheckpointError for a network of another dataset; UsageError for views of one without augmentation."""
    views = whole("views", views, 0, MOST_VIEWS)
    if not networks:
        raise UsageError("there is no network to evaluate", expected="one or several")
    for one in networks:
        _check(one, dataset, notice)
    if not dataset.test.num_rows:
        raise UsageError(
            f"{dataset.spec.name} has no test images to evaluate on",
            expected="a dataset with a test split",
            got="0 test images",
            do="train with `validation=N`, and look at what validation says; or keep a share of it to test on",
        )
    if len(networks) > 1 or views:
        return _together(networks, dataset, views)
    own, test = networks[0].portable, dataset.test
    images, labels = datasets.images(test), datasets.labels(test)
    return measured(own.network, own.inputs, own.weights, images, labels, threads=cores())


def _check(found: TrainedNetwork, dataset: Dataset, notice: Callable[[str], None]) -> None:
    """Refuse a network of another dataset; announce one that was trained elsewhere."""
    about = found.about
    if about.get("dataset_digest") != dataset.digest:
        raise CheckpointError(
            f"the checkpoint belongs to another dataset: {short(found.location)}",
            expected=f"{about.get('dataset')}, digest {str(about.get('dataset_digest'))[:16]}…",
            got=f"{dataset.spec.name}, digest {dataset.digest[:16]}…",
            do=_instead(str(about.get("dataset")), dataset),
        )
    for line in differences(about.get("fingerprint", {}), fingerprint()):
        notice(f"the run was trained elsewhere, last digits may differ: {line}")


def _instead(trained_on: str, dataset: Dataset) -> str:
    """What to do about another dataset: files of one's own may have changed."""
    if trained_on == dataset.spec.name and isinstance(dataset.spec, datasets.PathSpec):
        return "put the files back as they were, or train again: they, or how they are read, changed since"
    return "leave out `dataset`, or name the one that the run was trained on"


def _view(images: U8Array, ids: npt.NDArray[np.int64], job: Job, view: int) -> U8Array:
    return augmented(images, ids, job.policy, seed=job.seed, epoch=0, split=TEST_SPLIT, replica=view)[0]


def _together(networks: Sequence[TrainedNetwork], dataset: Dataset, views: int) -> Evaluation:
    """The average of the networks' probabilities, each over the image and its augmented views.

    Views are drawn as the network's own training drew them, from its policy and seed, with the test split and a replica
    for each view in the counters: the same at every call."""
    jobs = [job_of_recipe(one.about.get("config", {})) for one in networks]
    for one, job in zip(networks, jobs, strict=True):
        if views and job.policy.is_identity:
            raise UsageError(f"{short(one.location)} was trained without augmentation", do="leave out `views`")
    images, labels = datasets.images(dataset.test), datasets.labels(dataset.test)
    classes = len(dataset.spec.classes)
    slot = slot_rows(classes)
    rows = slot * max(cores(), PIECE // (slot * classes * 8))

    def averaged() -> Iterator[tuple[npt.NDArray[np.float64], Labels]]:
        for begin in range(0, len(images), rows):  # whole slots: their shapes decide bits
            ids = np.arange(begin, min(begin + rows, len(images)), dtype=np.int64)
            total = np.zeros((len(ids), classes))
            for one, job in zip(networks, jobs, strict=True):
                for view in range(views + 1):
                    pixels = images[begin : begin + rows]
                    if view:
                        pixels = _view(images, ids, job, view)
                    total += one.predict(pixels, threads=cores()).probabilities
            yield total / (len(networks) * (views + 1)), labels[begin : begin + rows]

    return judged(averaged())
