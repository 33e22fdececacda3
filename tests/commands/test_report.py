"""The report of a run, from outside, and in a browser where there is one."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from millrace.model import load
from tests.datasets.importers.drawn import folders

TRAIN = "train --subset 300 --network.hidden 32 --epochs 5 --batch 32"
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
VOID = {"meta", "link", "img", "br"}


class Checker(HTMLParser):
    """Keeps count of tags that must be closed, and of pictures without words."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.mute = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.mute += tag == "img" and not dict(attrs).get("alt")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing is open after <line/>."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(path: Path) -> str:
    text = path.read_text()
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert checker.mute == 0
    return text


def headings(text: str) -> list[str]:
    return re.findall("<h2>(.*?)</h2>", text)


def test_every_run_has_its_report(door: Any) -> None:
    assert door(f"{TRAIN} --validation 50 --out run") == 0
    text = read(Path("run/report.html"))
    assert headings(text) == [
        "Curves",
        "Where the time went",
        "Confusion",
        "Classes",
        "The most confident mistakes",
        "What training sees",
        "First-layer weights",
        "To repeat it",
        "Configuration",
        "Environment",
    ]
    assert "test accuracy" in text
    assert "validation: " in text
    assert door("report run") == 0
    assert read(Path("run/report.html")) == text


def test_what_was_not_looked_at_is_not_shown(door: Any) -> None:
    assert door(f"{TRAIN} --no-test --policy none --out run") == 0
    assert "test set was not looked at" in door.out
    text = read(Path("run/report.html"))
    assert "Confusion" not in headings(text)
    assert "What training sees" not in headings(text)
    assert door(f"{TRAIN} --no-test --validation 60 --out held") == 0
    assert "validation accuracy" in read(Path("held/report.html"))


def test_a_folder_that_is_not_tested(door: Any, home: Path) -> None:
    """All classes are shown, in whatever order their pictures lie; what is not there is not proposed."""
    folders(home / "mine", {"cat": 40, "dog": 30, "newt": 20})
    assert door("train --dataset mine --test-share 0 --network.hidden 4 --epochs 1 --batch 30 --out run") == 0
    assert "millrace evaluate" not in door.out
    assert "millrace predict run PICTURE" in door.out
    assert door.out.splitlines()[-1] == "there are no test images to measure on"
    seen = read(Path("run/report.html")).partition("What training sees")[2]
    assert all(f'alt="{name}, row ' in seen for name in ("cat", "dog", "newt"))
    assert seen.count("augmented, epoch 5") == 5


def test_points_show_their_regions(door: Any) -> None:
    assert door("train --dataset points --network.hidden 8 --epochs 3 --out run") == 0
    assert "Decision regions" in headings(read(Path("run/report.html")))


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "--policy photos --seed 3",
        "--policy none --batch stochastic --subset 40 --epochs 1",
        "--policy.elastic 0.1 --policy.erase_area 0.1 0.2 --policy.erase 0.5",
        "--network.hidden 9 9 --network.skip --optimizer.name adamw --optimizer.decay 0.1 --slot-size 8",
        "--network.preset points --schedule.name one-cycle --regularization.dropout 0.25 --normalize unit",
    ],
)
def test_the_command_in_it_gives_the_same_bits(door: Any, flags: str) -> None:
    first = f"{TRAIN.replace('--network.hidden 32 ', '')} {flags}" if "network" in flags else f"{TRAIN} {flags}"
    assert door(f"{first} --out one") == 0
    said = re.search(r'<pre class="command">millrace (.*?)</pre>', Path("one/report.html").read_text())
    assert said is not None
    assert door(f"{said[1]} --out two") == 0
    ends = [load(sorted(Path(run, "checkpoints").iterdir())[-1]) for run in ("one", "two")]
    assert np.array_equal(ends[0].weights, ends[1].weights)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1100, 2500), (390, 4000)])
def test_a_browser_shows_it_without_a_complaint(door: Any, width: int, height: int) -> None:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium here")
    assert door(f"{TRAIN} --validation 50 --out run") == 0
    for scheme, paper in (("light", 200), ("dark", 60)):
        dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
        picture = Path(f"{scheme}.png").absolute()
        done = subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", *dark),
                *(f"--screenshot={picture}", f"--window-size={width},{height}"),
                Path("run/report.html").absolute().as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert "CONSOLE" not in done.stderr
        with Image.open(picture) as shot:
            pixels = np.asarray(shot.convert("L"))
        corner = int(pixels[3, 3])
        assert corner > paper if scheme == "light" else corner < paper
        assert (np.abs(pixels.astype(int) - corner) > 60).mean() > 0.01
