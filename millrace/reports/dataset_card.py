"""The dataset card of an export: README.md with Hugging Face's YAML, and the contact sheet beside it."""

import io
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import yaml

from millrace.datasets import Dataset, balanced, images, labels
from millrace.formats import PICTURES
from millrace.formats.rows import PARAMETERS
from millrace.pipeline import BALANCED, augmented
from millrace.pipeline.export import ExportPlan
from millrace.reports.contact_sheet import Row, Tile, contact_sheet, parameter_lines
from millrace.reports.loading_recipes import recipes
from millrace.reports.words import passes

CARD, SHEET = "README.md", "contact-sheet.png"
MOST_SAMPLES, MOST_EPOCHS = 10, 6  # of the contact sheet
MOST_NAMES, FIRST = 1000, 20  # classes whose names all stand on the card; of more, the first so many
LEFT_OUT = 200  # files named that cannot be read
SHEET_KEY = 0  # the samples on the sheet are the same for every seed
LICENCES = {"cc by 4.0": "cc-by-4.0", "cc by-sa 3.0": "cc-by-sa-3.0", "mit": "mit", "apache": "apache-2.0"}
COLUMNS = {
    "image": "the picture as training sees it",
    "label": "number of its class",
    "sample": "row in the dataset's own table, from 0",
    "epoch": "the pass over the data that the row belongs to, from 0",
    "dx, dy": "shift in pixels, right and down",
    "angle": "turn in degrees, counter-clockwise",
    "scale_x, scale_y": "magnification",
    "shear": "horizontal shift per row",
    "flip": "whether it is mirrored",
}


def card(plan: ExportPlan, policy_in_words: str) -> str:
    """README.md: what lies here, how it was made, how to load it."""
    about, options = plan.dataset, plan.options
    name = f"{about['name']}, {policy_in_words}"
    lines = ["---", _yaml(plan), "---", "", f"# {name}", "", f"{about['title']}."]
    lines += ["", f"Written by Millrace {plan.millrace}: what training with this dataset, policy and seed sees, byte"]
    lines += [
        "for byte. Rows stand in the order of training, epoch after epoch. `manifest.json` lists every shard with"
    ]
    lines += ["the sha256 of its bytes and of its pixels; `millrace verify .` checks them.", ""]
    if options.sampling == BALANCED:
        lines += ["Every class comes equally often (sampling `balanced`): rows of small classes come again within an"]
        lines += ["epoch, augmented anew each time.", ""]
    lines += [f"![originals beside their augmentations]({SHEET})", ""]
    lines += ["| split | rows | epochs | augmented |", "|---|---:|---:|---|"]
    for split, size in plan.splits.items():
        drawn = split == "train" or (split == "test" and options.augment_test)
        moved = "yes" if drawn and not options.policy.is_identity else "no"
        lines.append(f"| {split} | {size.rows:,} | {size.epochs} | {moved} |")
    lines += ["", "| column | |", "|---|---|", *(f"| {column} | {what} |" for column, what in _columns(plan).items())]
    lines += ["", "## Augmentation", "", f"Policy `{options.policy.name}`, seed {options.seed}: {policy_in_words}."]
    lines += ["Each parameter is drawn uniformly; each row says what was drawn for it.", ""]
    lines += ["## Classes", "", *(f"{label}. {_escaped(kind)}" for label, kind in enumerate(_names(plan))), ""]
    if len(plan.classes) > MOST_NAMES:
        lines += [f"And {len(plan.classes) - FIRST:,} more: `manifest.json` has all names.", ""]
    channels, height, width = plan.shape
    lines += ["## Numbers", "", f"Pictures: {channels} × {height} × {width}, uint8. Mean of the untouched training"]
    lines += [
        f"pixels {_decimals(about['mean'])}, standard deviation {_decimals(about['deviation'])} (full brightness 1).",
        "",
    ]
    lines += _left_out(about.get("left_out", {}))
    lines += ["## Licence", "", f"{about['licence'] or 'not stated'}; {about['homepage'] or 'no homepage'}", ""]
    lines += ["## Loading", "", *recipes(plan)]
    return "\n".join(lines).rstrip() + "\n"


def _names(plan: ExportPlan) -> tuple[str, ...]:
    """The names of the classes that the card lists."""
    return plan.classes if len(plan.classes) <= MOST_NAMES else plan.classes[:FIRST]


def _left_out(found: Mapping[str, str]) -> list[str]:
    """What of the files could not be read, the first LEFT_OUT of them."""
    if not found:
        return []
    shown = [f"| {_escaped(name)} | {_escaped(why)} |" for name, why in list(found.items())[:LEFT_OUT]]
    more = [f"| and {len(found) - LEFT_OUT:,} more | |"] if len(found) > LEFT_OUT else []
    head = [
        f"{len(found):,} of the files cannot be read, and are not in the dataset.",
        "",
        "| file | why |",
        "|---|---|",
    ]
    return ["## Left out", "", *head, *shown, *more, ""]


def _columns(plan: ExportPlan) -> dict[str, str]:
    more = {"original": "the untouched picture"} if plan.options.originals else {}
    return COLUMNS | more


def _yaml(plan: ExportPlan) -> str:
    """The head that Hugging Face's hub and `datasets` read."""
    about, options = plan.dataset, plan.options
    head: dict[str, object] = {
        "pretty_name": f"{about['name']}, augmented by Millrace",
        "license": _licence(str(about["licence"])),
        "task_categories": ["image-classification"],
        "size_categories": [_size(plan.rows)],
        "tags": ["millrace", "augmentation"],
    }
    if options.format in PICTURES:  # which are those that its `datasets` reads
        paths = [{"split": split, "path": _path(plan, split)} for split in plan.splits]
        head["configs"] = [{"config_name": "default", "data_files": paths}]
    few = len(plan.classes) <= MOST_NAMES  # else every shard has the names, and this head stays one that can be read
    if options.format == "huggingface" and few:
        head["dataset_info"] = {"features": _features(plan)}
    head["millrace"] = {
        "classes": list(plan.classes) if few else len(plan.classes),
        "rows": {split: size.rows for split, size in plan.splits.items()},
        "epochs": options.epochs,
        "seed": options.seed,
        "policy": plan.configuration["policy"],
        "format": options.format,
        "dataset_digest": about["digest"],
    }
    return str(yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=100)).rstrip()


def _features(plan: ExportPlan) -> list[dict[str, object]]:
    names = {str(label): name for label, name in enumerate(plan.classes)}
    found: list[dict[str, object]] = [{"name": "image", "dtype": "image"}]
    found.append({"name": "label", "dtype": {"class_label": {"names": names}}})
    found += [{"name": "sample", "dtype": "int64"}, {"name": "epoch", "dtype": "int32"}]
    found += [{"name": name, "dtype": "bool" if name == "flip" else "float32"} for name in PARAMETERS]
    return [*found, {"name": "original", "dtype": "image"}] if plan.options.originals else found


def _path(plan: ExportPlan, split: str) -> str:
    if plan.options.format == "imagefolder":
        return f"{split}/**"
    ending = "tar" if plan.options.format == "webdataset" else "parquet"
    return f"data/{split}-*.{ending}"


def _licence(text: str) -> str:
    """The hub's name of a licence."""
    return next((name for start, name in LICENCES.items() if text.lower().startswith(start)), "other")


def _size(rows: int) -> str:
    """The hub's name of a size: `10K<n<100K`."""
    steps = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    more = ((10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"))
    return next((name for most, name in (*steps, *more) if rows < most), "n>1B")


def _escaped(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def _decimals(values: list[float]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)


def sheet(plan: ExportPlan, dataset: Dataset, policy_in_words: str) -> bytes:
    """The contact sheet as PNG: a few samples, each beside what the first epochs (of balanced sampling its
    first showings) make of it."""
    source, marks = images(dataset.train), labels(dataset.train)
    count = min(MOST_SAMPLES, len(plan.classes), len(marks))
    ids = balanced(marks, count, seed=0, purpose=SHEET_KEY)
    ids = ids[np.lexsort((ids, marks[ids]))]
    options = plan.options
    columns = range(min(MOST_EPOCHS, options.epochs))
    drawn = [augmented(source, ids, options.policy, seed=options.seed, epoch=epoch) for epoch in columns]
    rows = []
    for place, sample in enumerate(ids.tolist()):
        tiles = tuple(_tile(pixels[place], found[place], options.policy.is_identity) for pixels, found in drawn)
        rows.append(Row(plan.classes[marks[sample]], f"sample {sample}", Tile(source[sample]), tiles))
    heads = ["original", *passes(len(columns), options.sampling)]
    title = f"{plan.dataset['name']}, policy {options.policy.name}"
    picture = contact_sheet(title, f"{policy_in_words}, seed {options.seed}", heads, rows)
    data = io.BytesIO()
    picture.save(data, format="PNG", optimize=True)
    return data.getvalue()


def _tile(pixels: npt.NDArray[np.uint8], found: npt.NDArray[np.float32], plain: bool) -> Tile:
    named = dict(zip(PARAMETERS, found.tolist(), strict=True))
    return Tile(pixels, () if plain else parameter_lines(named))
