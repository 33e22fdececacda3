"""The journal: what was written is read, what was torn or changed is seen."""

import hashlib
import random
import tracemalloc
from pathlib import Path

import pytest

from millrace.errors import CheckpointError, MismatchError
from millrace.runs.journal import Journal, read_journal
from millrace.runs.journal_head import RunIdentity
from millrace.runs.journal_rows import JournalRow, JournalRows, staleness, wrong_reads

ROWS = [JournalRow(0, 0, 0), JournalRow(3, 2, 0), JournalRow(1, 1, 0), JournalRow(3, 3, 3), JournalRow(200, 70, 0)]


A = RunIdentity({"seed": 7, "optimizer.rate": 0.1, "data": "0123"}, {"seed": 0, "optimizer.rate": 0.001}, "abcdef")
B = A._replace(options={**A.options, "seed": 8}, digest="fedcba")


def written(path: Path, rows: list[JournalRow] = ROWS, run: RunIdentity = A) -> str:
    journal = Journal(path, run)
    for row in rows:
        journal.write(row)
    journal.close()
    return journal.digest


def test_what_was_written_is_read(tmp_path: Path) -> None:
    draw = random.Random(1)
    rows = [
        JournalRow(draw.choice((0, 1, 127, 128, 2**20)), draw.randrange(2 * update + 9), draw.randint(0, update))
        for update in range(3000)
    ]
    digest = written(tmp_path / "journal", rows)
    assert list(read_journal(tmp_path / "journal", A, len(rows), digest)) == rows
    assert list(read_journal(tmp_path / "journal", A, 17)) == rows[:17]
    assert list(read_journal(tmp_path / "journal", A, 5000, least=3000)) == rows
    with pytest.raises(CheckpointError, match="torn or damaged after update 3000"):
        read_journal(tmp_path / "journal", A, 5000, least=3001)


def test_an_update_takes_four_bytes(tmp_path: Path) -> None:
    written(tmp_path / "0", [])
    written(tmp_path / "1", [JournalRow(update % 4, update, max(0, update - 3)) for update in range(1000)])
    assert (tmp_path / "1").stat().st_size - (tmp_path / "0").stat().st_size == 4000


def test_a_run_that_goes_on_drops_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    whole, part = written(tmp_path / "whole"), written(tmp_path / "part", ROWS[:3])
    path = tmp_path / "whole"
    path.write_bytes(path.read_bytes()[:-1])  # as a kill leaves it
    journal = Journal(path, A, 3, part)
    assert path.read_bytes() == (tmp_path / "part").read_bytes()
    assert journal.staleness == {0: 1, 1: 1, 2: 1}
    for row in ROWS[3:]:
        journal.write(row)
    journal.close()
    assert journal.digest == whole
    assert journal.staleness == {0: 2, 1: 1, 2: 1, 4: 1}
    assert list(read_journal(path, A, 5, whole)) == ROWS


def test_what_is_flushed_the_system_has(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", A)
    journal.write(ROWS[0])
    journal.flush()
    assert list(read_journal(tmp_path / "journal", A, 1)) == ROWS[:1]
    journal.abandon()


def test_a_torn_journal_is_seen(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    data = (tmp_path / "journal").read_bytes()
    for size in range(len(data)):
        (tmp_path / "torn").write_bytes(data[:size])
        with pytest.raises(CheckpointError):
            read_journal(tmp_path / "torn", A, len(ROWS))
        with pytest.raises(CheckpointError):
            Journal(tmp_path / "torn", A, len(ROWS))
        assert (tmp_path / "torn").read_bytes() == data[:size]


def test_a_changed_byte_is_seen(tmp_path: Path) -> None:
    digest = written(tmp_path / "journal")
    data = (tmp_path / "journal").read_bytes()
    for place in range(len(data)):
        for bit in (1, 64, 128):
            changed = bytearray(data)
            changed[place] ^= bit
            (tmp_path / "changed").write_bytes(changed)
            with pytest.raises(CheckpointError):
                read_journal(tmp_path / "changed", A, len(ROWS), digest)


def test_a_row_that_is_left_out_is_seen_without_a_digest(tmp_path: Path) -> None:
    written(tmp_path / "journal", [JournalRow(1, update, update) for update in range(50)])
    data = (tmp_path / "journal").read_bytes()
    begin = data.index(b"\n") + 1
    (tmp_path / "journal").write_bytes(data[:begin] + data[begin + 4 :])
    with pytest.raises(CheckpointError, match="torn or damaged"):
        read_journal(tmp_path / "journal", A, 49)


def test_of_another_run_of_another_release_or_none_at_all(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with pytest.raises(CheckpointError, match="there is no journal"):
        read_journal(path, A, 0)
    digest = written(path)
    with pytest.raises(MismatchError, match="of another run") as caught:
        read_journal(path, B, 5, digest)
    assert (caught.value.expected, caught.value.got) == ("seed 8", "seed 7")
    with pytest.raises(MismatchError, match="not the journal of this checkpoint"):
        read_journal(path, A, 4, digest)
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(MismatchError, match="written by another release"):
        read_journal(path, A, 5)
    path.write_bytes(b"[]\n")
    with pytest.raises(CheckpointError, match="is no journal"):
        read_journal(path, A, 0)


@pytest.mark.parametrize(
    ("option", "plain", "opens"), [("none", "none", True), ("cutout", "none", False), (None, None, True)]
)
def test_an_option_that_a_later_release_added(
    tmp_path: Path, option: str | None, plain: str | None, opens: bool
) -> None:
    """The journal's run was trained without it, so it must be plain; one that is left out where it is plain is too."""
    written(tmp_path / "journal")
    added = {} if option is None else {"regularization.cutout": option}
    later = RunIdentity({**A.options, **added}, {**A.plain, "regularization.cutout": plain}, "other")
    if opens:
        assert list(read_journal(tmp_path / "journal", later, len(ROWS))) == ROWS
        return
    with pytest.raises(MismatchError, match="of another run") as caught:
        read_journal(tmp_path / "journal", later, len(ROWS))
    assert (caught.value.expected, caught.value.got) == ("regularization.cutout cutout", "regularization.cutout none")


def test_a_plain_value_that_a_later_release_changed(tmp_path: Path) -> None:
    """The journal says what its run had."""
    written(tmp_path / "journal")
    later = A._replace(plain={**A.plain, "seed": 7, "optimizer.rate": 0.3})
    assert list(read_journal(tmp_path / "journal", later, len(ROWS))) == ROWS


def test_a_journal_that_names_its_run_by_a_digest(tmp_path: Path) -> None:
    """As they did at first; such a run goes on, and its file keeps its first line."""
    written(tmp_path / "journal", ROWS[:3])
    data = (tmp_path / "journal").read_bytes()
    old = b'{"format": 1, "release": "0.2.0", "run": "abcdef"}\n' + data[data.index(b"\n") + 1 :]
    (tmp_path / "journal").write_bytes(old)
    assert list(read_journal(tmp_path / "journal", A, 3)) == ROWS[:3]
    with pytest.raises(MismatchError, match="of another run"):
        read_journal(tmp_path / "journal", B, 3)
    journal = Journal(tmp_path / "journal", A, 3, hashlib.sha256(old).hexdigest())
    journal.write(ROWS[3])
    journal.close()
    assert (tmp_path / "journal").read_bytes().startswith(old)
    assert list(read_journal(tmp_path / "journal", A, 4, journal.digest)) == ROWS[:4]


def test_a_driver_that_was_followed_writes_into_no_file_of_the_next(tmp_path: Path) -> None:
    """On a disk that machines share: it slept while it had the file open."""
    path = tmp_path / "journal"
    sleeping = Journal(path, A)
    for row in ROWS[:3]:
        sleeping.write(row)
    sleeping.flush()
    for keep, begin in ((3, sleeping.digest), (0, None)):
        following = Journal(path, A, keep, begin)
        for row in ROWS[keep:]:
            following.write(row)
        following.flush()
        sleeping.write(ROWS[3])
        sleeping.flush()
        assert list(read_journal(path, A, len(ROWS), following.digest)) == ROWS
        following.close()
    sleeping.abandon()


def test_rows_are_kept_in_24_bytes() -> None:
    rows = JournalRows()
    tracemalloc.start()
    try:
        for update in range(100_000):
            rows.append(JournalRow(update % 5, update + 1000, update + 999))
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert size < 30 * len(rows)
    assert (rows[70_000], rows[-1]) == (JournalRow(0, 71_000, 70_999), JournalRow(4, 100_999, 100_998))
    assert list(rows[5:15:5]) == [JournalRow(0, 1005, 1004), JournalRow(0, 1010, 1009)]
    with pytest.raises(IndexError):
        rows[100_000]


def test_how_far_behind() -> None:
    assert staleness(ROWS) == {0: 2, 1: 1, 2: 1, 4: 1}
    assert wrong_reads(ROWS, None) == []
    assert wrong_reads(ROWS, 2) == [4]
    assert wrong_reads([JournalRow(0, 0, 1)], None) == [0]
