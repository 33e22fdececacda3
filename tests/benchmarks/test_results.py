"""Rows, their ratios, the table, the picture and the file of results, from numbers made by hand."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks import picture, results, summary, table
from benchmarks.results import Part, Row
from benchmarks.rounds import in_turns

SPEED = Row(
    "28×28",
    "images/s",
    {"millrace": [100.0, 300.0, 200.0], "Slow": [10.0, 10.0, 40.0], "Fast": [200.0, 300.0, 800.0]},
    at_least={"Slow": 10, "Fast": 1},
    missing={"Absent": "not installed (No module named 'absent')"},
)
SECONDS = Row("first batch", "s", {"millrace": [0.5], "millrace, otherwise": [0.1], "Slow": [2.0]}, True, at_most=0.2)
PART = Part([SPEED, SECONDS], "2 cores of a machine", "2026-11-29", {"Python": "3.11.7", "slow": "1.0"}, 90.0)


def test_ratios_are_of_pairs_of_one_round() -> None:
    assert SPEED.ratios("Slow") == [10, 30, 5]
    assert SPEED.ratios("Fast") == [0.5, 1, 0.25]
    assert SECONDS.ratios("Slow") == [4]
    assert SECONDS.peers == ["Slow"]
    assert (SPEED.holds("Slow"), SPEED.holds("Fast"), SECONDS.holds("Slow")) == (True, False, None)


def test_a_peer_of_fewer_rounds_is_paired_with_the_first_ones() -> None:
    row = Row("28×28", "images/s", {"millrace": [100.0, 300.0, 200.0], "Slow starter": [10.0, 10.0]})
    assert row.ratios("Slow starter") == [10, 30]
    text = table.markdown({"stream": Part([row], "", "", {}, 1.0)})
    assert "| Slow starter | 10 | 10 to 10, 2 rounds | 20 times as good (10 to 30) |" in text
    with pytest.raises(ValueError, match="longer"):
        Row("28×28", "images/s", {"millrace": [1.0], "a": [1.0, 2.0]}).ratios("a")


def test_nothing_repeated_is_as_good_as_nothing_and_better_than_some() -> None:
    row = Row("repeated", "samples", {"millrace": [0.0], "As good": [0.0], "Worse": [64.0]}, less_is_better=True)
    assert row.ratios("As good") == [1.0]
    assert row.ratios("Worse") == [float("inf")]


def test_the_table_says_who_is_ahead_and_what_is_missing() -> None:
    text = table.markdown({"stream": PART})
    assert "2026-11-29, 2 cores of a machine; 1.5 minutes. Python 3.11.7, slow 1.0." in text
    assert "|  | Slow | 10 | 10 to 40 | 10 times as good (5 to 30) | 10 | yes |" in text
    assert "|  | Fast | 300 | 200 to 800 | 0.5 times as good (0.25 to 1): Fast is ahead | 1 | **no** |" in text
    assert "|  | Absent | not measured: not installed (No module named 'absent') | | | | |" in text
    assert "| first batch, s (less is better) | millrace | 0.5 | 0.5 to 0.5 |  | at most 0.2 | **no** |" in text
    assert "|  | millrace, otherwise | 0.1 | 0.1 to 0.1 |  |  |  |" in text
    columns = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert columns == {8}


def test_a_row_that_falls_short_says_why_where_it_is_known_and_one_of_nothing_has_no_ratio() -> None:
    arrow = Row("3 epochs to arrow", "images/s", {"millrace": [1.0], "bare warp": [2.0]}, at_least={"bare warp": 0.7})
    lost = Row("lost", "samples", {"millrace": [0.0], "Exact": [0.0], "Other": [7680.0]}, True, at_most=0.0)
    text = table.markdown({"export": Part([arrow, lost], "", "", {}, 1.0)})
    assert "| 0.7 | **no**: the warp is a third of it;" in text
    assert "|  | Exact | 0 | 0 to 0 | as good |  |  |" in text
    assert "|  | Other | 7,680 | 7,680 to 7,680 | none against 7,680 |  |  |" in text
    assert "| at most 0 | yes |" in text


def test_the_readme_has_some_rows_between_two_marks(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{summary.BEGIN}old\n{summary.END}after\n")
    row = Row("28×28, one thread", "µs", {"millrace": [1.0], "OpenCV": [2.0]}, True, {"OpenCV": 3}, note="warm")
    parts = {"warp": Part([row], "2 cores", "2026-11-29", {}, 1.0, "Without MNIST: noise of its shape.")}
    for _ in range(2):
        summary.insert(page, parts)
        text = page.read_text()
        assert text.startswith("before\n")
        assert text.endswith(f"{summary.END}after\n")
        assert "old" not in text
        assert "Measured on 2 cores; 2026-11-29. Without MNIST: noise of its shape.\n" in text
        assert text.count("one thread; warm | OpenCV | 2 times as good (2 to 2) | 3 (missed) |") == 1
    page.write_text("no marks")
    with pytest.raises(ValueError, match="expected the marks"):
        summary.insert(page, parts)


def test_the_picture_leaves_out_who_is_behind_where_nothing_was_promised_against_it() -> None:
    row = Row("28×28", "images/s", {"millrace": [2.0], "A": [1.0], "B": [1.0], "C": [3.0]}, at_least={"A": 1})
    assert picture.drawn(row) == ["A", "C"]
    assert picture.drawn(Row("28×28", "images/s", {"millrace": [2.0], "B": [1.0]})) == ["B"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (539_123.0, "539,000"),
        (3.3512, "3.35"),
        (0.031249, "0.0312"),
        (0.0, "0"),
        (float("inf"), "inf"),
        (1000.0, "1,000"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert table.short(value) == text


def test_the_picture_shows_every_peer_and_the_same_numbers_give_the_same_file(tmp_path: Path) -> None:
    for name in ("one.svg", "other.svg"):
        picture.draw({"stream": PART}, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()
    root = ET.parse(tmp_path / "one.svg").getroot()
    assert root.tag.endswith("svg")
    text = (tmp_path / "one.svg").read_text()
    for words in ("Slow", "Fast", "stream: 28×28", "stream: first batch"):
        assert f"<!-- {words} -->" in text
    assert picture.OURS_WINS in text
    assert picture.PEER_WINS in text


def test_no_ratio_no_picture(tmp_path: Path) -> None:
    alone = Part([Row("alone", "s", {"millrace": [1.0]})], "", "", {}, 1.0)
    picture.draw({"alone": alone}, tmp_path / "none.svg")
    assert not list(tmp_path.iterdir())


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results.write(tmp_path / "results.json", {"stream": [PART, PART]})
    assert results.read(tmp_path / "results.json") == {"stream": [PART, PART]}
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]
    assert results.read(tmp_path / "none.json") == {}


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"format": 7, "parts": {}}')
    with pytest.raises(ValueError, match="expected format 2, got 7"):
        results.read(tmp_path / "results.json")


def test_who_cannot_be_measured_is_left_out_with_the_reason() -> None:
    def absent() -> float:
        raise ImportError("No module named 'absent'")

    def broken() -> float:
        raise OSError("its disk is full\nand more")

    found, missing = in_turns({"millrace": lambda: 1.0, "Absent": absent, "Broken": broken}, 1)
    assert list(found) == ["millrace"]
    assert missing == {"Absent": "not installed (No module named 'absent')", "Broken": "OSError: its disk is full"}
    with pytest.raises(RuntimeError, match="its disk is full"):
        in_turns({"millrace": broken}, 1)
