"""Lightning: the stream is the trainer's loader, and its place is part of Lightning's own checkpoint.

python examples/with_lightning.py --epochs 10
python examples/with_lightning.py --epochs 10 --resume lightning/last.ckpt
"""

import argparse

import lightning
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint

import millrace


class Perceptron(lightning.LightningModule):
    """Two layers; knows nothing of where its batches come from."""

    def __init__(self, pixels: int, classes: int) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(pixels, 128), torch.nn.ReLU(), torch.nn.Linear(128, classes)
        )
        self.counts = [0, 0]

    def training_step(self, batch, index):
        images, labels = batch
        return F.cross_entropy(self.layers(images), labels)

    def test_step(self, batch, index):
        images, labels = batch
        self.counts[0] += int((self.layers(images).argmax(1) == labels).sum())
        self.counts[1] += len(labels)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=-1, help="stop after so many steps in all")
    parser.add_argument("--folder", default="lightning")
    parser.add_argument("--resume", help="a checkpoint to go on from")
    given = parser.parse_args()
    lightning.seed_everything(0, verbose=False)
    stream = millrace.stream(given.dataset, batch=128, seed=0)
    trainer = lightning.Trainer(
        max_epochs=given.epochs,
        max_steps=given.steps,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[ModelCheckpoint(given.folder, save_last=True, every_n_train_steps=1, save_top_k=1)],
    )
    network = Perceptron(stream.shape[0] * stream.shape[1] * stream.shape[2], len(stream.classes))
    trainer.fit(network, stream.torch(), ckpt_path=given.resume)  # each pass of the loader is an epoch
    test = millrace.stream(given.dataset, batch=120, split="test")
    trainer.test(network, test.torch(mean=stream.mean, std=stream.std), verbose=False)
    weights = torch.cat([parameter.flatten() for parameter in network.parameters()])
    right, total = network.counts
    print(f"accuracy {right / total:.4f} on {total} samples, sum of weights {weights.double().sum():.9f}")


if __name__ == "__main__":
    main()
