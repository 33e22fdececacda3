"""The plan of an export: which shard holds which rows under which name, before a byte is written.

The rows of a split are numbered epoch after epoch, within an epoch as training visits them; no batch size enters.
Shard i holds rows [i·R, (i+1)·R) of its split, the last one what is left. So everything about a shard follows
from (plan, index), and any process may write any shard.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from millrace.datasets import Dataset, labels, split
from millrace.datasets.exported import VERSION, Manifest, Record, SplitSize
from millrace.errors import FormatError, UsageError
from millrace.formats import FORMATS
from millrace.pipeline.balance import class_counts
from millrace.pipeline.export.options import ExportOptions
from millrace.pipeline.policy import from_mapping
from millrace.pipeline.sampling import BALANCED, UNIFORM

SHARD_BYTES = 16 << 20  # pixels of a shard, about
LARGEST_SHARD = 256 << 20
MOST_ROWS, LEAST_ROWS = 1 << 14, 1 << 6


@dataclass(frozen=True)
class Shard:
    """Rows [first, first + rows) of a split; name: of its file."""

    index: int
    split: str
    first: int
    rows: int
    name: str


@dataclass(frozen=True)
class ExportPlan:
    """A whole export. dataset: what the manifest says of it. millrace: the version that writes."""

    options: ExportOptions
    dataset: Mapping[str, Any]
    splits: Mapping[str, SplitSize]
    shard_rows: int
    millrace: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        channels, height, width = self.dataset["shape"]
        return channels, height, width

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; a label is an index into them."""
        return tuple(self.dataset["classes"])

    @property
    def rows(self) -> int:
        """All rows of all splits."""
        return sum(size.rows for size in self.splits.values())

    @property
    def image_bytes(self) -> int:
        """The pixels of one image."""
        channels, height, width = self.shape
        return channels * height * width

    @cached_property
    def shards(self) -> tuple[Shard, ...]:
        """All shards, split after split."""
        found: list[Shard] = []
        for name, size in self.splits.items():
            count = -(-size.rows // self.shard_rows)
            for number in range(count):
                first = number * self.shard_rows
                rows = min(self.shard_rows, size.rows - first)
                found.append(Shard(len(found), name, first, rows, self._name(name, number, count)))
        return tuple(found)

    def _name(self, split_name: str, number: int, count: int) -> str:
        # An imagefolder has one metadata.csv for a split; until it is whole its parts lie in the hidden folder.
        folder = ".millrace/parts" if self.options.format == "imagefolder" else "data"
        return f"{folder}/{split_name}-{number:05d}-of-{count:05d}.{FORMATS[self.options.format]}"

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """Everything that decides the bytes, except the dataset, as plain values. The libraries that write are a part
        of it: with another version of them the same pixels may become other bytes."""
        options = self.options
        written = {"millrace": self.millrace}
        if options.format in ("parquet", "huggingface", "arrow"):
            written["pyarrow"] = str(pa.__version__)
        if options.format not in ("parquet", "arrow"):
            written["zlib"] = zlib.ZLIB_RUNTIME_VERSION
        sampling = {} if options.sampling == UNIFORM else {"sampling": options.sampling}  # keys of before hold
        return {
            "format": options.format,
            "epochs": options.epochs,
            "seed": options.seed,
            "policy": json.loads(json.dumps(options.policy.as_dict())),
            "subset": options.subset,
            "validation": options.validation,
            **sampling,
            "originals": options.originals,
            "augment_test": options.augment_test,
            "shard_rows": self.shard_rows,
            "written_by": written,
        }

    @cached_property
    def key(self) -> str:
        """Hexadecimal sha256 over the configuration and the dataset's content: names this export."""
        what = [VERSION, self.configuration, self.dataset["digest"]]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

    def manifest(self, shards: Iterable[Record] = ()) -> Manifest:
        """The manifest of this export, once these shards lie there."""
        return Manifest(self.millrace, self.key, self.configuration, self.dataset, self.splits, tuple(shards))


def make_plan(
    options: ExportOptions,
    dataset: Dataset,
    *,
    source: str,
    statistics: tuple[tuple[float, ...], tuple[float, ...]],
    millrace: str,
) -> ExportPlan:
    """The plan for a dataset. source: its name or file, as given. statistics: mean and deviation per channel of the
    untouched training pixels. Errors: UsageError for sizes that do not fit."""
    spec, shape = dataset.spec, dataset.shape
    chosen = split(labels(dataset.train), subset=options.subset, validation=options.validation, seed=options.seed)
    per_epoch, held = len(chosen.train), len(chosen.validation)
    sizes = {"train": SplitSize(per_epoch * options.epochs, per_epoch, options.epochs)}
    if held:
        sizes["validation"] = SplitSize(held, held, 1)
    if dataset.test.num_rows:
        sizes["test"] = SplitSize(dataset.test.num_rows, dataset.test.num_rows, 1)
    elif options.augment_test:
        raise UsageError(f"{spec.name} has no test split to augment", do="leave out `augment_test`")
    described = {
        "name": spec.name,
        "title": spec.title,
        "source": source,
        "digest": dataset.digest,
        "classes": list(spec.classes),
        "shape": list(shape),
        "prepare": spec.prepare,
        **({"reading": reading} if (reading := spec.described(shape).get("reading")) else {}),
        "train_rows": dataset.train.num_rows,
        **({"left_out": dict(dataset.left_out)} if dataset.left_out else {}),
        "licence": spec.licence,
        "homepage": spec.homepage,
        "mean": list(statistics[0]),
        "deviation": list(statistics[1]),
    }
    if options.sampling == BALANCED:  # what tells how often a row was shown before: `StoredStream`
        described["sampled"] = class_counts(labels(dataset.train)[chosen.train]).tolist()
    return ExportPlan(options, described, sizes, shard_rows(shape, options.shard_rows), millrace)


def plan_of(manifest: Manifest) -> ExportPlan:
    """The plan that a manifest was written by. Errors: FormatError for a configuration of another version."""
    chosen = dict(manifest.configuration)
    try:
        names = ("format", "epochs", "seed", "subset", "validation", "originals", "augment_test", "shard_rows")
        kept = {name: chosen[name] for name in names} | {"sampling": chosen.get("sampling", UNIFORM)}
        options = ExportOptions(policy=from_mapping(chosen["policy"]), **kept)
        return ExportPlan(options, manifest.dataset, manifest.splits, int(chosen["shard_rows"]), manifest.millrace)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError("the manifest's configuration is not understood", got=repr(error)) from None


def shard_rows(shape: tuple[int, int, int], chosen: int | None) -> int:
    """The rows of a shard: as chosen, else the power of two that makes some 16 MiB of pixels."""
    size = shape[0] * shape[1] * shape[2]
    if chosen is None:
        fitting = max(1, SHARD_BYTES // size)
        return max(LEAST_ROWS, min(MOST_ROWS, 1 << fitting.bit_length() - 1))
    if chosen * size > LARGEST_SHARD:
        raise UsageError(
            "a shard would be too large",
            expected=f"at most {LARGEST_SHARD // size} rows, {LARGEST_SHARD >> 20} MiB of pixels",
            got=f"`shard_rows={chosen}`",
        )
    return chosen
