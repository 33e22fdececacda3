"""Several runs as one, and whether another repeats them, from numbers made by hand."""

import dataclasses
import math
import sys
from pathlib import Path

import pytest

from benchmarks import comparison, results, run, table
from benchmarks.results import Part, Row


def part(*rows: Row, date: str = "2026-11-29", images: str = "") -> Part:
    return Part(list(rows), "2 cores", date, {"slow": "1.0"}, 60.0, images)


def speed(*ours: float, slow: list[float], bar: float = 10) -> Row:
    return Row("steady", "images/s", {"millrace": list(ours), "Slow": slow}, at_least={"Slow": bar})


def test_runs_are_joined_and_pairs_stay_in_their_rounds() -> None:
    one = part(speed(100, 200, 300, slow=[10, 10]), date="2026-11-28")
    other = part(speed(40, 60, slow=[2]), date="2026-11-30")
    both = results.joined([one, other])
    (row,) = both.rows
    assert row.ratios("Slow") == [10, 20, 20]
    assert row.measured("millrace") == [100, 200, 300, 40, 60]
    assert row.measured("Slow") == [10, 10, 2]
    assert (both.runs, both.date, both.seconds) == (2, "2026-11-28 to 2026-11-30", 120)
    text = table.markdown({"stream": both})
    assert "2026-11-28 to 2026-11-30, 2 runs, 2 cores; 2.0 minutes." in text
    assert "|  | Slow | 10 | 2 to 10, 3 rounds | 20 times as good (10 to 20) | 10 | yes |" in text
    assert "nan" not in text


def test_a_run_alone_stays_as_it_is() -> None:
    alone = part(speed(1, 2, slow=[1, 1]))
    assert results.joined([alone]) == alone


def test_who_is_missing_in_one_run_has_the_rounds_of_the_other() -> None:
    gone = Row("steady", "images/s", {"millrace": [1.0, 2.0]}, missing={"Slow": "its disk is full", "Gone": "absent"})
    (row,) = results.joined([part(speed(8, slow=[2])), part(gone)]).rows
    assert row.ratios("Slow") == [4]
    assert math.isnan(row.values["Slow"][-1])
    assert row.missing == {"Gone": "absent"}
    (row,) = results.joined([part(gone), part(speed(8, slow=[2]))]).rows
    assert row.ratios("Slow") == [4]
    assert not row.missing


def test_a_median_outside_of_the_spread_is_named_with_both() -> None:
    before = part(speed(100, 200, slow=[10, 10], bar=12))
    assert comparison.text("stream", before, part(speed(24, slow=[2], bar=12))) == (
        "stream: 1 of 1 medians lie within the spread of the results that were there before"
    )
    assert comparison.text("stream", before, part(speed(50, 60, 42, slow=[2, 2, 2], bar=12))).splitlines() == [
        "stream: 0 of 1 medians lie within the spread of the results that were there before",
        "  steady, Slow: 25; before 15 (10 to 20)",
    ]
    inside = comparison.text("stream", before, part(speed(110, slow=[10], bar=12))).splitlines()
    assert inside[1:] == ["  steady, Slow: 11; before 15 (10 to 20); what was promised is missed now"]


def test_without_peers_or_where_ours_alone_was_promised_something_values_are_compared() -> None:
    before = part(Row("first batch", "s", {"millrace": [0.1, 0.2], "Slow": [1, 1]}, True, at_most=0.2))
    now = part(Row("first batch", "s", {"millrace": [0.3], "Slow": [2.5]}, True, at_most=0.2))
    found = [(figure.contender, figure.inside, figure.changed) for figure in comparison.figures(before, now)]
    assert found == [("millrace", False, True), ("Slow", True, False)]
    alone = part(Row("growth", "×", {"millrace, ×2": [2.0, 2.2]}))
    assert [figure.inside for figure in comparison.figures(alone, alone)] == [True]
    assert not list(comparison.figures(before, alone))


def test_other_images_are_not_compared() -> None:
    text = comparison.text("stream", part(speed(1, slow=[1])), part(speed(1, slow=[1]), images="Noise."))
    assert text == "stream: other images than before (Noise.), so it was not compared with that"


def test_a_run_is_added_only_to_those_of_the_same_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = dataclasses.replace(part(speed(1, slow=[1])), machine="64 cores of another machine")
    results.write(tmp_path / "results.json", {"growth": [there]})
    monkeypatch.setattr(sys, "argv", ["run", "--only", "growth", "--quick", "--add", "--out", str(tmp_path)])
    with pytest.raises(SystemExit):
        run.main()
    told = capsys.readouterr().err
    assert "expected what growth was measured with before, 64 cores of another machine; got " in told
    assert "leave out --add" in told
    assert results.read(tmp_path / "results.json") == {"growth": [there]}
