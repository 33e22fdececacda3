"""The configuration: keys, types, ranges, the recipe and the place."""

import json
import re
from typing import Any, Literal

import pytest

from millrace import config, values
from millrace.config import Config
from millrace.errors import UsageError
from millrace.model.options import NetworkOptions, OptimizerOptions
from millrace.pipeline.policy import PRESETS, Policy


def test_defaults_are_what_the_floors_say() -> None:
    made = Config()
    assert made.network == NetworkOptions()
    assert made.optimizer == OptimizerOptions()
    assert made.place().workers == 0
    assert made.job().policy == PRESETS["digits"]


def test_every_field_has_one_key_and_every_key_has_a_field() -> None:
    assert set(config.flat(Config().resolved())) | {"policy"} == set(config.known_keys())
    assert config.known_keys()["optimizer.rate"].default == OptimizerOptions().rate
    assert not config.known_keys()["optimizer.rate"].place


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("batch", 0),
        ("slot_size", 0),
        ("seed", -1),
        ("seed", 2**32),
        ("subset", 0),
        ("validation", -1),
        ("workers", -1),
        ("augmenters", -1),
        ("read_ahead", -1),
        ("checkpoint_every", 0.0),
        ("normalize", "standrad"),
        ("policy", "digit"),
    ],
)
def test_values_out_of_range_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(UsageError, match=field if field != "normalize" else "way to normalize"):
        Config(**{field: value})  # type: ignore[arg-type]


def test_recipe_is_json_holds_no_place_and_reads_back() -> None:
    made = Config(
        seed=7,
        policy="photos",
        network=NetworkOptions(hidden=(5,)),
        workers=3,
        out="x",
        mirror="http://m",
        offline=True,
    )
    recipe = json.loads(json.dumps(made.recipe()))
    assert not {key for key, known in config.known_keys().items() if known.place} & set(recipe)
    again = Config.from_recipe(recipe, workers=3, out="x", mirror="http://m", offline=True)
    assert again == made.resolved()
    assert again.job() == made.job()
    assert again.job().recipe == recipe


def test_the_place_changes_nothing_in_the_job() -> None:
    one = Config(workers=1, augmenters=2, read_ahead=1, checkpoint_every=1.0, out="a", mirror="b", offline=True)
    assert one.job() == Config().job()


def test_a_recipe_may_hold_keys_of_the_place_which_are_passed_over() -> None:
    assert Config.from_recipe({"epochs": 2, "workers": 9}).workers == 0


def test_auto_is_the_policy_of_the_dataset() -> None:
    assert Config(dataset="cifar10").augmentation() == PRESETS["photos"]
    assert Config(dataset="cifar10", policy="none").augmentation() == PRESETS["none"]


def test_a_dataset_file_is_kept_with_its_absolute_path(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Config(dataset="own.yaml", policy="none").resolved().dataset == str(tmp_path / "own.yaml")
    assert Config(dataset="mnist").resolved().dataset == "mnist"


def test_policy_overrides_stand_on_the_preset() -> None:
    made = config.build({"policy": "digits", "policy.rotate": 3.0})
    assert made.policy == Policy("custom", 0.08, 3.0, (0.88, 1.12), 0.1, 0.0)
    assert config.build({"policy.flip": 1.0, "dataset": "cifar10"}).augmentation().translate == 0.12


def test_errors_of_a_group_name_the_group() -> None:
    with pytest.raises(UsageError, match="optimizer: the momentum"):
        config.build({"optimizer.momentum": 2.0})


def test_spread_opens_groups_and_suggests_names() -> None:
    assert config.spread({"policy": {"preset": "digits", "rotate": 1}}) == {"policy": "digits", "policy.rotate": 1}
    assert config.spread({"policy": {"rotate": 1}}) == {"policy": "none", "policy.rotate": 1}
    with pytest.raises(UsageError, match=re.escape("did you mean 'optimizer.rate'")):
        config.spread({"optimizer": {"ratte": 1}})
    with pytest.raises(UsageError, match="did you mean 'epochs'"):
        config.spread({"epoch": 1})
    with pytest.raises(UsageError, match="network has the wrong type"):
        config.spread({"network": 3})


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (int, 3, 3),
        (float, 3, 3.0),
        (float, 0.5, 0.5),
        (bool, True, True),
        (str, "x", "x"),
        (int | None, None, None),
        (int | None, 3, 3),
        (tuple[int, ...], [3, 4], (3, 4)),
        (tuple[int, ...], [], ()),
        (tuple[float, float], [1, 2.5], (1.0, 2.5)),
        (Literal["a", "b"], "b", "b"),
    ],
)
def test_convert_takes_what_fits(kind: Any, value: object, expected: object) -> None:
    found = values.convert(kind, value, "key")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (int, True, "a whole number"),
        (int, 3.0, "a whole number"),
        (int, "3", "a whole number"),
        (float, "fast", "a number"),
        (float, True, "a number"),
        (float, float("nan"), "a number"),
        (float, float("inf"), "a number"),
        (bool, 1, "true or false"),
        (str, 3, "a text"),
        (int | None, "x", "a whole number or none"),
        (tuple[int, ...], 3, "a list of whole numbers"),
        (tuple[int, ...], [3, "x"], "a list of whole numbers"),
        (tuple[float, float], [1.0], "a list of 2 numbers"),
        (Literal["a", "b"], "c", "one of a, b"),
    ],
)
def test_convert_refuses_what_does_not(kind: Any, value: object, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"expected: {said}\n")) as caught:
        values.convert(kind, value, "some.key")
    assert caught.value.what == "some.key has the wrong type"


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (int, "60_000", 60000),
        (float, "1e-3", 0.001),
        (float, "1", 1.0),
        (bool, "yes", True),
        (bool, "False", False),
        (int | None, "none", None),
        (int | None, "", None),
        (int | None, "7", 7),
        (tuple[int, ...], "999 299", (999, 299)),
        (tuple[int, ...], "[999, 299]", (999, 299)),
        (tuple[int, ...], "", ()),
        (tuple[float, float], "0.9,1.1", (0.9, 1.1)),
        (str, "12", "12"),
    ],
)
def test_from_text_reads_flags_and_variables(kind: Any, text: str, expected: object) -> None:
    assert values.from_text(kind, text, "key") == expected


@pytest.mark.parametrize(
    ("kind", "text"), [(int, "1.5"), (int, "x"), (float, "nan"), (bool, "maybe"), (tuple[int, ...], "3 x")]
)
def test_from_text_refuses_other_text(kind: Any, text: str) -> None:
    with pytest.raises(UsageError, match="--flag has the wrong type"):
        values.from_text(kind, text, "--flag")
