"""The journal: what was written is read, what was torn or changed is seen."""

import random
from pathlib import Path

import pytest

from millrace.errors import CheckpointError, MismatchError
from millrace.runs.journal import Journal, JournalRow, read_journal, staleness, wrong_reads

ROWS = [JournalRow(0, 0, 0), JournalRow(3, 2, 0), JournalRow(1, 1, 0), JournalRow(3, 3, 3), JournalRow(200, 70, 0)]


def written(path: Path, rows: list[JournalRow] = ROWS, run: str = "a") -> str:
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
    assert read_journal(tmp_path / "journal", "a", len(rows), digest) == rows
    assert read_journal(tmp_path / "journal", "a", 17) == rows[:17]
    assert read_journal(tmp_path / "journal", "a", 5000, least=3000) == rows
    with pytest.raises(CheckpointError, match="torn or damaged after update 3000"):
        read_journal(tmp_path / "journal", "a", 5000, least=3001)


def test_an_update_takes_four_bytes(tmp_path: Path) -> None:
    written(tmp_path / "0", [])
    written(tmp_path / "1", [JournalRow(update % 4, update, max(0, update - 3)) for update in range(1000)])
    assert (tmp_path / "1").stat().st_size - (tmp_path / "0").stat().st_size == 4000


def test_a_run_that_goes_on_drops_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    whole, part = written(tmp_path / "whole"), written(tmp_path / "part", ROWS[:3])
    path = tmp_path / "whole"
    path.write_bytes(path.read_bytes()[:-1])  # as a kill leaves it
    journal = Journal(path, "a", 3, part)
    assert path.read_bytes() == (tmp_path / "part").read_bytes()
    assert journal.staleness == {0: 1, 1: 1, 2: 1}
    for row in ROWS[3:]:
        journal.write(row)
    journal.close()
    assert journal.digest == whole
    assert journal.staleness == {0: 2, 1: 1, 2: 1, 4: 1}
    assert read_journal(path, "a", 5, whole) == ROWS


def test_what_is_flushed_the_system_has(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", "a")
    journal.write(ROWS[0])
    journal.flush()
    assert read_journal(tmp_path / "journal", "a", 1) == ROWS[:1]
    journal.abandon()


def test_a_torn_journal_is_seen(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    data = (tmp_path / "journal").read_bytes()
    for size in range(len(data)):
        (tmp_path / "torn").write_bytes(data[:size])
        with pytest.raises(CheckpointError):
            read_journal(tmp_path / "torn", "a", len(ROWS))
        with pytest.raises(CheckpointError):
            Journal(tmp_path / "torn", "a", len(ROWS))
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
                read_journal(tmp_path / "changed", "a", len(ROWS), digest)


def test_a_row_that_is_left_out_is_seen_without_a_digest(tmp_path: Path) -> None:
    written(tmp_path / "journal", [JournalRow(1, update, update) for update in range(50)])
    data = (tmp_path / "journal").read_bytes()
    begin = data.index(b"\n") + 1
    (tmp_path / "journal").write_bytes(data[:begin] + data[begin + 4 :])
    with pytest.raises(CheckpointError, match="torn or damaged"):
        read_journal(tmp_path / "journal", "a", 49)


def test_of_another_run_of_another_release_or_none_at_all(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with pytest.raises(CheckpointError, match="there is no journal"):
        read_journal(path, "a", 0)
    digest = written(path)
    with pytest.raises(MismatchError, match="of another run"):
        read_journal(path, "b", 5, digest)
    with pytest.raises(MismatchError, match="not the journal of this checkpoint"):
        read_journal(path, "a", 4, digest)
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(MismatchError, match="written by another release"):
        read_journal(path, "a", 5)
    path.write_bytes(b"[]\n")
    with pytest.raises(CheckpointError, match="is no journal"):
        read_journal(path, "a", 0)


def test_how_far_behind() -> None:
    assert staleness(ROWS) == {0: 2, 1: 1, 2: 1, 4: 1}
    assert wrong_reads(ROWS, None) == []
    assert wrong_reads(ROWS, 2) == [4]
    assert wrong_reads([JournalRow(0, 0, 1)], None) == [0]
