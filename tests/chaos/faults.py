"""What is done to a run, by verb. Each returns once it is over; the driver is told which ends it explains."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from subprocess import TimeoutExpired

from tests.chaos import network
from tests.chaos.driver import Driver
from tests.chaos.findings import Finding
from tests.chaos.roles import found
from tests.chaos.schedule import DRIVER, NODE, RAYS, Fault
from tests.chaos.stage import Stage

BROKEN_PIPE, FAILED, REFUSED = 141, 1, 2
STOPS = {"int": (signal.SIGINT, 130), "term": (signal.SIGTERM, 143), "hup": (signal.SIGHUP, 129)}
CHECKPOINT = 5.0  # seconds to wait for one
STOPPED = 90.0  # seconds for a checkpoint and an end
Strike = Callable[[Stage, Driver, Fault], bool]  # whether there was something to do it to


def kill(stage: Stage, driver: Driver, fault: Fault) -> bool:
    """SIGKILL of one process, or of a node with all that is on it."""
    if fault.who == NODE:
        return stage.cluster is not None and stage.cluster.lose_one()
    explain(driver, fault.who)
    process = _one(stage, fault)
    if process:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        if fault.who == DRIVER:
            driver.wait(30)
    return bool(process)


def explain(driver: Driver, who: str) -> None:
    """A driver ends with its own process, and as it may where Ray's are lost; never for an actor."""
    if who == DRIVER:
        driver.expected.add(-signal.SIGKILL)
    if who in RAYS:
        driver.any_code = True


def _one(stage: Stage, fault: Fault) -> int:
    """The process that is meant, of several one that the step chooses; 0 where there is none."""
    those = found(stage, fault.who)
    return those[fault.step % len(those)] if those else 0


def stop(stage: Stage, driver: Driver, fault: Fault) -> bool:
    """A signal that asks for an end; there is one soon."""
    number, code = STOPS[fault.who.removesuffix("twice")]
    driver.expected |= {code, -number}
    driver.send_signal(number)
    if fault.who.endswith("twice"):  # the second one ends the program at once
        time.sleep(0.05)
        driver.send_signal(number)
    try:
        driver.wait(STOPPED)
    except TimeoutExpired:
        raise Finding(f"{number.name} did not end the driver within {STOPPED:g} s") from None
    return True


def pause(stage: Stage, driver: Driver, fault: Fault) -> bool:
    """SIGSTOP, and SIGCONT later."""
    if fault.who == NODE:
        return stage.cluster is not None and stage.cluster.pause_one(lambda all_of_it: freeze(all_of_it, fault.seconds))
    if fault.who in RAYS:
        explain(driver, fault.who)
    process = _one(stage, fault)
    if process:
        freeze([process], fault.seconds)
    return bool(process)


def freeze(processes: list[int], seconds: float) -> None:
    """Have processes stand still."""
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, number)
        if number == signal.SIGSTOP:
            time.sleep(seconds)


def close(stage: Stage, driver: Driver, fault: Fault) -> bool:
    """The reader of its output leaves."""
    driver.expected.add(BROKEN_PIPE)
    driver.close_output()
    return True


def full(stage: Stage, driver: Driver, fault: Fault) -> bool:
    """The disk of the run's folder is full for a while."""
    driver.expected.add(FAILED)
    ballast = stage.disk / "ballast"
    piece = bytes(1 << 16)
    with open(ballast, "wb", buffering=0) as file:
        with suppress(OSError):
            while True:
                file.write(piece)
        until = time.monotonic() + fault.seconds
        while time.monotonic() < until:  # what a run frees is taken, too
            with suppress(OSError):
                file.write(piece[:4096])
            time.sleep(0.01)
    ballast.unlink()
    return True


def clock(stage: Stage, driver: Driver, fault: Fault) -> bool:
    """The time of day jumps, for all programs here."""
    stage.move_clock(round(fault.seconds))
    return True


def slow(stage: Stage, driver: Driver, fault: Fault) -> bool:
    """All links are slow for a while."""
    with network.slow(network.RATES[fault.who]):
        time.sleep(fault.seconds)
    return True


def second(stage: Stage, driver: Driver, fault: Fault) -> bool:
    """Another driver wants the run: it is refused, and nothing of the run changes."""
    if not stage.steps():
        return False  # it may be the first one
    done = stage.millrace("resume", str(stage.run))
    if done.returncode != REFUSED and driver.poll() is None and not (stage.run / "result.json").exists():
        raise Finding(f"a second driver ended with {done.returncode}; expected {REFUSED}:\n{done.stdout}{done.stderr}")
    return True


def damage(stage: Stage, driver: Driver, fault: Fault) -> bool:
    """SIGKILL, and what a power cut may leave: a torn line, or a wrong byte in one of two checkpoints."""
    kill(stage, driver, Fault(fault.step, "kill", DRIVER))
    # A finished run's lines are on the disk, whole, before its result is.
    if fault.who == "metrics" and stage.metrics.exists() and not (stage.run / "result.json").exists():
        with open(stage.metrics, "ab") as file:
            file.write(b'{"step": 1')
    whole = sorted((stage.run / "checkpoints").glob("step-*"))
    if fault.who == "checkpoint" and len(whole) > 1:
        content = bytearray((whole[-1] / "weights.safetensors").read_bytes())
        content[-1] ^= 255
        (whole[-1] / "weights.safetensors").write_bytes(content)
    return True


def cut(stage: Stage, driver: Driver, fault: Fault) -> bool:
    """SIGKILL in the middle of a checkpoint, the next one that is begun."""
    folder, until = stage.run / "checkpoints", time.monotonic() + CHECKPOINT
    while driver.poll() is None and time.monotonic() < until:
        if folder.is_dir() and any(name.startswith(".") for name in os.listdir(folder)):
            return kill(stage, driver, Fault(fault.step, "kill", DRIVER))
    return False


def read(stage: Stage, driver: Driver, fault: Fault) -> bool:
    """Another program looks at the run, while it is trained and whatever else comes."""
    if not stage.steps():
        return False
    stage.readers.append(Driver([fault.who, str(stage.run)], stage.environment))
    return True


VERBS: Mapping[str, Strike] = {
    "kill": kill,
    "stop": stop,
    "pause": pause,
    "close": close,
    "full": full,
    "clock": clock,
    "slow": slow,
    "second": second,
    "damage": damage,
    "cut": cut,
    "read": read,
}
