"""PyTorch from a service: train, stop whenever you like, go on in the middle of an epoch.

    millrace serve digits
    python examples/service_pytorch.py grpc://127.0.0.1:8815 --epochs 10

A server that is started again meanwhile is waited for, and no batch is lost. This process needs NumPy, pyarrow and
PyTorch alone: `pip install millrace-client torch`.
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F

import millrace


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address", nargs="+", help="of one server, or of several of the same stream")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--checkpoint", type=Path, default=Path("service.pt"))
    parser.add_argument("--stop-after", type=int, help="stop after so many steps, as if the machine were needed")
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"

    stream = millrace.connect(given.address)
    batches = stream.torch(given.epochs, device=device)
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
        print(f"goes on at step {saved['batches']['step']}")

    right = count = 0
    for step, (images, labels) in enumerate(batches):
        logits = network(images)
        labels = labels.to(device)
        right, count = right + int((logits.argmax(1) == labels).sum()), count + len(labels)
        optimizer.zero_grad()
        F.cross_entropy(logits, labels).backward()
        optimizer.step()
        if step + 1 == given.stop_after:
            break
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "batches": batches.state_dict()}
    torch.save(state, given.checkpoint)
    total = sum(float(weights.abs().sum()) for weights in network.parameters())
    print(f"accuracy while it learned {right / max(count, 1):.4f} on {count} samples; sum of weights {total:.6f}")


if __name__ == "__main__":
    main()
