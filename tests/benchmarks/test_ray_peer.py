"""The peer computes the same network's gradients as the project does: what is compared is the machinery alone."""

import numpy as np

from benchmarks.ray_peer import RATE, WIDTHS, Server, Worker
from millrace.model import Network, NetworkOptions

ROWS = 32


def test_gradients_are_those_of_the_same_network() -> None:
    network = Network(NetworkOptions(hidden=WIDTHS[1:-1]), WIDTHS[0], WIDTHS[-1])
    weights, worker = Server().weights(), Worker(1, ROWS)
    flat = np.concatenate([array.ravel() for array in weights])
    x, y = worker.samples(slice(ROWS, 2 * ROWS))
    expected = np.empty_like(flat)
    network.gradient(flat, x, y.astype(np.uint8), expected, network.workspace(ROWS))
    got = np.concatenate([array.ravel() for array in worker.gradients(weights)])
    np.testing.assert_allclose(got, expected / ROWS, atol=1e-6)


def test_the_server_moves_along_the_mean() -> None:
    server = Server()
    before = [array.copy() for array in server.weights()]
    gradients = [[np.full_like(array, value) for array in before] for value in (1.0, 3.0)]
    after = server.apply(*gradients)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(new, old - 2 * RATE, atol=1e-6)
