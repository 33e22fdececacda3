"""The pages of docs/: their links, their pictures, and the site in a browser."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-docs" / "bin" / "python"
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
DEADLINE = 120.0


def module(name: str) -> ModuleType:
    """A script of make/, imported."""
    spec = importlib.util.spec_from_file_location(f"make_{name}", ROOT / "make" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


pages = module("pages")


def written() -> dict[str, str]:
    """The text of all pages, by their path in the repository."""
    paths = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]
    return {path: (ROOT / path).read_text(encoding="utf-8") for path in (*paths, *pages.PAGES)}


@pytest.mark.parametrize("page", written())
def test_what_a_page_links_to_is_there(page: str, caplog: pytest.LogCaptureFixture) -> None:
    pages.links_replaced(written()[page], lambda target: pages.in_site(page, target))
    assert [record.getMessage() for record in caplog.records] == []


def test_every_page_is_in_the_menu() -> None:
    menu = (ROOT / "make" / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    found = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert found - set(re.findall(r": (\S+\.md)$", menu, re.MULTILINE)) == set()


def test_links_lead_to_pages_and_to_lines() -> None:
    assert pages.in_site("docs/index.md", "use.md#arrow") == ("use.md#arrow", "")
    assert pages.in_site("docs/index.md", "../datasets/README.md") == ("datasets.md", "")
    assert pages.in_site("docs/index.md", "https://example.org/x") == ("https://example.org/x", "")
    link, behind = pages.in_site("docs/studies/README.md", "../../workers/tree.py#Reduction.add")
    first, last = pages.names("workers/tree.py")["Reduction.add"]
    assert (link, behind) == (
        f'../source/workers/tree.py.md "line {first}–{last}"',
        f" <small>{first}–{last}</small>",
    )
    assert (ROOT / "workers/tree.py").read_text().splitlines()[first - 1].strip().startswith("def add(self")


@pytest.mark.parametrize("target", ["gone.md", "../workers/gone.py", "../workers/tree.py#Gone"])
def test_links_to_nothing_are_warned_of(target: str, caplog: pytest.LogCaptureFixture) -> None:
    pages.in_site("docs/index.md", target)
    assert len(caplog.records) == 1


def test_code_is_left_alone() -> None:
    text = "[a](b.md)\n```python\nrows[0](b.md)\n```\n[a](b.md)\n"
    found = pages.links_replaced(text, lambda target: ("x", ""))
    assert found == "[a](x)\n```python\nrows[0](b.md)\n```\n[a](x)\n"


drawing = module("draw_docs")


# Those that open a dataset take their time.
OPENING = {"draws", "shards"}
NAMES = [pytest.param(name, marks=pytest.mark.slow if name in OPENING else ()) for name in drawing.PICTURES]


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_those_that_the_code_draws(name: str) -> None:
    kept = (ROOT / "docs" / "pictures" / f"{name}.svg").read_text(encoding="utf-8")
    assert kept == drawing.PICTURES[name](), "`.venv/bin/python make/draw_docs.py` draws them anew"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, in a folder of its own; no network is asked for."""
    if not PYTHON.exists():
        pytest.skip("no .venv-docs here: `make docs` installs it")
    folder = tmp_path_factory.mktemp("site")
    arguments = ["-m", "mkdocs", "build", "--config-file", "make/mkdocs.yml", "--strict", "--site-dir", str(folder)]
    nowhere = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [str(PYTHON), *arguments],
        cwd=ROOT,
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def looked_at(address: str, folder: Path) -> tuple[str, str, set[str]]:
    """A page in a browser: what is in it in the end, what the browser said, and the addresses that it fetched."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium here")
    log = folder / "net.json"
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    done = subprocess.run(
        [
            *(browser, *quiet, "--enable-logging=stderr", f"--log-net-log={log}"),
            *("--virtual-time-budget=10000", "--dump-dom", address),
        ],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    asked = {str(event.get("params", {}).get("url", "")) for event in events}
    return done.stdout, done.stderr, {url for url in asked if re.match("https?:|wss?:", url)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("index.html", "What it is not for"),
        ("api.html", "where the dataset cannot be had"),
        ("contract.html", "pictures/tree.svg"),
        ("index.html?q=philox", "How the contract works</h1>"),
    ],
)
def test_a_browser_shows_it_without_network_or_complaint(site: Path, tmp_path: Path, page: str, words: str) -> None:
    shown, said, fetched = looked_at(f"{site.as_uri()}/{page}", tmp_path)
    assert "CONSOLE" not in said, said
    assert fetched == set()
    assert words in shown
