"""What is worth knowing of files of any kind, beside what their importer says."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator

from millrace.datasets.importers.inventory import TEST, VALIDATION, Inventory
from millrace.datasets.importers.table_columns import listed

NAMED = 8


def worth_knowing(inventory: Inventory) -> Iterator[str]:
    """In words: what a validation split is for, classes without training images, classes whose names look the same."""
    if inventory.shape is None and VALIDATION in inventory.counts:  # arrays say so themselves
        if TEST in inventory.counts:
            rows = inventory.rows[VALIDATION]
            yield f"validation: {rows:,} images train too; `validation` sets some apart"
        else:
            yield "there is no test split: the one for validation is tested on"
    held = TEST if TEST in inventory.counts else VALIDATION
    training = [counts for split, counts in inventory.counts.items() if split != held]
    bare = [name for name, *counts in zip(inventory.classes, *training, strict=True) if not any(counts)]
    if bare:
        yield f"classes with nothing to train on: {listed(bare, NAMED)}"
    alike = defaultdict(list)
    for name in inventory.classes:
        alike[unicodedata.normalize("NFKC", name).casefold().strip()].append(name)
    for names in alike.values():
        if len(names) > 1:
            yield f"{' and '.join(map(repr, names))} are {len(names)} classes, whose names hardly differ"
