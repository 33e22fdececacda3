"""`millrace.stream`: from a name, a path or arrays to a stream."""

from inspect import signature
from pathlib import Path
from typing import Any

from millrace.counters import check_seed
from millrace.datasets import Reading
from millrace.errors import unknown_name
from millrace.formats.rows import SPLITS
from millrace.loading.data import opened
from millrace.loading.datastream import DataStream
from millrace.loading.delivery import one_of
from millrace.loading.loader import reading_ahead
from millrace.loading.source import Choice, StreamSource
from millrace.pipeline import SAMPLINGS
from millrace.values import convert, whole


def stream(
    data: Any,
    *,
    batch: int = 128,
    seed: int | None = None,
    policy: Any = "auto",
    split: str = "train",
    subset: int | None = None,
    validation: int = 0,
    drop_last: bool = False,
    sampling: str = "uniform",
    threads: int | None = None,
    read_ahead: float = 64,
    mirror: str | None = None,
    offline: bool | None = None,
    cache: str | Path | None = None,
    **reading: Any,
) -> DataStream:
    """Stream augmented batches: the same bits for the same (data, batch, seed, policy, split, subset, validation,
    sampling).

    data: the name of a dataset; the path of a folder of pictures, a file of arrays, a dataset file (YAML) or an export;
        a pair (images, labels) of arrays, or a Dataset. images: (n, C, H, W), (n, H, W, C) or (n, H, W); uint8, which
        is not copied and must not be written to afterwards, or another dtype with its range, such as range="0..1".
        labels: whole numbers of any dtype, (n,), (n, 1) or one-hot.
    batch: samples of a step; the last step of an epoch has what is left, or is left out with `drop_last`.
    seed: 0 (the default) to 2³² − 1; decides the order, the draws, the subset and the validation split. An export has
        those that it was written with, and takes no other seed.
    policy: auto (the dataset's own for training, none for the other splits), a name, a `millrace.Policy`, or a mapping.
    split: train (shuffled again in every epoch), validation or test (as stored).
    subset, validation: train on that many samples, of which so many are set apart: class-balanced, as `millrace.train`.
    sampling: of the training split. uniform: each sample once in an epoch. balanced: every class equally often, its
        samples in turn; what comes again is augmented anew, and an epoch is as long as ever.
    threads: that make batches ahead, by default one for each core that this process may use, at most 8; 0: none.
    read_ahead: MiB of batches at most that are made ahead of need; one is always allowed. 0: none.
    mirror, offline, cache: where the dataset comes from and is kept, as in `millrace fetch`; None: as MILLRACE_MIRROR
        and MILLRACE_OFFLINE say.
    reading: of a path, how files of one's own become images, such as size=(64, 64), fit="crop": the fields of
        `millrace.datasets.Reading`; of arrays, range and labels_from.

    Errors: UsageError for arguments that do not fit; DownloadError, IntegrityError and others of `millrace.errors`
    where the dataset cannot be had.
    """
    known = {*signature(stream).parameters, *Reading.__dataclass_fields__} - {"data", "reading"}
    if strange := next((name for name in reading if name not in known), None):
        raise unknown_name("argument of a stream", strange, known)
    split = one_of("split", split, SPLITS)
    ahead = reading_ahead(threads, read_ahead)
    chosen = Choice(
        batch=whole("the batch", batch, 1),
        seed=None if seed is None else check_seed(whole("the seed", seed, 0, 2**32 - 1)),
        policy=policy,
        split=split,
        subset=None if subset is None else whole("subset", subset, 1),
        validation=whole("validation", validation, 0),
        drop_last=convert(bool, drop_last, "drop_last"),
        sampling=one_of("sampling", sampling, SAMPLINGS),
    )
    offline = convert(bool | None, offline, "offline")
    dataset = opened(data, split, mirror=mirror, offline=offline, cache=cache, reading=reading)
    return DataStream(StreamSource(dataset, chosen), **ahead)
