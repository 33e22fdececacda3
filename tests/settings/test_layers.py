"""Layers: who wins, who is named, and what slips are caught."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.errors import OptionError, UsageError
from millrace.settings import layers
from millrace.settings.keys import flat, known_keys
from millrace.settings.layers import Setting
from millrace.workers.job import Job, Place

VALUES = {
    "epochs": st.integers(1, 50),
    "batch": st.integers(1, 50),
    "seed": st.integers(0, 50),
    "optimizer.rate": st.floats(0.001, 1.0),
    "schedule.warmup": st.floats(0.0, 1.0),
    "workers": st.integers(0, 9),
    "policy.rotate": st.floats(0.0, 90.0),
}
names = st.sampled_from(["default-layer", "file", "environment", "flags"])
layer = st.fixed_dictionaries({}, optional=VALUES)


@settings(deadline=None)
@given(st.lists(layer, min_size=1, max_size=4))
def test_the_strongest_layer_that_sets_a_key_wins_and_is_named(given_layers: list[dict[str, object]]) -> None:
    made = layers.merge(*(layers.from_values(values, f"layer {n}") for n, values in enumerate(given_layers)))
    found = {**flat(made.job), **flat(made.place)}
    for key in VALUES:
        strongest = [(n, values[key]) for n, values in enumerate(given_layers) if key in values][-1:]
        if strongest:
            assert found[key] == strongest[0][1]
            assert made.sources[key] == f"layer {strongest[0][0]}"
        else:
            assert made.sources[key] == layers.DEFAULT
            assert found[key] == {**flat(Job()), **flat(Place())}[key]


def test_flags_over_environment_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("epochs: 1\nbatch: 1\nseed: 1\n")
    monkeypatch.setenv("MILLRACE_EPOCHS", "2")
    monkeypatch.setenv("MILLRACE_BATCH", "2")
    made = layers.resolve(str(file), {"epochs": 3})
    assert (made.job.epochs, made.job.batch, made.job.seed) == (3, 2, 1)
    assert made.sources["epochs"] == "--epochs"
    assert made.sources["batch"] == "MILLRACE_BATCH"
    assert made.sources["seed"] == f"{file}:3"
    assert made.sources["dataset"] == "default"


def test_a_named_policy_drops_the_ranges_of_weaker_layers() -> None:
    file = {"policy": Setting("none", "file"), "policy.rotate": Setting(50.0, "file")}
    assert layers.merge(file, {"policy": Setting("photos", "flag")}).job.policy.rotate == 8.0
    made = layers.merge(file, {"policy.shear": Setting(0.5, "flag")}).job.policy
    assert (made.rotate, made.shear) == (50.0, 0.5)


def test_every_key_has_its_own_variable_and_flag() -> None:
    keys = known_keys()
    assert len({layers.variable(key) for key in keys}) == len({layers.flag(key) for key in keys}) == len(keys)
    assert layers.variable("optimizer.rate") == "MILLRACE_OPTIMIZER_RATE"
    assert layers.flag("slot_size") == "--slot-size"


def test_the_environment_is_typed_and_checked() -> None:
    found = layers.from_environment(
        {
            "MILLRACE_NETWORK_HIDDEN": "9 8",
            "MILLRACE_OFFLINE": "1",
            "MILLRACE_SUBSET": "none",
            "MILLRACE_SEED": "",
            "MILLRACE_CACHE": "/x",
            "MILLRACE_TEST_MIRROR": "file:///x",
            "MILLRACE_TRACEBACK": "1",
            "MILLRACE_HOME_OF_MY_OWN": "x",
            "EPOCHS": "3",
        }
    )
    assert {key: setting.value for key, setting in found.items()} == {
        "network.hidden": (9, 8),
        "offline": True,
        "subset": None,
    }
    with pytest.raises(UsageError, match="MILLRACE_EPOCHS has the wrong type"):
        layers.from_environment({"MILLRACE_EPOCHS": "many"})
    with pytest.raises(UsageError, match="did you mean 'MILLRACE_EPOCHS'"):
        layers.from_environment({"MILLRACE_EPOCH": "3"})
    with pytest.raises(UsageError, match="MILLRACE_NO_TEST and MILLRACE_TEST are both set"):
        layers.from_environment({"MILLRACE_NO_TEST": "1", "MILLRACE_TEST": "1"})
    with pytest.raises(UsageError, match="did you mean 'MILLRACE_CACHE'"):
        layers.from_environment({"MILLRACE_CACHES": "3"})


def test_a_value_out_of_range_is_named_with_its_source() -> None:
    for key, value, source in (("epochs", 0, "MILLRACE_EPOCHS"), ("optimizer.rate", -1.0, "f.yaml:3")):
        with pytest.raises(OptionError, match=re.escape(f"(set by {source})")) as caught:
            _ = layers.merge({key: Setting(value, source)}).job
        assert caught.value.key == key


def test_the_source_named_is_that_of_the_key_and_of_no_other_word() -> None:
    """A dataset called `epochs`, or a value that is named in a message, is not taken for the key that is refused."""
    chosen = {"dataset": Setting("digits", "A"), "epochs": Setting(0, "B"), "normalize": Setting("unit", "C")}
    with pytest.raises(OptionError) as caught:
        _ = layers.merge(chosen).job
    assert caught.value.what == "epochs is out of range (set by B)"
    with pytest.raises(OptionError, match=r"workers is out of range \(set by B\)"):
        _ = layers.merge({"workers": Setting(-1, "B"), "runtime": Setting("local", "A")}).place


def test_what_needs_the_place_alone_looks_up_no_dataset() -> None:
    settings = layers.merge({"dataset": Setting("absent.yaml", "MILLRACE_DATASET"), "offline": Setting(True, "A")})
    assert settings.place.offline
    with pytest.raises(UsageError, match=r"absent.yaml"):
        _ = settings.job


def test_the_variable_of_an_earlier_version_is_still_read() -> None:
    found = layers.from_environment({"MILLRACE_NO_TEST": "1"})
    assert found == {"test": Setting(False, "MILLRACE_NO_TEST")}
    assert not layers.merge(found).place.test
    assert layers.merge(found, layers.from_flags({"test": True})).place.test
