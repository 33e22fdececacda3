"""Policies: what is refused, presets that stay within the class, mappings with advice."""

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.errors import UsageError
from millrace.pipeline import PRESETS, Policy, from_mapping, preset

RANGES = {"translate": 1.0, "rotate": 180.0, "shear": 2.0, "flip": 1.0}


@pytest.mark.parametrize("field", RANGES)
def test_a_number_out_of_its_range_is_refused(field: str) -> None:
    for fit in (0, 0.0, RANGES[field]):
        value = getattr(Policy(**{field: fit}), field)  # type: ignore[arg-type]
        assert value == fit
        assert type(value) is float
    for wrong in (-0.001, RANGES[field] * 1.001, math.nan, math.inf, "1", None, True, [0.1]):
        with pytest.raises(UsageError, match=f"{field} (is out of range|has the wrong type)"):
            Policy(**{field: wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [(0.1, 10.0), [1, 2], (1.0, 1.0)])
def test_a_scale_is_two_numbers(scale: object) -> None:
    policy = Policy(scale=scale)  # type: ignore[arg-type]
    assert policy.scale == tuple(scale)  # type: ignore[arg-type]
    assert all(type(value) is float for value in policy.scale)


@pytest.mark.parametrize(
    "scale",
    [(0.09, 1.0), (1.0, 10.1), (1.2, 1.1), (math.nan, 1.0), (1.0, math.nan), 1.0, (1.0,), "11", (True, 2), None],
)
def test_a_scale_that_is_none_is_refused(scale: object) -> None:
    with pytest.raises(UsageError, match="scale"):
        Policy(scale=scale)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [3, None, ""])
def test_a_name_is_a_word(name: object) -> None:
    with pytest.raises(UsageError, match="name"):
        Policy(name)  # type: ignore[arg-type]


def test_a_policy_cannot_be_changed_and_can_be_compared() -> None:
    policy = Policy(rotate=3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.rotate = 4.0  # type: ignore[misc]
    assert policy == Policy(rotate=3.0)
    assert hash(policy) == hash(Policy(rotate=3.0))


def test_the_presets() -> None:
    assert set(PRESETS) == {"none", "digits", "photos"}
    for name, policy in PRESETS.items():
        assert policy.name == name
        assert preset(name) is policy
        assert policy.is_identity == (name == "none")
    # Within the class: a mirrored or upturned digit is another sign, an upturned photograph is rare.
    assert PRESETS["digits"].flip == 0.0
    assert PRESETS["digits"].rotate <= 20.0
    assert PRESETS["photos"].rotate <= 20.0
    for policy in PRESETS.values():
        assert policy.translate <= 0.15
        assert 0.8 <= policy.scale[0] <= policy.scale[1] <= 1.25


@pytest.mark.parametrize(
    ("changed", "identity"),
    [({}, True), *[({field: 0.01}, False) for field in RANGES], ({"scale": (1.0, 1.01)}, False)],
)
def test_identity(changed: dict[str, float], identity: bool) -> None:
    assert Policy(**changed).is_identity == identity  # type: ignore[arg-type]


def test_an_unknown_preset_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown policy 'digit'") as caught:
        preset("digit")
    assert caught.value.do == "did you mean 'digits'?"


@pytest.mark.parametrize("name", PRESETS)
def test_a_policy_goes_through_json(name: str) -> None:
    assert from_mapping(json.loads(json.dumps(PRESETS[name].as_dict()))) == PRESETS[name]


def test_a_mapping_changes_a_preset() -> None:
    got = from_mapping({"preset": "photos", "rotate": 1})
    assert got == dataclasses.replace(PRESETS["photos"], name="custom", rotate=1.0)
    assert from_mapping({}) == Policy()
    assert from_mapping({"name": "mine", "scale": [0.9, 1.1]}) == Policy("mine", scale=(0.9, 1.1))


def test_a_mapping_with_a_wrong_key_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown policy option 'rotation'") as caught:
        from_mapping({"rotation": 3})
    assert caught.value.do == "did you mean 'rotate'?"
    with pytest.raises(UsageError, match="unknown policy '3'"):
        from_mapping({"preset": 3})
    with pytest.raises(UsageError, match="rotate has the wrong type"):
        from_mapping({"rotate": "much"})
    with pytest.raises(UsageError, match="unknown policy option '1'"):
        from_mapping({1: 2})  # type: ignore[dict-item]


def test_policies_need_the_standard_library_alone() -> None:
    """So that `--help` is quick: neither NumPy nor numba comes with them."""
    code = "import sys, pipeline; pipeline.PRESETS; print(sorted({'numpy', 'numba', 'pyarrow'} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
