"""YAML in and out: the words of YAML 1.2, tables with lines, and files that are refused."""

import re
from pathlib import Path

import pytest

from millrace import yaml_text
from millrace.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E+2", 100.0),
        (".5", 0.5),
        ("012", 12),
        ("60_000", 60000),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("2024-01-01", "2024-01-01"),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("~", None),
        ("[no, 1, x]", ["no", 1, "x"]),
    ],
)
def test_words_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = yaml_text.parse(text, "f.yaml")
    assert found == value
    assert type(found) is type(value)
    assert yaml_text.parse(yaml_text.scalar(value), "f.yaml") == value


def test_tables_know_their_lines_and_keys_are_texts() -> None:
    table = yaml_text.parse("a: 1\n\nno: {1e-3: x}\n", "f.yaml")
    assert isinstance(table, yaml_text.Table)
    assert (table, table.lines) == ({"a": 1, "no": {"1e-3": "x"}}, {"a": 1, "no": 3})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "f.yaml:2: not valid YAML: a is set twice"),
        ("a: [", "f.yaml:1: not valid YAML"),
        ("a: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("? [1, 2]\n: 3", "f.yaml:1: not valid YAML: a key is no word"),
        ("a: &a {b: *a}", "f.yaml:1"),
        ("[" * 1200, "f.yaml: nested too deeply"),
    ],
)
def test_what_is_no_yaml_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        yaml_text.parse(text, "f.yaml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        yaml_text.read(tmp_path / "absent.yaml", "the configuration")
    with pytest.raises(UsageError, match="Is a directory"):
        yaml_text.read(tmp_path, "the configuration")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        yaml_text.read(tmp_path / "binary", "the configuration")
    (tmp_path / "large").write_bytes(b"#" * (yaml_text.LARGEST + 1))
    with pytest.raises(UsageError, match="too large"):
        yaml_text.read(tmp_path / "large", "the configuration")
