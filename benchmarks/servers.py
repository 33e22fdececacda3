"""One parameter server against several, on three nodes behind cards of a limited rate.

    python -m benchmarks.servers [--rounds 3] [--servers 1 3] [--rates 1gbit 100gbit] [--steps 12]

Nodes of Ray on this machine, as benchmarks/cards.py makes them (Linux, `unshare`, `ip` and `tc`, no root needed);
100gbit is as good as no limit. 15.9 million parameters (64-4000-3900-10), SGD, batches of 48 in slots of 16, one worker
on each node, no augmenters; digits. Contenders take turns, each turn is a command of its own: `millrace train
--servers K`.

Seconds of a step: the median of a run's steps after the first three. MB that the busiest node's card took in, and sent,
per step, by the classes' own count, checkpoints included.
"""

import json
import statistics
import tempfile

from benchmarks.cards import FAST, Cards, cluster, go_inside
from benchmarks.ray import lines
from benchmarks.rounds import arguments, ratio, table, take_turns

NODES, WARM = 3, 3
BATCH, SLOT = 48, 16
TRAIN = ["-m", "millrace", "train", "--json", "--no-test", "--runtime", "ray", "--workers", str(NODES)]
TRAIN += ["--augmenters", "0", "--network.hidden", "4000", "3900", "--optimizer.name", "sgd", "--policy", "none"]
TRAIN += ["--optimizer.rate", "0.01", "--batch", str(BATCH), "--slot-size", str(SLOT), "--epochs", "1"]


class Contender:
    """Runs with so many servers at one rate; `taken` and `sent` have the MB a step of the busiest card."""

    def __init__(self, address: str, cards: Cards, servers: int, rate: str, steps: int) -> None:
        self._cards, self._rate, self.taken, self.sent = cards, rate, list[float](), list[float]()
        place = ["--address", address, "--servers", str(servers), "--subset", str(BATCH * (steps + WARM))]
        self._command = [*TRAIN, *place]

    def __call__(self) -> float:
        """Seconds of a step."""
        self._cards.limit(self._rate)
        seconds, before = list[float](), self._cards.traffic()
        with tempfile.TemporaryDirectory() as folder:
            for line in lines([*self._command, "--out", f"{folder}/run"]):
                event = json.loads(line)
                if event["event"] == "step":
                    seconds.append(BATCH / event["samples_per_second"])
                    before = self._cards.traffic() if len(seconds) == 1 else before
        moved = list(zip(self._cards.traffic(), before, strict=True))
        megabytes = (len(seconds) - 1) * 1e6
        self.taken.append(max(now.taken - then.taken for now, then in moved) / megabytes)
        self.sent.append(max(now.sent - then.sent for now, then in moved) / megabytes)
        return statistics.median(seconds[WARM:])


def contest(servers: list[int], rates: list[str], steps: int, rounds: int) -> None:
    """All numbers of servers at all rates."""
    cards = Cards(NODES)
    with cluster(cards, NODES) as address:
        contenders = {
            f"{rate}, servers {count}": Contender(address, cards, count, rate, steps)
            for rate in rates
            for count in servers
        }
        found = take_turns(contenders, rounds)
    print(table(found, "seconds a step"))
    print(table({name: one.taken for name, one in contenders.items()}, "MB a step, into the busiest node"))
    print(table({name: one.sent for name, one in contenders.items()}, "MB a step, out of the busiest node"))
    for rate in rates:
        first, *others = (f"{rate}, servers {count}" for count in servers)
        for other in others:
            each = [a / b for a, b in zip(found[other], found[first], strict=True)]
            middle, spread = ratio(found, other, first), f"{min(each):.3f} to {max(each):.3f}"
            print(f"{other}, time to that of {first}: {middle:.3f}, {spread}")


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.set_defaults(rounds=3)
    parser.add_argument("--servers", type=int, nargs="+", default=[1, NODES])
    parser.add_argument("--rates", nargs="+", default=["1gbit", FAST])
    parser.add_argument("--steps", type=int, default=12, help="that are measured in a run")
    options = parser.parse_args()
    go_inside("benchmarks.servers")
    contest(options.servers, options.rates, options.steps, options.rounds)


if __name__ == "__main__":
    main()
