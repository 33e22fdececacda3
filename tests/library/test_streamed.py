"""Training from a service: the recipe that it states, the bits of local mode, a server that is killed meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import millrace
from millrace.datasets import find, load
from millrace.errors import ServiceError, UsageError
from millrace.loading.source import Choice, StreamSource
from millrace.pipeline import preset
from millrace.service.offer import Offer
from millrace.service.place import ServePlace
from millrace.service.service import Service
from millrace.workers import EpochDone, StepDone
from tests.service.client.processes import Served

SMALL: dict[str, Any] = {"network": {"hidden": [16]}, "epochs": 2, "workers": 2}
STATED: dict[str, Any] = {"batch": 64, "seed": 7, "policy": "digits", "validation": 100}
TOKEN = "0123456789abcdef-token"


def served(**also: Any) -> Offer:
    chosen = {"policy": preset("digits"), "split": "train", "subset": None, "drop_last": False, **also}
    return Offer(StreamSource(load(find("digits")), Choice(batch=64, seed=7, validation=100, **chosen)))


@pytest.fixture
def service() -> Iterator[Service]:
    with Service(served(), ServePlace(token=TOKEN)) as running:
        yield running


@pytest.fixture
def token(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return str(path)


def bits(run: Any) -> dict[str, bytes]:
    """What the newest checkpoint holds, but for the time that it took."""
    folder = sorted((Path(run.path) / "checkpoints").iterdir())[-1]
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


@pytest.mark.slow
def test_the_recipe_is_the_services_and_the_bits_are_those_of_local_mode(
    service: Service, token: str, tmp_path: Path
) -> None:
    there = millrace.train(stream=service.address, token_file=token, out=str(tmp_path / "there"), **SMALL)
    here = millrace.train("digits", out=str(tmp_path / "here"), **STATED, **SMALL)
    assert len(bits(there)) >= 2
    assert bits(there) == bits(here)
    assert service.figures.rows >= 2 * 1337
    assert there.config.job == here.config.job
    # The recipe is the run's own: it is the same run without the service.
    assert millrace.train("digits", out=str(tmp_path / "there"), **STATED, **SMALL).finished


@pytest.mark.slow
def test_a_run_goes_on_from_the_service_and_only_from_its_own(service: Service, token: str, tmp_path: Path) -> None:
    stop = threading.Event()

    def after_an_epoch(event: object) -> None:
        if isinstance(event, EpochDone):
            stop.set()

    place: dict[str, Any] = {"stream": service.address, "token_file": token}
    halves = millrace.train(out=str(tmp_path / "run"), observer=after_an_epoch, stop=stop, **place, **SMALL)
    assert not halves.finished
    with Service(served(policy=preset("none")), ServePlace()) as other, pytest.raises(ServiceError) as raised:
        millrace.resume(tmp_path / "run", stream=other.address)
    assert service.offer.digest in str(raised.value)
    assert other.offer.digest in str(raised.value)
    whole = millrace.train("digits", out=str(tmp_path / "here"), **STATED, **SMALL)
    assert bits(millrace.resume(tmp_path / "run")) == bits(whole)  # the place keeps the address


def test_what_the_service_does_not_state_is_refused(service: Service, token: str, tmp_path: Path) -> None:
    def refused(word: str, kind: type[Exception] = UsageError, **given: Any) -> None:
        with pytest.raises(kind, match=word):
            millrace.train(**{"stream": service.address, "token_file": token, "out": str(tmp_path / "no"), **given})
        assert not (tmp_path / "no").exists()

    refused("another batch", batch=32)
    refused("another seed", seed=8)
    refused("another policy", policy="none")
    refused("another validation", validation=10)
    refused("local mode", runtime="ray")
    refused("no address", stream="http://a:1")
    refused("cannot be read", millrace.MillraceError, token_file=str(tmp_path / "none"))
    with Service(served(split="test", policy="none"), ServePlace()) as other:
        refused("not for training", stream=other.address, token_file=None)
    with Service(Offer(served().source, 2), ServePlace()) as ending:  # as an export ends
        refused("epochs without end", stream=ending.address, token_file=None)


@pytest.mark.slow
def test_stopping_does_not_wait_for_a_service_that_is_gone(service: Service, token: str, tmp_path: Path) -> None:
    stop, stopped = threading.Event(), 0.0

    def leave(event: object) -> None:
        nonlocal stopped
        if isinstance(event, StepDone) and event.step == 3:
            service.close(0.0)
            time.sleep(0.5)  # until the threads that fetch ahead have found out
            stopped = time.monotonic()
            stop.set()

    run = millrace.train(
        stream=service.address, token_file=token, out=str(tmp_path / "run"), observer=leave, stop=stop, **SMALL
    )
    assert not run.finished
    assert 0 < time.monotonic() - stopped < 20  # not the 60 s of patience


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_server_is_killed_and_started_again_in_mid_epoch(tmp_path: Path) -> None:
    words = ("digits", "--batch", "64", "--seed", "7", "--policy", "digits", "--validation", "100")
    with Served(tmp_path, *words) as server:
        deeds: dict[int, Callable[[], object]] = {5: server.kill, 20: server.kill}

        def kill(event: object) -> None:
            if isinstance(event, StepDone) and (deed := deeds.pop(event.step, None)) is not None:
                deed()
                threading.Timer(0.3, server.launch).start()

        there = millrace.train(stream=server.address, out=str(tmp_path / "there"), observer=kill, read_ahead=0, **SMALL)
    here = millrace.train("digits", out=str(tmp_path / "here"), **STATED, **SMALL)
    assert not deeds
    assert bits(there) == bits(here)
