"""Keras, on any of its backends: `fit` takes the stream's batches, channels last.

KERAS_BACKEND=jax python examples/with_keras.py --epochs 10
"""

import argparse

import keras

import millrace


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--epochs", type=int, default=10)
    given = parser.parse_args()
    stream = millrace.stream(given.dataset, batch=128, seed=0)
    channels, height, width = stream.shape
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((height, width, channels)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(len(stream.classes)),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile("adam", loss, metrics=["accuracy"])
    # One generator for all epochs: Keras takes len(stream) batches of it for each, and knows generators by their type.
    batches = (batch for batch in stream.numpy(given.epochs, layout="NHWC"))
    network.fit(batches, epochs=given.epochs, steps_per_epoch=len(stream), shuffle=False, verbose=0)

    test = millrace.stream(given.dataset, batch=120, split="test")
    scaled = test.numpy(1, layout="NHWC", mean=stream.mean, std=stream.std)
    _, accuracy = network.evaluate((batch for batch in scaled), steps=len(scaled), verbose=0)
    print(f"accuracy {accuracy:.4f} on {test.samples} samples")


if __name__ == "__main__":
    main()
