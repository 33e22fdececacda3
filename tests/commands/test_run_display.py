"""The display of a run, fed with events: plain lines, JSON lines, the lines that redraw, the stop."""

import dataclasses
import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from millrace.commands import run_display
from millrace.commands.downloads import Downloads
from millrace.commands.run_display import RunDisplay
from millrace.commands.screen import Screen
from millrace.commands.stopping import Stopping
from millrace.runs import RoleTime, StageLine
from millrace.settings.layers import Setting, Settings
from millrace.workers.events import (
    CheckpointWritten,
    EpochDone,
    Event,
    Notice,
    RunDone,
    RunStarted,
    StagesDone,
    StepDone,
)

HELD = StagesDone(
    StageLine(
        0, 1, 1.0, "local", 2, 2, 64, 128, 50, False, 1.0,
        {"worker": RoleTime(1, {"compute": (0.88, 2, 0.4), "data": (0.12, 2, 0.01)}), "augmenter": RoleTime(1, {})},
    )
)  # fmt: skip
STARTED = RunStarted("runs/a", 0, 24, 12, 2, 1437, 100, 366_935, 128, 2, 2, 0, "digits", False, 360)
STEP = StepDone(0, 0, 2.3456, 0.125, 0.001, 41_234.5, 0.0125)
EPOCH = EpochDone(0, 11, 0.84231, 0.7834, 0.00099, 41_000.0, 0.002, 0.5, 0.9012, 1.5)
EVENTS: list[Event] = [
    STARTED,
    STEP,
    EPOCH,
    CheckpointWritten(12, "runs/a/checkpoints/x"),
    Notice("look"),
    RunDone(24, False, 3.0, 0.1, 0.98),
]


def feed(
    screen: Screen, events: list[Event], stopping: Stopping | None = None, settings: Settings | None = None
) -> None:
    with RunDisplay(screen, settings or Settings({}), stopping or Stopping(), Downloads(screen)) as display:
        for event in events:
            display(event)


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    feed(Screen(), EVENTS)
    out, err = capsys.readouterr()
    assert "1,437 samples to train on, 100 to validate on" in out
    assert "366,935 parameters" in out
    assert out.splitlines()[-1].split() == ["1", "0.8423", "78.34", "%", "90.12", "%", "9.90e-04", "41,000", "0.2", "%"]
    assert err == "note: look\n"
    assert "\x1b" not in out + err
    assert max(map(len, out.splitlines())) <= 80


def test_what_holds_a_run_back_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_display, "QUIET", 0.0)
    feed(Screen(), [STARTED, HELD, STEP])
    words = "the worker waits for the augmenter 12 % of the time: --augmenters 0 or one more core"
    assert capsys.readouterr().out.splitlines()[-1] == words
    feed(Screen(as_json=True), [HELD])
    told = json.loads(capsys.readouterr().out)
    assert (told["event"], told["roles"]["worker"]["stages"]["data"]) == ("stages_done", [0.12, 2, 0.01])


def test_an_export_at_an_address_is_not_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings({"dataset": Setting("file:///nowhere/any/more", "--dataset"), "policy": Setting("none", "")})
    feed(Screen(), [dataclasses.replace(STARTED, dataset="mnist", exported=True)], settings=settings)
    out = capsys.readouterr().out
    assert "mnist: 1,437 samples" in out
    assert "as the rows of the export are" in out


def test_json_lines_hold_every_event_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    feed(Screen(as_json=True), EVENTS)
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["event"] for line in lines] == [
        "run_started",
        "step",
        "epoch",
        "checkpoint_written",
        "notice",
        "run_done",
    ]
    assert lines[2]["validation_accuracy"] == 0.9012
    assert json.loads(err) == {"notice": "look"}


def test_long_runs_are_thinned_out_and_the_last_epoch_shows(capsys: pytest.CaptureFixture[str]) -> None:
    many = RunStarted("runs/a", 0, 5000, 1, 5000, 1437, 0, 366_935, 128, 2, 2, 0, "digits", False, 360)
    epochs: list[Event] = [EpochDone(n, n, 0.1, 0.9, 0.1, 1.0, 0.0, None, None, 1.0) for n in range(5000)]
    feed(Screen(), [many, *epochs])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.split()[:1] and line.split()[0].isdigit()]
    assert len(rows) == run_display.MOST_LINES
    assert rows[-1].split()[0] == "5000"


def test_a_long_epoch_is_not_silent(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_display, "QUIET", 0.0)
    feed(Screen(), [STARTED, STEP])
    assert "step 1/24" in capsys.readouterr().out


def test_on_a_terminal_two_lines_redraw_within_80_columns() -> None:
    screen = Screen()
    screen.console = Console(file=io.StringIO(), force_terminal=True, width=80)
    display = RunDisplay(screen, Settings({}), Stopping(), Downloads(screen))
    with display:
        for event in (STARTED, STEP):
            display(event)
        page = Console(width=80, file=io.StringIO(), record=True)
        page.print(display)
        first, second = page.export_text().splitlines()
    assert first.startswith("epoch 1/2  step 1/24")
    assert first.rstrip().endswith("left")
    assert second.rstrip() == "loss 2.3456  accuracy 12.5 %  rate 1.00e-03  41,234 samples/s  waiting 1.2 %"


def test_a_stop_is_answered_once(capsys: pytest.CaptureFixture[str]) -> None:
    stopping = Stopping()
    stopping.event.set()
    feed(Screen(), [STARTED, STEP, STEP], stopping)
    assert capsys.readouterr().out.count("stopping: writing a checkpoint") == 1


def test_the_second_interrupt_ends_the_process_at_once() -> None:
    code = (
        "import signal, time; from millrace.commands.stopping import Stopping\n"
        "with Stopping() as stopping:\n"
        "    signal.raise_signal(signal.SIGINT); print(stopping.event.is_set(), flush=True)\n"
        "    signal.raise_signal(signal.SIGINT); time.sleep(60)"
    )
    root = Path(run_display.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (130, "True\n", "\naborted\n")


def test_signals_set_the_event_and_the_exit_code() -> None:
    before = signal.getsignal(signal.SIGTERM)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        with Stopping() as stopping:
            assert not stopping.event.is_set()
            signal.raise_signal(number)
            signal.raise_signal(signal.SIGTERM)  # asking twice to end well changes nothing
            assert stopping.event.is_set()
            assert stopping.code == code
    assert signal.getsignal(signal.SIGTERM) is before
