"""YAML in and out: round trip, YAML 1.2 words, and errors with file and line."""

import contextlib
import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace import config
from millrace.config import Config
from millrace.errors import UsageError
from millrace.model.options import INITIALIZERS, OPTIMIZERS, NetworkOptions, OptimizerOptions
from millrace.pipeline.policy import Policy
from millrace.settings import yaml_text

texts = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufeff\u2028\u2029"), max_size=20
)
fractions = st.floats(0, 1)
configs = st.builds(
    Config,
    dataset=texts
    | st.sampled_from(["1e3", "null", "true", "012", "no", "~", "2024-01-01", "a: b", "# x", "1:30", "\u00a0", " x "]),
    epochs=st.integers(1, 2**40),
    slot_size=st.none() | st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
    policy=st.builds(Policy, name=texts.filter(bool), translate=fractions, flip=fractions),
    network=st.builds(
        NetworkOptions,
        hidden=st.lists(st.integers(1, 99), max_size=4).map(tuple),
        initializer=st.sampled_from(INITIALIZERS),
    ),
    optimizer=st.builds(OptimizerOptions, st.sampled_from(OPTIMIZERS), st.floats(1e-300, 1e300)),
    out=st.none() | texts,
    offline=st.booleans(),
)


def build(text: str) -> Config:
    return config.build({key: entry.value for key, entry in yaml_text.parse(text, "f.yaml").items()})


@settings(deadline=None)
@given(configs)
def test_what_is_written_reads_back_the_same(made: Config) -> None:
    assert build(yaml_text.write(made)) == made


def test_the_default_reads_back_too() -> None:
    assert build(yaml_text.write(Config())) == Config()


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("optimizer: {rate: 1e-3}", "optimizer.rate", 0.001),
        ("optimizer: {rate: 1E+2}", "optimizer.rate", 100.0),
        ("optimizer: {rate: .5}", "optimizer.rate", 0.5),
        ("epochs: 012", "epochs", 12),
        ("epochs: 60_000", "epochs", 60000),
        ("dataset: no", "dataset", "no"),
        ("out: 2024-01-01", "out", "2024-01-01"),
        ("out: 1:30", "out", "1:30"),
        ("out: ~", "out", None),
        ("policy: none", "policy", "none"),
        ("network: {hidden: []}", "network.hidden", ()),
        ("network:\n  hidden: [9, 8]  # two", "network.hidden", (9, 8)),
        ("offline: true", "offline", True),
    ],
)
def test_words_are_those_of_yaml_1_2(text: str, key: str, value: object) -> None:
    assert yaml_text.parse(text, "f.yaml")[key].value == value


def test_entries_know_their_line() -> None:
    entries = yaml_text.parse("epochs: 3\n\noptimizer:\n  name: sgd\n  rate: 1\n", "f.yaml")
    assert {key: entry.line for key, entry in entries.items()} == {
        "epochs": 1,
        "optimizer.name": 4,
        "optimizer.rate": 5,
    }


def test_empty_files_and_groups_set_nothing() -> None:
    assert yaml_text.parse("", "f") == yaml_text.parse("# nothing\n", "f") == {}
    assert yaml_text.parse("optimizer:\n", "f") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epochs: 1\nepochs: 2", "f.yaml:2: epochs is set twice"),
        ("optimizer:\n  rate: 1\n  rate: 2", "f.yaml:3: optimizer.rate is set twice"),
        ("a: 1\nepoch: 3", "f.yaml:1: unknown key 'a'"),
        ("epoch: 3", "did you mean 'epochs'?"),
        ("\noptimizer:\n  ratte: 3", "f.yaml:3: unknown key 'optimizer.ratte'"),
        ("policy:\n  rotat: 3", "did you mean 'policy.rotate'?"),
        ("epochs: many", "f.yaml:1: epochs has the wrong type\n  expected: a whole number\n  got:      'many'"),
        ("optimizer: {rate: [1]}", "f.yaml:1: optimizer.rate has the wrong type"),
        ("network: 3", "f.yaml:1: network has the wrong type"),
        ("network: {hidden: 999}", "expected: a list of whole numbers"),
        ("offline: yes", "expected: true or false"),
        ("- 1", "expected: lines of `key: value`"),
        ("epochs: [", "f.yaml:1: not valid YAML"),
        ("epochs: !!python/object/apply:os.system ['true']", "f.yaml:1: epochs: could not determine a constructor"),
        ("? [1, 2]\n: 3", "unknown key '(sequence)'"),
        ("<<: {epochs: 3}", "unknown key '<<'"),
        ("a: &a [*a]", "f.yaml:1"),
        ("[" * 5000, "f.yaml"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        yaml_text.parse(text, "f.yaml")


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_gives_entries_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert set(yaml_text.parse(text, "f.yaml")) <= set(config.known_keys())


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        yaml_text.read(tmp_path / "absent.yaml")
    with pytest.raises(UsageError, match="Is a directory"):
        yaml_text.read(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        yaml_text.read(tmp_path / "binary")
    (tmp_path / "large").write_bytes(b"#" * (yaml_text.LARGEST + 1))
    with pytest.raises(UsageError, match="too large"):
        yaml_text.read(tmp_path / "large")


def test_lines_carry_their_keys() -> None:
    lines = yaml_text.lines(dataclasses.replace(Config(), policy="none"))
    assert ("epochs", "epochs: 30") in lines or any(key == "epochs" for key, _ in lines)
    assert ("network", "network:") in lines
    assert ("network.hidden", "  hidden: [999, 299]") in lines
