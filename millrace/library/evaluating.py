"""How good networks are on a dataset's test images: one, or several together, over augmented views."""

from collections.abc import Callable, Sequence

import numpy as np

from millrace import datasets
from millrace.datasets import Dataset
from millrace.errors import CheckpointError, UsageError
from millrace.library.networks import TrainedNetwork
from millrace.model import differences, fingerprint
from millrace.pipeline import augmented
from millrace.reports.words import short
from millrace.settings.keys import job_of_recipe
from millrace.values import whole
from millrace.workers import Evaluation, cores, judged
from millrace.workers import evaluate as measured

TEST_SPLIT, MOST_VIEWS = 2, 255


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
            do="leave out `dataset`, or name the one that the run was trained on",
        )
    for line in differences(about.get("fingerprint", {}), fingerprint()):
        notice(f"the run was trained elsewhere, last digits may differ: {line}")


def _together(networks: Sequence[TrainedNetwork], dataset: Dataset, views: int) -> Evaluation:
    """The average of the networks' probabilities, each over the image and its augmented views.

    Views are drawn as the network's own training drew them, from its policy and seed, with the test split and a replica
    for each view in the counters: the same at every call."""
    images, labels = datasets.images(dataset.test), datasets.labels(dataset.test)
    ids = np.arange(len(images), dtype=np.int64)
    total = np.zeros((len(images), len(dataset.spec.classes)))
    for one in networks:
        job = job_of_recipe(one.about.get("config", {}))
        policy = job.policy
        if views and policy.is_identity:
            raise UsageError(f"{short(one.location)} was trained without augmentation", do="leave out `views`")
        for view in range(views + 1):
            pixels = images
            if view:
                pixels, _ = augmented(images, ids, policy, seed=job.seed, epoch=0, split=TEST_SPLIT, replica=view)
            total += one.predict(pixels, threads=cores()).probabilities
    return judged(total / (len(networks) * (views + 1)), labels)
