"""`millrace serve --runtime ray`: a server comes and goes with each node, and no client loses a batch by it."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import millrace
from millrace.errors import DeadlineError
from tests.service.test_place import TOKEN, certificate
from tests.workers.programs import end, start
from tests.workers.ray_runtime.nodes import several_nodes
from tests.workers.ray_runtime.processes import descendants
from tests.workers.ray_runtime.waiting import wait_for

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(240)]
SERVER, EPOCHS, BATCH = "ray::NodeActor", 60, 32


def test_a_client_goes_on_through_the_loss_of_a_node_and_of_a_server(tmp_path: Path) -> None:
    """Over TLS, and the files of token and certificate are there no more when the second server starts: the driver
    tells it what they held."""
    (tmp_path / "token").write_text(TOKEN)
    cert, key = certificate(tmp_path)
    roots, ready = Path(cert).read_bytes(), tmp_path / "ready"
    words = ["serve", "digits", "--batch", str(BATCH), "--seed", "3", "--port", "0", "--ready-file", str(ready)]
    words += ["--token-file", str(tmp_path / "token"), "--tls-cert", cert, "--tls-key", key]
    local = millrace.stream("digits", batch=BATCH, seed=3, threads=0)
    with several_nodes(1) as nodes:
        driver = start(*words, "--runtime", "ray", "--address", nodes.address)
        try:
            first = wait_for(lambda: ready.exists() and ready.read_text().strip(), "the first server")
            for file in (cert, key, tmp_path / "token"):
                Path(file).unlink()

            def connect(address: str) -> Any:
                return millrace.connect(address, token=TOKEN, tls_roots=roots, read_ahead=1, threads=1)

            def second_of(stream: Any) -> str | None:
                named = stream._source.described["endpoints"]
                return next((one for one in named if one != first), None)

            node = nodes.add(1)
            second = wait_for(lambda: second_of(connect(first)), "the node's server")
            [of_node] = descendants(SERVER, node.handle.all_processes["raylet"][0].process.pid)
            batches = enumerate(connect(second).arrow(epochs=EPOCHS))
            for step, batch in batches:
                assert batch.equals(local[step], check_metadata=True)
                if step == EPOCHS * len(local) // 4:
                    nodes.lose(node)
                    wait_for(lambda: not Path(f"/proc/{of_node}").exists(), "the end of the node's server")
                if step == EPOCHS * len(local) // 2:
                    [other] = descendants(SERVER)
                    os.kill(other, signal.SIGKILL)
            assert step == EPOCHS * len(local) - 1
            # At the port that it had, and it knows that it is alone; the driver hears of it up to a second later.
            wait_for(lambda: f"a server answers again at {first}" in driver.said, "the first server's return")
            wait_for(lambda: second_of(connect(first)) is None, "the first server, without the other")
            code, said = end(driver, 0, signal.SIGTERM)
        except BaseException as error:
            driver.kill()
            raise AssertionError(end(driver, 30)[1]) from error
    assert code == 0, said
    assert f"at        {first}" in said
    assert f"a server answers at {second} on node {node.id[:8]}" in said
    assert f"node {node.id[:8]} went" in said
    assert "draining 1 server" in said
    assert TOKEN not in said
    with pytest.raises(DeadlineError):
        millrace.connect(first, token=TOKEN, tls_roots=roots, patience=0)


def test_a_cluster_that_is_not_there_is_said_before_the_data_is_fetched() -> None:
    words = ["serve", "mnist", "--offline", "--runtime", "ray", "--address", "127.0.0.1:1"]
    code, said = end(start(*words), 100)
    assert code == 2
    assert "the Ray cluster at 127.0.0.1:1 is not there" in said
