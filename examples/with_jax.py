"""JAX: the stream as NumPy arrays, a perceptron of two layers, plain gradient descent.

python examples/with_jax.py --epochs 10
"""

import argparse

import jax
import jax.numpy as jnp

import millrace


def scores(weights, images):
    """The network: pixels in, one score for each class out."""
    hidden = jax.nn.relu(images.reshape(len(images), -1) @ weights["hidden"] + weights["bias"])
    return hidden @ weights["output"]


def loss(weights, images, labels):
    chosen = jax.nn.log_softmax(scores(weights, images))
    return -jnp.mean(jnp.take_along_axis(chosen, labels[:, None], axis=1))


@jax.jit
def update(weights, images, labels, rate=0.1):
    slopes = jax.grad(loss)(weights, images, labels)
    return jax.tree.map(lambda weight, slope: weight - rate * slope, weights, slopes)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--epochs", type=int, default=10)
    given = parser.parse_args()
    stream = millrace.stream(given.dataset, batch=128, seed=0, drop_last=True)  # one shape, compiled once
    pixels = stream.shape[0] * stream.shape[1] * stream.shape[2]
    first, second = jax.random.split(jax.random.key(0))
    weights = {
        "hidden": jax.random.normal(first, (pixels, 128)) * (2 / pixels) ** 0.5,
        "bias": jnp.zeros(128),
        "output": jax.random.normal(second, (128, len(stream.classes))) * (1 / 128) ** 0.5,
    }
    for images, labels in stream.numpy(given.epochs):
        weights = update(weights, images, labels)

    right = total = 0
    for images, labels in millrace.stream(given.dataset, batch=120, split="test").numpy(
        1, mean=stream.mean, std=stream.std
    ):
        right += int((scores(weights, images).argmax(1) == labels).sum())
        total += len(labels)
    print(f"accuracy {right / total:.4f} on {total} samples")


if __name__ == "__main__":
    main()
