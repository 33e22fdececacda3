"""A random recipe: flags of `millrace train` that work together, and about how many steps they make."""

from collections.abc import Collection
from itertools import pairwise
from random import Random
from typing import NamedTuple

SAMPLES = {"digits": 1437, "@noise": 700}  # @noise stands for a file that `stage.noise` writes
INPUTS = {"digits": 64, "@noise": 432}
STALE = ("1", "3", "8", "unbounded")
METHODS = (
    ("--regularization.dropout", "0.2"),
    ("--regularization.clip", "0.5"),
    ("--regularization.max-norm", "2"),
    ("--regularization.average", "0.95"),
    ("--regularization.weight-noise", "0.01"),
    ("--regularization.mixup", "0.3"),
    ("--network.norm", "layer"),
    ("--policy.elastic", "0.05"),
    ("--policy.erase", "0.3"),
    ("--sampling", "balanced"),
    ("--schedule.name", "one-cycle"),
)
OPTIMIZERS = ("adam", "adamw", "nesterov", "momentum", "rmsprop", "adagrad", "sgd")
LOCAL, RAY, NODES = "local", "ray", "nodes"
CHUNK = 65536  # elements: no server has less
LEAST, MOST = 60, 6000  # steps


class Recipe(NamedTuple):
    """Flags that decide the bits, flags that decide none, and the steps of all epochs."""

    job: tuple[str, ...]
    place: tuple[str, ...]
    steps: int


def recipe(random: Random, where: str, known: Collection[str]) -> Recipe:
    """Draw one. where: LOCAL, RAY, or NODES, a cluster of several. known: the keys that this release has; of others
    nothing is said, but all are drawn, so a new one changes no recipe without it."""
    dataset = random.choice(tuple(SAMPLES))
    hidden = random.choice(((), (32,), (64, 32), (128, 64), (256, 128), (512, 256)))
    batch = random.choice((16, 64, 100, 250, 500, SAMPLES[dataset]))
    slot = random.choice((0, 0, 8, 70, 128))
    validation = random.choice((0, 0, 100))
    batch = min(batch, SAMPLES[dataset] - validation)
    stopping = random.choice(("", "", "3", "500"))  # epochs without a better one
    methods = random.sample(METHODS, random.choice((0, 0, 1, 2, 3)))
    staleness = random.choice(STALE) if random.random() < 0.3 else "0"
    optimizer = random.choice(OPTIMIZERS)
    workers, augmenters = random.choice((1, 2, 3, 4)), random.choice((0, 0, 1, 2))
    often = random.choice(("0.02", "0.1", "0.5", "2"))
    seed, servers, wire = random.randrange(1 << 32), random.choice((1, 1, 2, 3)), random.choice(("float32", "bfloat16"))
    seconds = random.uniform(2, 6) if where == LOCAL else random.uniform(15, 40)

    per_epoch = -(-(SAMPLES[dataset] - validation) // batch)
    sizes = (INPUTS[dataset], *hidden, 10)
    parameters = sum(first * second for first, second in pairwise(sizes))
    each = (0.0004 if where == LOCAL else 0.003) + batch * (8e-6 + 6 * parameters / 20e9)
    steps = min(max(round(seconds / each), LEAST), MOST)
    epochs = max(1, round(steps / per_epoch))

    job = ["--dataset", dataset, "--epochs", str(epochs), "--batch", str(batch), "--seed", str(seed)]
    job += ["--network.hidden", *map(str, hidden), "--optimizer.name", optimizer, "--optimizer.rate", "0.001"]
    job += ["--slot-size", str(min(slot, batch))] if slot else []
    job += ["--validation", str(validation)] if validation else []
    job += ["--regularization.early-stopping", stopping] if validation and stopping else []
    job += [word for method in methods for word in method]
    job += ["--staleness", staleness] if staleness != "0" else []
    place = ["--workers", str(workers), "--checkpoint-every", often]
    if where == NODES:  # their seven CPUs, two of which may be lost
        place[1], augmenters, servers = str(min(workers, 2)), min(augmenters, 1), min(servers, 2)
    if where == LOCAL:
        place += ["--augmenters", str(augmenters)] if staleness == "0" else []
    else:
        place += ["--runtime", "ray", *(("--augmenters", str(augmenters)) if staleness == "0" else ())]
        servers = min(servers, max(1, parameters // CHUNK))
        place += ["--servers", str(servers)] if "servers" in known and staleness == "0" else []
    if "wire" in known and wire != "float32":
        job += ["--wire", wire if seed % 2 else "int8"]
    return Recipe(tuple(job), tuple(place), epochs * per_epoch)
