"""What is written about the service holds: the lines to paste run, tickets are tickets, flags are flags."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millrace.commands.serve import ServeOptions
from millrace.library.serving import KEYS
from millrace.service.service import Service
from millrace.service.status import five_lines
from millrace.service.ticket import CODES, parse_ticket
from tests.service.conftest import BATCH, ROWS

Serve = Callable[..., Service]
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Use it from anywhere in five lines")[2]


def pasted(text: str) -> str:
    """The first block of Python of a page."""
    return text.partition("```python\n")[2].partition("```")[0]


@pytest.mark.parametrize("lines", [pasted(README), pasted(PAGE), five_lines("grpc://127.0.0.1:8815")])
def test_the_five_lines_run_as_they_are_written(serve: Serve, lines: str) -> None:
    """NumPy's arrays in the place of PyTorch's tensors, and this test's own port."""
    assert len([line for line in lines.splitlines() if line.strip()]) <= 5
    seen: list[Any] = []
    lines = lines.replace("    ...", "    train_on(images, labels)").replace(".torch(", ".numpy(")
    port = serve().server.port
    exec(compile(lines.replace(":8815", f":{port}"), "pasted", "exec"), {"train_on": lambda *one: seen.append(one)})  # noqa: S102
    epochs = int(re.findall(r"epochs=(\d+)", lines)[0])
    assert len(seen) == epochs * -(-ROWS // BATCH)
    assert seen[0][0].shape == (BATCH, 1, 6, 5)


def test_the_tickets_of_the_page_are_tickets() -> None:
    found = [line for line in PAGE.splitlines() if line.startswith('{"millrace"')]
    assert len(found) == 2
    for line in found:
        text = line.replace("9f2c…64 hex digits", "0" * 64).encode()
        assert parse_ticket(parse_ticket(text).encode()) == parse_ticket(text)


def test_the_page_names_all_codes_and_no_flag_that_is_not_there() -> None:
    table = set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE))
    assert table == {*CODES, "unauthenticated", "internal"}
    usage = PAGE.partition("millrace serve DATASET")[2].partition("```")[0]
    known = {field.name.replace("_", "-") for field in dataclasses.fields(ServeOptions)} | set(KEYS)
    assert set(re.findall(r"--([a-z-]+)", usage)) <= known
