import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from millrace.errors import DeadlineError
from millrace.storage.lock import holder, locked, try_lock

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from millrace.storage.lock import locked
with locked(Path(sys.argv[1]), seconds=5):
    print("held", flush=True)
    time.sleep(30)
"""


def test_one_after_the_other(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        with locked(tmp_path / "lock", seconds=20):
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_the_wait_ends_and_names_the_holder_and_a_dead_holder_blocks_nobody(tmp_path: Path) -> None:
    lock, waits = tmp_path / "lock", list[str]()
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(DeadlineError, match=f"process {holder.pid} holds"),
            locked(lock, seconds=0.2, waiting=lambda owner, waited: waits.append(owner)),
        ):
            pass
        assert set(waits) == {f"process {holder.pid}"}
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(5)
        begin = time.monotonic()
        with locked(lock, seconds=5):
            assert lock.read_text() == str(os.getpid())
        assert time.monotonic() - begin < 1
    finally:
        holder.kill()
        holder.communicate()


def test_it_is_freed_by_an_error_and_though_a_child_lives(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    children = list[int]()

    def failing() -> None:
        with locked(lock, seconds=1):
            # A forked child shares every open file, the lock's too.
            child = os.posix_spawn("/bin/sleep", ["sleep", "30"], dict(os.environ), file_actions=_inherit_all())
            children.append(child)
            raise KeyError

    try:
        with pytest.raises(KeyError):
            failing()
        with locked(lock, seconds=0.1):
            pass
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def test_a_lock_file_that_was_removed_guards_nothing(tmp_path: Path) -> None:
    """One holds the lock and removes its file, one waits for that file, a third makes a new one: the waiter must not
    enter while the third is in, as it would by the lock on the file that has no name any more."""
    lock = tmp_path / "lock"
    waits, third_is_in, third_may_go, inside = threading.Event(), threading.Event(), threading.Event(), list[str]()

    def second() -> None:
        with locked(lock, seconds=20, waiting=lambda owner, waited: waits.set()):
            inside.append("second")

    def third() -> None:
        with locked(lock, seconds=20):
            third_is_in.set()
            third_may_go.wait(20)
            inside.append("third")

    threads = [threading.Thread(target=second), threading.Thread(target=third)]
    with locked(lock, seconds=1):
        threads[0].start()
        assert waits.wait(20)
        lock.unlink()
        threads[1].start()
        assert third_is_in.wait(20)
    time.sleep(1.5)  # longer than a pause between two tries
    third_may_go.set()
    for thread in threads:
        thread.join(20)
    assert inside == ["third", "second"]


def test_trying_does_not_wait(tmp_path: Path) -> None:
    held = try_lock(tmp_path / "lock")
    assert held is not None
    assert try_lock(tmp_path / "lock") is None
    assert holder(tmp_path / "lock") == f"process {os.getpid()}"
    held.release()
    again = try_lock(tmp_path / "lock")
    assert again is not None
    again.release()


def _inherit_all() -> list[tuple[int, int, int]]:
    """Hand all open files on: the same number again clears close-on-exec."""
    return [(os.POSIX_SPAWN_DUP2, int(fd), int(fd)) for fd in os.listdir("/dev/fd") if _is_open(int(fd))]


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
