"""Train from a service: the recipe that it states, and a run's stream whose rows come from there.

What the service streams decides the bits: its dataset, seed, batch, policy, subset and validation split become the
run's own recipe, so the run is the one that trains here with the same recipe, in the same bits, and goes on here or
there. The rows to validate and test on are read where the run is: a service serves one split.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from millrace.datasets import Dataset
from millrace.datasets.exported import ExportedDataset
from millrace.errors import UsageError
from millrace.library import resolving
from millrace.loading.source import Choice, StreamSource
from millrace.pipeline import UNIFORM, Stream, Visited
from millrace.service.client.addresses import place_of
from millrace.service.client.link import Link
from millrace.service.client.refusals import other_stream
from millrace.service.client.remote import RemoteSource
from millrace.service.client.steady import visited
from millrace.service.place import token_from
from millrace.service.ticket import stream_digest
from millrace.settings import layers
from millrace.settings.keys import flat
from millrace.settings.layers import Settings
from millrace.workers import Job, Place, Setup

FETCHERS = 2  # threads that fetch slots ahead, where the place does not say
_STATED = ("seed", "batch", "subset", "validation")


def source_of(place: Place) -> RemoteSource:
    """The stream at the addresses of a place. Errors: as `millrace.connect`."""
    addresses = [address.strip() for address in (place.stream or "").split(",")]
    return RemoteSource(Link(place_of(addresses, token_from(place.token_file), place.tls_roots), place.patience))


def stated(settings: Settings) -> Settings:
    """The settings with the recipe of the service that they name. UsageError where they choose another themselves, and
    where what is served is nothing to train on."""
    if settings.place.runtime != "local":
        raise UsageError("a service feeds runs in local mode", expected="`runtime=local`", got=settings.place.runtime)
    told = source_of(settings.place)
    identity: Mapping[str, Any] = told.identity
    if identity["split"] != "train" or identity["drop_last"] or told.described["epochs"] is not None:
        raise UsageError(
            "this service is not for training",
            expected="the train split, epochs without end, every last step, of a dataset that is no export",
            got=f"split {identity['split']}, drop_last {identity['drop_last']}, epochs {told.described['epochs']}",
        )
    recipe = {name: identity[name] for name in _STATED} | {"policy": dict(identity["policy"])}
    recipe["sampling"] = identity.get("sampling", UNIFORM)
    if "dataset" not in settings.chosen:
        recipe["dataset"] = identity["dataset"]
    layer = layers.from_values(resolving.keys_of(recipe), f"the service at {settings.place.stream}")
    _check_chosen(settings, from_service := layers.merge(settings.chosen, layer))
    return from_service


def _check_chosen(own: Settings, taken: Settings) -> None:
    """Refuse what was chosen here and is otherwise there."""
    mine, theirs = flat(own.job), flat(taken.job)
    for key, setting in own.chosen.items():
        keys = [key, *(one for one in mine if key == "policy" and one.startswith("policy."))]
        for one in keys:
            if one in mine and mine[one] != theirs.get(one):
                raise UsageError(
                    f"the service streams with another {key}",
                    expected=f"{one} {theirs.get(one)}",
                    got=f"{mine[one]} (set by {setting.source})",
                    do="leave it out, or start the service with it",
                )


@dataclass(frozen=True)
class ServedSetup(Setup):
    """The parts of a run whose batches a service makes."""

    source: RemoteSource

    @cached_property
    def stream(self) -> Stream:
        """The batches of every step, in the order that the job says, from there. ServiceError for another stream."""
        return ServedStream(Setup(self.job, self.dataset).stream, self.source)


class ServedStream(Stream):
    """A run's stream whose rows are asked for, slot by slot: what a slot is has the same bits here and there."""

    def __init__(self, own: Stream, source: RemoteSource) -> None:
        self.__dict__.update(own.__dict__)
        self._source, self.deadline = source, own.deadline + 2 * source.link.patience
        self._ended = threading.Event()

    def rows(self, epoch: int, first: int, last: int, out: npt.NDArray[np.uint8] | None = None) -> Visited:
        """Positions [first, last) of an epoch, all of one step. Errors: as `RemoteSource.batch`."""
        step = epoch * self.order.steps_per_epoch + first // self.order.batch
        begin = self.order.begin(step)
        return visited(self._source.batch(step, first - begin, last - begin, self._ended.is_set))

    def close(self) -> None:
        """Whoever waits for a server that is gone gets an error, soon."""
        self._ended.set()


def setup(job: Job, dataset: Dataset, place: Place) -> ServedSetup:
    """The parts of a run from a service, which must have the very stream that the job means.

    Errors: ServiceError for another stream, naming both digests; UsageError for an export."""
    if isinstance(dataset, ExportedDataset):
        raise UsageError("an export is trained on where it lies", got=dataset.spec.name, do="leave out `stream`")
    batch = Setup(job, dataset).batch
    choice = Choice(batch, job.seed, job.policy, "train", job.subset, job.validation, False, job.sampling)
    source, digest = source_of(place), stream_digest(StreamSource(dataset, choice).identity)
    if source.digest != digest:
        raise other_stream(digest, source.digest)
    return ServedSetup(job, dataset, source)
