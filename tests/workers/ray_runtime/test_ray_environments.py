"""A node whose BLAS computes other bits: its actors are refused, or admitted by --mixed-cpus, and the run says so."""

import json
from pathlib import Path

import pytest

from tests.workers.programs import end, run, start
from tests.workers.ray_runtime.long_run import TRAIN, check, go_on_locally, trained
from tests.workers.ray_runtime.nodes import several_nodes
from tests.workers.ray_runtime.waiting import wait_for
from tests.workers.runs import lines

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

# OpenBLAS takes the kernels of an old kind of core, which add in another order.
OTHER = {"OPENBLAS_CORETYPE": "Prescott"}
SHORT = [*TRAIN, "--epochs", "10"]


def test_a_worker_of_another_environment_is_refused(tmp_path: Path, unbroken: Path) -> None:
    folder = tmp_path / "run"
    metrics, incidents = folder / "metrics.jsonl", folder / "incidents.jsonl"
    with several_nodes(3) as nodes:
        place = ["--runtime", "ray", "--address", nodes.address, "--workers", "1:2", "--augmenters", "1"]
        driver = start(*TRAIN, *place, "--out", str(folder))
        try:
            wait_for(lambda: metrics.exists() and metrics.stat().st_size, "the first steps")
            other = nodes.add(1, OTHER)
            wait_for(lambda: incidents.exists() and "worker refused" in incidents.read_text(), "the refusal")
            go_on_locally(driver, folder, 300)  # in which the worker is not tried again
        except BaseException as error:
            driver.kill()
            raise AssertionError(end(driver, 30)[1]) from error
    check(folder, unbroken, "worker refused: 1")
    (refused,) = (line for line in lines(incidents) if line["kind"] == "worker refused")
    assert (refused["who"], refused["node"]) == ("worker-1", other.id)
    assert "core: " in refused["cause"]
    assert ", not " in refused["cause"]
    assert json.loads((folder / "result.json").read_text())["reproducible"] is True


def test_a_server_of_another_environment_goes_elsewhere_or_is_admitted(tmp_path: Path) -> None:
    run(*SHORT, "--out", str(tmp_path / "local"), "--workers", "1")
    with several_nodes(2) as nodes:
        other = nodes.add(3, OTHER)  # where the server begins, away from the driver
        for name, more in (("strict", ["--workers", "1", "--augmenters", "0"]), ("mixed", ["--mixed-cpus"])):
            place = ["--runtime", "ray", "--address", nodes.address, "--workers", "2", *more]
            run(*SHORT, *place, "--out", str(tmp_path / name))
        (refused,) = (line for line in lines(tmp_path / "strict" / "incidents.jsonl") if "refused" in line["kind"])
        assert (refused["kind"], refused["node"]) == ("parameter server refused", other.id)
    assert trained(tmp_path / "strict") == trained(tmp_path / "local")
    admitted = [line for line in lines(tmp_path / "mixed" / "incidents.jsonl") if "admitted" in line["kind"]]
    assert admitted[0]["who"] == "server"
    assert {line["node"] for line in admitted} == {other.id}
    assert json.loads((tmp_path / "mixed" / "result.json").read_text())["reproducible"] is False
    assert "not reproducible" in run("audit", str(tmp_path / "mixed"))


def test_a_server_that_is_lost_and_comes_back_with_another_environment_moves_on(tmp_path: Path, unbroken: Path) -> None:
    folder = tmp_path / "run"
    metrics, incidents = folder / "metrics.jsonl", folder / "incidents.jsonl"
    with several_nodes(3, 1) as nodes:
        place = ["--runtime", "ray", "--address", nodes.address, "--workers", "1", "--augmenters", "1"]
        driver = start(*TRAIN, *place, "--out", str(folder))
        try:
            wait_for(lambda: metrics.exists() and metrics.stat().st_size, "the first steps")
            other = nodes.add(1, OTHER)
            nodes.lose(nodes.others[0])  # the server's: it keeps away from the driver's
            wait_for(lambda: incidents.exists() and "server refused" in incidents.read_text(), "the refusal")
            go_on_locally(driver, folder)
        except BaseException as error:
            driver.kill()
            raise AssertionError(end(driver, 30)[1]) from error
    check(folder, unbroken, "parameter server refused: 1")
    (refused,) = (line for line in lines(incidents) if "refused" in line["kind"])
    assert refused["node"] == other.id
