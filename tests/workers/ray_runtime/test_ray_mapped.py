"""Tables that do not fit the object stores of all nodes: files are mapped, and every byte is that of local mode.

The head's store takes 80 MiB of table, the other node's 60: one table of 66 MiB goes through the head's store and is
copied to the other node, one of 90 MiB is mapped by both.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from millrace.workers.ray_runtime.handover import MAPPED
from tests.workers.programs import run
from tests.workers.ray_runtime.long_run import trained
from tests.workers.ray_runtime.nodes import Nodes, several_nodes
from tests.workers.runs import lines

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(240)]

LEAST = 75 << 20  # Ray's smallest store
BYTES = 3 * 128 * 128
TRAIN = ["train", "--network.hidden", "16", "--batch", "400", "--slot-size", "70", "--seed", "7", "--epochs", "1"]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with several_nodes(2) as found:
        found.add(3, store=LEAST)
        yield found


def table(folder: Path, mebibytes: int) -> str:
    """A file of images of so many bytes in all, of two classes."""
    rows = (mebibytes << 20) // BYTES
    labels = np.arange(rows, dtype=np.uint8) % 2
    pixels = np.arange(rows * 128, dtype=np.uint32).reshape(rows, 1, 128, 1) * 2_654_435_761 >> 24
    images = np.broadcast_to(pixels.astype(np.uint8), (rows, 3, 128, 128))
    path = folder / f"{mebibytes}.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images[:8], y_test=labels[:8])
    return str(path)


def copies(nodes: Nodes) -> list[Path]:
    """The tables of which the other node has files of its own."""
    return list((nodes.others[0].folder / "cache" / "millrace" / "copies").glob("*/table.json"))


def test_a_node_without_room_trains_on_a_copy(tmp_path: Path, nodes: Nodes) -> None:
    train = [*TRAIN, "--dataset", table(tmp_path, 66)]
    run(*train, "--out", str(tmp_path / "local"), "--workers", "1")
    place = ["--runtime", "ray", "--address", nodes.address, "--workers", "2", "--out", str(tmp_path / "ray")]
    said = run(*train, *place, seconds=120)
    assert trained(tmp_path / "ray") == trained(tmp_path / "local")
    (mapped,) = [line for line in lines(tmp_path / "ray" / "incidents.jsonl") if line["kind"] == MAPPED]
    assert mapped["node"] == nodes.others[0].id
    assert mapped["cause"].startswith("66 MiB do not fit its object store of 75 MiB, of which a fifth stays free: ")
    assert said.count(MAPPED) == 1
    assert len(copies(nodes)) == 1


def test_where_no_node_has_room_all_map_it(tmp_path: Path, nodes: Nodes) -> None:
    export = ["export", table(tmp_path, 90), "--shard-rows", "500", "--format", "arrow"]
    for name, place in (("local", []), ("ray", ["--runtime", "ray", "--address", nodes.address])):
        said = run(*export, "--out", str(tmp_path / name), *place, seconds=120)
    files = [path.relative_to(tmp_path / "local") for path in (tmp_path / "local").rglob("*") if path.is_file()]
    assert len(files) > 4
    for path in files:
        assert (tmp_path / "ray" / path).read_bytes() == (tmp_path / "local" / path).read_bytes()
    # By each node that had work before all was done.
    assert 1 <= said.count(MAPPED) <= 2
    assert "90 MiB do not fit its object store" in " ".join(said.split())
