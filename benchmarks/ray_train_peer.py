"""The other peer: Ray Train with DistributedDataParallel over gloo, two workers.

    python -m benchmarks.ray_train_peer --batch 1024 --steps 200

After "Get Started with Distributed Training using PyTorch", https://docs.ray.io/en/latest/train/getting-started-pytorch.html:
`TorchTrainer`, `prepare_model`, a loop in each worker. The network is 784-999-299-10 with fused Adam, one thread for
each worker, its share of the batch in one piece from random data in its memory. No augmentation, no order of samples,
no metrics but the figure, no checkpoint.

Writes the samples per second of the later three quarters of the steps.
"""

import argparse
import itertools
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.ray_peer import ROWS, WIDTHS


def loop(config: dict[str, Any]) -> None:
    """What each worker does."""
    torch, train = import_module("torch"), import_module("ray.train")
    prepare_model = import_module("ray.train.torch").prepare_model
    torch.set_num_threads(1)
    rows, steps = config["rows"], config["steps"]
    x, y = torch.randn(ROWS, WIDTHS[0]), torch.randint(WIDTHS[-1], (ROWS,))
    layers: list[Any] = []
    for inputs, units in itertools.pairwise(WIDTHS):
        layers += [torch.nn.Linear(inputs, units), torch.nn.ReLU()]
    network = prepare_model(torch.nn.Sequential(*layers[:-1]))
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    begun, at = 0.0, 0
    for step in range(steps):
        if step == steps // 4:
            begun = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(network(x[at : at + rows]), y[at : at + rows]).backward()
        optimizer.step()
        at = at + rows if at + 2 * rows <= ROWS else 0
    taken = time.perf_counter() - begun
    context = train.get_context()
    if context.get_world_rank() == 0:  # metrics that come without a checkpoint are not kept
        Path(config["out"]).write_text(str((steps - steps // 4) * rows * context.get_world_size() / taken))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    ray, train = import_module("ray"), import_module("ray.train")
    trainers = import_module("ray.train.torch")
    ray.init(address="local", num_cpus=given.workers + 1, include_dashboard=False, log_to_driver=False)
    try:
        with tempfile.TemporaryDirectory() as folder:
            trainer = trainers.TorchTrainer(
                loop,
                train_loop_config={"rows": given.batch // given.workers, "steps": given.steps, "out": f"{folder}/rate"},
                scaling_config=train.ScalingConfig(num_workers=given.workers, use_gpu=False),
                torch_config=trainers.TorchConfig(backend="gloo"),
                run_config=train.RunConfig(storage_path=folder),
            )
            trainer.fit()
            print(float(Path(folder, "rate").read_text()))
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
