"""What is given in the wrong place or of the wrong kind is a UsageError that names it, before anything is computed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import millrace as typed
from millrace import datasets
from millrace.errors import MillraceError, UsageError
from millrace.library.evaluating import evaluate
from tests.datasets.importers.drawn import folders
from tests.library.pictures import pictures, small

millrace: Any = typed  # what is given here is wrong for type checkers too
NETWORK = Path(__file__).parents[2] / "pretrained" / "digits.safetensors"
any_network: Callable[[], Any] = lambda: millrace.network(NETWORK)  # noqa: E731
any_stream: Callable[[], Any] = small
a_digit = np.zeros((1, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("call", "said", "do"),
    [
        (lambda: any_stream().numpy(columns=None), "columns has the wrong type", None),
        (lambda: any_stream().numpy(columns=5), "columns has the wrong type", None),
        (lambda: millrace.stream("digits", cache=3), "cache has the wrong type", None),
        (lambda: millrace.stream("digits", mirror=3), "mirror has the wrong type", None),
        (lambda: millrace.train(config=3), "config has the wrong type", None),
        (lambda: millrace.train(observer=3), "observer has the wrong type", None),
        (lambda: millrace.train(stop=3), "stop has the wrong type", None),
        (lambda: millrace.train(progress=3), "progress has the wrong type", None),
        (lambda: millrace.train(optimizer="adam"), "optimizer has the wrong type", 'optimizer={"name": "adam"}'),
        (lambda: millrace.train(optimizer="adam"), "optimizer has the wrong type", '**{"optimizer.name": "adam"}'),
        (lambda: millrace.train(pictures()), "dataset has the wrong type", "millrace.stream streams arrays"),
        (lambda: millrace.resume(3), "run has the wrong type", None),
        (lambda: millrace.open_run(None), "run has the wrong type", None),
        (lambda: millrace.network(3), "file has the wrong type", None),
        (lambda: millrace.network("nope"), "no network at nope", None),
        (lambda: millrace.export("digits", "e", place="ray"), "place has the wrong type", "ExportPlace(runtime='ray')"),
        (lambda: millrace.export("digits", 3), "out has the wrong type", None),
        (lambda: millrace.export("digits", "e", stop=3), "stop has the wrong type", None),
        (lambda: any_network().predict(None), "images has the wrong type", None),
        (lambda: any_network().predict(a_digit, threads="2"), "threads is out of range", None),
        (lambda: any_network().predict(a_digit, threads=0), "threads is out of range", None),
        (lambda: any_network().predict(a_digit).top("x"), "count is out of range", None),
        (lambda: any_network().save(3), "path has the wrong type", None),
        (lambda: any_network().save("x", format="foo"), "format 'foo' is unknown", None),
        (lambda: evaluate([], _digits()), "no network to evaluate", None),
        (lambda: evaluate([any_network()], _digits(), views=-1), "views is out of range", None),
        (lambda: evaluate([any_network()], _digits(), views=256), "views is out of range", None),
    ],
)
def test_it_is_named(call: Callable[[], Any], said: str, do: str | None, home: Path) -> None:
    with pytest.raises(UsageError) as refused:
        call()
    assert said in refused.value.what
    assert do is None or do in (refused.value.do or "")
    assert not list(home.iterdir())


def _digits() -> datasets.Dataset:
    return datasets.load(datasets.find("digits"))


def test_a_picture_may_be_given_alone() -> None:
    from PIL import Image

    assert len(any_network().predict(Image.new("L", (20, 20)))) == 1


def test_help_says_the_ranges_of_a_policy_and_no_address_of_a_function() -> None:
    import pydoc

    page = pydoc.plain(pydoc.render_doc(millrace.Policy))
    assert "rotate: the largest turn in degrees, either way, in [0, 180] (default: 0)" in " ".join(page.split())
    assert " at 0x" not in pydoc.plain(pydoc.render_doc(millrace.train))


@pytest.mark.parametrize("path", ["~nobody-of-this-name/pictures", "./loop", "./loop/pictures", "./a\0b"])
@pytest.mark.parametrize(
    "call",
    [
        lambda path: millrace.stream(path),
        lambda path: millrace.train(dataset=path),
        lambda path: millrace.train(config=path),
        lambda path: millrace.network(path),
        lambda path: millrace.open_run(path),
    ],
    ids=["stream", "train", "config", "network", "run"],
)
def test_a_path_that_leads_nowhere_is_named(
    path: str, call: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(MillraceError) as refused:
        call(path)
    assert refused.value.what
    assert [one.name for one in tmp_path.iterdir()] == ["loop"]


def test_a_cache_in_the_home_folder_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folders(tmp_path / "mine", {"cat": 2, "dog": 2})
    monkeypatch.chdir(tmp_path)
    with millrace.stream("./mine", cache="~/kept", batch=2):
        assert (tmp_path / "home" / "kept" / "datasets").is_dir()
    assert not (tmp_path / "~").exists()
