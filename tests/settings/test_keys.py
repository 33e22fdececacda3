"""Keys: every option of job and place once, the recipe, groups and what earlier versions wrote."""

import json
import re
from typing import Any

import pytest

from millrace.errors import OptionError, UsageError
from millrace.model.options import NetworkOptions, OptimizerOptions
from millrace.pipeline.policy import PRESETS, Policy
from millrace.settings.keys import flat, job_of_recipe, known_keys, make_job, make_place, spread
from millrace.workers.job import Job, Place


def test_nothing_set_is_the_default_job_in_the_default_place() -> None:
    assert (make_job({}), make_place({})) == (Job(), Place())
    assert Job().policy == PRESETS["digits"]


def test_every_field_has_one_key_and_every_key_has_a_field() -> None:
    assert {*flat(Job()), *flat(Place()), "policy"} == set(known_keys())
    assert known_keys()["optimizer.rate"].default == OptimizerOptions().rate
    assert {key for key, known in known_keys().items() if known.place} == set(flat(Place()))
    assert all(known.help for known in known_keys().values())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 0),
        ("batch", 0),
        ("batch", "fulll"),
        ("slot_size", 0),
        ("seed", -1),
        ("seed", 2**32),
        ("subset", 0),
        ("validation", -1),
        ("normalize", "standrad"),
        ("policy", "digit"),
        ("policy.rotate", 181.0),
        ("network.skip", True),
        ("optimizer.momentum", 2.0),
    ],
)
def test_what_a_job_refuses_carries_its_key(key: str, value: object) -> None:
    with pytest.raises(OptionError) as caught:
        make_job({key: value})
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("key", "value"),
    [("workers", -1), ("workers", "4:2"), ("augmenters", -1), ("read_ahead", -1), ("checkpoint_every", 0.0)],
)
def test_what_a_place_refuses_carries_its_key(key: str, value: object) -> None:
    with pytest.raises(OptionError) as caught:
        make_place({key: value})
    assert caught.value.key == key


def test_a_recipe_is_json_and_reads_back() -> None:
    made = Job(seed=7, policy=PRESETS["photos"], network=NetworkOptions(hidden=(5,)))
    recipe = json.loads(json.dumps(made.recipe))
    assert not set(flat(Place())) & set(recipe)
    assert job_of_recipe(recipe) == made


def test_keys_of_the_place_in_a_recipe_are_passed_over() -> None:
    assert job_of_recipe({"epochs": 2, "workers": 9, "no_test": True}) == Job(epochs=2)


def test_auto_is_the_policy_of_the_dataset() -> None:
    assert Job(dataset="cifar10").policy == PRESETS["photos"]
    assert make_job({"dataset": "cifar10", "policy": "none"}).policy == PRESETS["none"]


def test_a_dataset_file_is_kept_with_its_absolute_path(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Job(dataset="own.yaml", policy=Policy()).dataset == str(tmp_path / "own.yaml")
    assert Job(dataset="mnist").dataset == "mnist"


def test_ranges_stand_on_the_preset() -> None:
    made = make_job({"policy": "digits", "policy.rotate": 3.0})
    assert made.policy == Policy("custom", 0.08, 3.0, (0.88, 1.12), 0.1, 0.0)
    assert make_job({"policy.flip": 1.0, "dataset": "cifar10"}).policy.translate == 0.12


def test_spread_opens_groups_and_suggests_names() -> None:
    assert spread({"policy": {"preset": "digits", "rotate": 1}}) == {"policy": "digits", "policy.rotate": 1}
    assert spread({"policy": {"rotate": 1}}) == {"policy": "none", "policy.rotate": 1}
    with pytest.raises(UsageError, match=re.escape("did you mean 'optimizer.rate'")):
        spread({"optimizer": {"ratte": 1}})
    with pytest.raises(UsageError, match="did you mean 'epochs'"):
        spread({"epoch": 1})
    with pytest.raises(UsageError, match="network has the wrong type"):
        spread({"network": 3})


def test_what_earlier_versions_called_no_test_is_still_read() -> None:
    assert spread({"no_test": True}) == {"test": False}
    assert spread({"no_test": False}) == {"test": True}
    with pytest.raises(OptionError, match="true or false"):
        spread({"no_test": "yes"})
