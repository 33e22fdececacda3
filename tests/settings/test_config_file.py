"""Configuration files: round trip, lines, and errors with file and line."""

import contextlib
import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.errors import UsageError
from millrace.model.options import INITIALIZERS, OPTIMIZERS, NetworkOptions, OptimizerOptions
from millrace.pipeline.policy import Policy
from millrace.settings import config_file
from millrace.settings.keys import known_keys, make_job, make_place
from millrace.workers.job import Job, Place

texts = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufeff\u2028\u2029"), max_size=20
)
names = ["1e3", "null", "true", "012", "no", "yes", "on", "~", "2024-01-01", "a: b", "# x", "1:30", "\u00a0", " x "]
fractions = st.floats(0, 1)
jobs = st.builds(
    Job,
    dataset=st.sampled_from(names),
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
)
places = st.builds(Place, out=st.none() | texts, offline=st.booleans(), test=st.booleans())


def build(text: str) -> tuple[Job, Place]:
    values = {key: entry.value for key, entry in config_file.parse(text, "f.yaml").items()}
    return make_job(values), make_place(values)


@settings(deadline=None)
@given(jobs, places)
def test_what_is_written_reads_back_the_same(job: Job, place: Place) -> None:
    assert build(config_file.write(job, place)) == (job, place)


def test_a_file_of_an_earlier_version_is_read() -> None:
    job, place = build("epochs: 3\nread_ahead: 16\nno_test: true\n")
    assert (job, place) == (Job(epochs=3), Place(test=False))


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("optimizer: {rate: 1e-3}", "optimizer.rate", 0.001),
        ("epochs: 012", "epochs", 12),
        ("dataset: no", "dataset", "no"),
        ("out: 1:30", "out", "1:30"),
        ("policy: none", "policy", "none"),
        ("network: {hidden: []}", "network.hidden", ()),
        ("network:\n  hidden: [9, 8]  # two", "network.hidden", (9, 8)),
        ("offline: true", "offline", True),
    ],
)
def test_values_get_the_type_of_their_key(text: str, key: str, value: object) -> None:
    assert config_file.parse(text, "f.yaml")[key].value == value


def test_entries_know_their_line() -> None:
    entries = config_file.parse("epochs: 3\n\noptimizer:\n  name: sgd\n  rate: 1\n", "f.yaml")
    assert {key: entry.line for key, entry in entries.items()} == {
        "epochs": 1,
        "optimizer.name": 4,
        "optimizer.rate": 5,
    }


def test_empty_files_and_groups_set_nothing() -> None:
    assert config_file.parse("", "f") == config_file.parse("# nothing\n", "f") == {}
    assert config_file.parse("optimizer:\n", "f") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epochs: 1\nepochs: 2", "f.yaml:2: not valid YAML: epochs is set twice"),
        ("optimizer:\n  rate: 1\n  rate: 2", "f.yaml:3: not valid YAML: rate is set twice"),
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
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        config_file.parse(text, "f.yaml")


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_gives_entries_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert set(config_file.parse(text, "f.yaml")) <= set(known_keys())


def test_lines_carry_their_keys(tmp_path: Path) -> None:
    lines = config_file.lines(dataclasses.replace(Job(), epochs=31))
    assert ("epochs", "epochs: 31") in lines
    assert ("network", "network:") in lines
    assert ("network.hidden", "  hidden: [999, 299]") in lines
