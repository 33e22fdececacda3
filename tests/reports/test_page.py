"""The page: readable in light and dark, and nothing in it that the network or a script would have to bring."""

import re

import numpy as np
import pytest

from millrace.reports.page import STYLE, facts, page, picture, section, table


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it; colour: #rgb or #rrggbb."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_ink_stands_out_from_paper(scheme: int) -> None:
    colours = dict(re.findall(r"--(\w+):(#[0-9a-f]+)", STYLE.split(":root")[1 + scheme]))
    for paper in ("paper", "soft"):
        assert contrast(colours["ink"], colours[paper]) > 7
        assert contrast(colours["faint"], colours[paper]) > 4.5
    for line in range(1, 7):
        assert contrast(colours[f"c{line}"], colours["paper"]) > 4.5


def test_the_page_needs_nothing_else() -> None:
    body = picture(np.zeros((1, 4, 4), np.uint8), 'a "black" square') + facts([("a", "<b>")])
    text = page("T & T", body)
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert "url(" not in STYLE
    assert "T &amp; T" in text
    assert 'alt="a &quot;black&quot; square"' in text
    assert "&lt;b&gt;" in text


def test_sections_without_content_are_left_out() -> None:
    assert section("Nothing", "", "") == ""
    assert "<h2>Some</h2>" in section("Some", "", "x")


def test_tables_name_rows_and_columns() -> None:
    text = table(["class", "n"], [["a<", "1"]], label="l")
    assert '<th scope="row">a&lt;</th><td>1</td>' in text
    assert 'aria-label="l"' in text
