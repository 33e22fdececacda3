"""What is offered: from settings, as `millrace serve` has them; an export with its seed and its epochs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import flight

import millrace
from millrace.commands.serve import ServeOptions
from millrace.errors import UsageError
from millrace.library.serving import KEYS, offer_of
from millrace.pipeline import Order, images_of
from millrace.service.offer import WHOLE
from millrace.service.service import Service
from millrace.service.ticket import Refused
from millrace.settings import flags, layers
from tests.pipeline.export.small import planned, shapes, written
from tests.service.conftest import offered, pictures

Serve = Callable[..., Service]
EPOCHS = 3  # of the export


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "shapes"
    data = shapes()
    written(planned(data), data, path)  # with seed 7
    return path


def settings(dataset: object, **given: object) -> layers.Settings:
    return layers.resolve(None, {"dataset": str(dataset), **given})


def test_an_export_is_served_with_its_seed_and_its_epochs(serve: Serve, folder: Path) -> None:
    """The default seed of a training is none that was chosen, and would be refused as another one."""
    service, own = serve(offer_of(settings(folder), batch=8)), millrace.stream(folder, batch=8)
    with pytest.raises(UsageError, match="a seed of their own"):
        offer_of(settings(folder, seed=1), batch=8)
    stream = millrace.connect(service.address, patience=5)
    assert stream._source.described["epochs"] == EPOCHS  # type: ignore[attr-defined]
    assert stream.state() == own.state()
    pairs = zip(stream.arrow(EPOCHS), own.arrow(EPOCHS), strict=True)
    assert all(theirs.equals(mine, check_metadata=True) for theirs, mine in pairs)
    with pytest.raises(UsageError, match="no such rows"):
        _ = stream[EPOCHS * len(own)]
    with pytest.raises(UsageError, match="the service holds too few epochs") as raised:
        stream.numpy(epochs=EPOCHS + 1)
    assert raised.value.expected == f"at most {EPOCHS}"
    assert "have it serve more" in str(raised.value.do)
    with flight.FlightClient(service.address) as client, pytest.raises(flight.FlightServerError, match="out-of-range"):
        list(client.do_action(flight.Action("explain", b'{"sample": 0}'), flight.FlightCallOptions(timeout=10)))


def test_fewer_epochs_of_an_export_may_be_served_and_no_more(folder: Path) -> None:
    assert [offer_of(settings(folder), batch=8, epochs=count).epochs for count in (1, 3, 9)] == [1, 3, 3]


def test_who_asks_for_more_epochs_than_are_served_is_told_how_many_there_are(serve: Serve) -> None:
    stream = millrace.connect(serve(offered(epochs=2)).address, patience=5)
    for ask in (stream.numpy, stream.arrow):
        with pytest.raises(UsageError, match="the service holds too few epochs") as raised:
            ask(epochs=3)
        assert (raised.value.expected, raised.value.got) == ("at most 2", 3)
    assert sum(1 for _ in stream.arrow(2)) == 2 * len(stream)


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"sampling": "balanced"},
        {"validation": 9, "subset": 40},
        {"drop_last": True},
        {"split": "validation", "validation": 9, "policy": "none"},
    ],
)
def test_explain_finds_every_sample_of_an_epoch_and_no_other(chosen: dict[str, Any]) -> None:
    images, labels = pictures()
    offer = offered((images, np.minimum(labels, 1 + (np.arange(len(labels)) > 45))), batch=7, **chosen)
    for epoch in (0, 3):
        steps = range(epoch * offer.order.steps_per_epoch, (epoch + 1) * offer.order.steps_per_epoch)
        rows = [(step, row, one) for step in steps for row, one in enumerate(offer.record(step, WHOLE).to_pylist())]
        first = {one["sample"]: (step, row, one) for step, row, one in reversed(rows)}
        for sample in range(len(images) + 1):
            if sample not in first:
                with pytest.raises(Refused, match="is not in epoch"):
                    offer.explain(sample, epoch)
                continue
            told, (step, row, one) = offer.explain(sample, epoch), first[sample]
            assert (told["step"], told["row"], told["label"]) == (step, row, one["label"])
            assert told["parameters"] == {name: float(one[name]) for name in told["parameters"]}


def test_explain_of_a_large_stream_looks_at_one_row_alone() -> None:
    """It looked at every position of the epoch: seconds and gigabytes where there are hundreds of millions."""
    order = Order(1 << 40, batch=256, slot=128, seed=3)
    place = int(order.visited(5, 123_456_789_012, 123_456_789_013)[0])
    assert order.position(5, place) == 123_456_789_012


def test_what_takes_time_is_computed_before_a_client_can_ask(serve: Serve) -> None:
    offer = offered()
    serve(offer)
    assert {"schema", "_statistics"} <= vars(offer).keys()


def test_files_of_ones_own_are_served_as_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "cache"))
    images = np.arange(12 * 4 * 4, dtype=np.float32).reshape(12, 4, 4) / 192
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(12) % 2)
    words = [str(tmp_path / "own.npz"), "--range", "0..1", "--test-share", "0.5", "--batch", "2"]
    options, given = flags.parse("serve", ServeOptions, words, KEYS)
    offer = offer_of(settings(options.dataset, **given), batch=options.batch)
    own = millrace.stream(words[0], batch=2, range="0..1", test_share=0.5)
    assert offer.samples == 6
    assert np.array_equal(images_of(offer.record(0, WHOLE)), images_of(own[0]))
