"""Charts as text: the right places, readable axes, nothing that breaks them."""

import math
import re
from xml.etree import ElementTree

import pytest

from millrace.reports.chart import MOST, Line, _Axis, chart, number, thinned


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.replace("<ul class=legend>", '<ul class="legend">'))


def test_a_chart_is_well_formed_and_told() -> None:
    text = chart("Loss <&>", [Line("training", [1, 2, 3], [2.0, 1.0, 0.5]), Line("", [1], [1.5], 2)], "epoch", "nats")
    svg = parsed(text).find("svg")
    assert svg is not None
    assert "training: 2 at epoch 1, 0.5 at epoch 3." in svg.attrib["aria-label"]
    assert len(svg.findall("path")) == 2


def test_points_stand_where_they_belong() -> None:
    text = chart("t", [Line("a", [0, 10], [0.0, 4.0])], "x", "y")
    path = re.search(r'd="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"', text)
    assert path is not None
    assert [float(place) for place in path.groups()] == [52.0, 206.0, 388.0, 12.0]


@pytest.mark.parametrize(
    "values", [[0.0, 1.0], [3e-5, 1e-3], [99.2, 99.9], [5.0, 5.0], [0.0, 0.0], [-3.0, 7.0], [1e6, 2e6]]
)
def test_axes_have_few_round_ticks(values: list[float]) -> None:
    axis = _Axis.over(values, 0, 100, zero=True)
    assert 2 <= len(axis.ticks) <= 8
    assert axis.low <= min(values) <= max(values) <= axis.high
    assert all(-1e-6 <= axis.place(tick) <= 100 + 1e-6 for tick in axis.ticks)


def test_gaps_and_nothing() -> None:
    assert chart("t", [Line("a", [], [])], "x", "y") == ""
    assert chart("t", [Line("a", [1.0], [math.nan])], "x", "y") == ""
    text = chart("t", [Line("a", [1, 2, 3, 4], [1.0, math.nan, math.inf, 2.0])], "x", "y")
    assert "nan" not in re.sub('aria-label="[^"]*"', "", text)
    assert text.count("M") == 2


def test_long_lines_are_thinned_by_means() -> None:
    line = thinned(Line("a", list(range(3000)), [float(k % 10) for k in range(3000)]))
    assert len(line.x) == MOST
    assert set(line.y) == {4.5}
    assert line.x[-1] == 2999


@pytest.mark.parametrize(("value", "text"), [(0.001, "0.001"), (25.0, "25"), (60000, "60k"), (1e-5, "1e-05")])
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text
