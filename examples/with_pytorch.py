"""PyTorch: train on the stream, stop whenever you like, go on in the middle of an epoch; one process or several.

    python examples/with_pytorch.py --epochs 10
    torchrun --nproc-per-node 2 examples/with_pytorch.py --epochs 10

A run that was stopped goes on with the next batch and ends in the same weights; two processes end in the loss of one.
"""

import argparse
import os
from pathlib import Path

import torch
import torch.distributed as distributed
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel

import millrace


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--checkpoint", type=Path, default=Path("pytorch.pt"))
    parser.add_argument("--stop-after", type=int, help="stop after so many steps, as if the machine were needed")
    given = parser.parse_args()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = "cuda" if torch.cuda.is_available() else "cpu"

    stream = millrace.stream(given.dataset, batch=128, seed=0)
    batches = stream.shard(rank, world).torch(given.epochs, columns=("image", "label", "weight"), device=device)
    torch.manual_seed(0)
    pixels = stream.shape[0] * stream.shape[1] * stream.shape[2]
    network = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(pixels, 128), torch.nn.ReLU(), torch.nn.Linear(128, len(stream.classes))
    ).to(device)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    if given.checkpoint.exists():
        saved = torch.load(given.checkpoint, weights_only=True)
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        batches.load_state_dict(saved["batches"])
        print(f"rank {rank} goes on at step {saved['batches']['step']}")
    trained = network
    if world > 1:
        distributed.init_process_group("gloo")
        trained = DistributedDataParallel(network)

    for step, (images, labels, weight) in enumerate(batches):
        # The weighted sum is the mean over the whole step, also where this rank has fewer rows than another, or none.
        loss = (weight * F.cross_entropy(trained(images), labels, reduction="none")).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step + 1 == given.stop_after:
            break
    if rank == 0:
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "batches": batches.state_dict()}
        torch.save(state, given.checkpoint)

    # Every test sample once, whatever the number of processes.
    counts = torch.zeros(2)
    with torch.no_grad():
        test = millrace.stream(given.dataset, batch=120, split="test").shard(rank, world)
        scaling = {"mean": stream.mean, "std": stream.std}
        for images, labels in test.torch(1, device=device, **scaling):
            counts += torch.tensor([(network(images).argmax(1) == labels).sum().item(), len(labels)])
    if world > 1:
        distributed.all_reduce(counts)
        distributed.destroy_process_group()
    if rank == 0:
        weights = torch.cat([parameter.flatten() for parameter in network.parameters()])
        print(f"accuracy {counts[0] / counts[1]:.4f} on {int(counts[1])} samples", end=", ")
        print(f"sum of weights {weights.double().sum():.9f}")


if __name__ == "__main__":
    main()
