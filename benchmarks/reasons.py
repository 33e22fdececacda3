"""Why a row falls short of what was promised, as far as it is known: benchmarks/table.py puts it beside its "no"."""

from benchmarks.loaders import OURS

CALLS = "what a call costs whatever the picture's size is most of its time at 28×28, and weighs less in a larger one"
PRODUCTS = (
    "the update, and order, rows, ledger and measures, are in our time alone, and products of small slots are slower "
    "than of a thread's whole half (NOTES.md)"
)
WHOLE = (
    "its products are of whole batches, ours of slots, whose gradients are kept apart and then added; order, ledger "
    "and measures are in our time alone"
)
SHARED = "server and workers share two cores, where whoever is put aside makes the others wait"
GRAIN = (
    "an image's draws take a seventh of what they took where the ratio was above 40: NumPy's `random` in the place of "
    "`uniform` with six bounds (NOTES.md)"
)
GRAIN_BATCH = (
    "draws are made for a whole batch at once there, so that OpenCV's loop, records read one by one and messages of "
    "processes are what is left"
)
GRAIN_COLOUR = (
    "what Grain does for an image grows little with its pixels (CPU of a million images, above and below), while ours "
    "is the pixels' time"
)
DIGEST = (
    "most of it is the sha256 of all images that were given, 154 MB (47 at 28×28), by which states and tickets know "
    "the stream's data: it comes before the first batch"
)
EPOCH = (
    "a served epoch goes at the steady rate from its start, so beside that ratio only the peer's start counts: short "
    "where its Ray runs, its modules are compiled and its images lie in the object store, as ours with the servers"
)
ARROW = "the warp is a third of it; a third is sha256 of file and of pixels, the rest writing and flushing (NOTES.md)"
PARQUET = (
    "draws and matrices of a whole batch at once save the peer a quarter of what an image took where the ratio was "
    "above 6; of ours, compression is a quarter (NOTES.md)"
)
# (part, how the row's name begins, contender) → why
REASONS = {
    ("warp", "3×", "torchvision v2"): CALLS,
    ("warp", "3×", "albumentations"): CALLS,
    ("stream", "28×28, steady", "Grain, OpenCV"): GRAIN,
    ("stream", "28×28, steady", "Grain, OpenCV by batch"): GRAIN_BATCH,
    ("stream", "3×32×32, steady", "Grain, OpenCV"): GRAIN_COLOUR,
    ("stream", "3×32×32, steady", "Grain, OpenCV by batch"): GRAIN_COLOUR,
    ("stream", "3×32×32, first batch", OURS): DIGEST,
    ("stream", "28×28, a whole epoch, on Ray", "Ray Data, our warp"): EPOCH,
    ("stream", "3×32×32, a whole epoch, on Ray", "Ray Data, our warp"): EPOCH,
    ("training", "batch", "bare products"): PRODUCTS,
    ("training", "batch", "PyTorch"): WHOLE,
    ("training", "batch", "PyTorch, compiled"): WHOLE,
    ("training", "batch", "scikit-learn"): WHOLE,
    ("ray", "batch", "local mode"): SHARED,
    ("ray", "batch", "documentation's parameter server"): SHARED + "; the peer augments nothing",
    ("ray", "batch", "Ray Train, DDP (gloo)"): SHARED + "; the peer augments nothing",
    ("export", "3 epochs to parquet", "Ray Data, OpenCV"): PARQUET,
    ("export", "3 epochs to arrow", "bare warp"): ARROW,
}


def reason(part: str, row: str, contender: str) -> str:
    """Why, in words; nothing where it is not known."""
    found = [why for (a, b, c), why in REASONS.items() if a == part and row.startswith(b) and c == contender]
    return found[0] if found else ""
