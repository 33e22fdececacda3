import os
from pathlib import Path

from millrace.datasets.partial import Notes, Partial

NOTES = Notes("http://a/x", '"v"', 10)


def begun(tmp_path: Path, data: bytes, notes: Notes = NOTES) -> Partial:
    partial = Partial(tmp_path / "x.gz")
    handle = partial.begin(0, notes)
    os.write(handle, data)
    os.close(handle)
    return partial


def test_bytes_and_notes_survive(tmp_path: Path) -> None:
    begun(tmp_path, b"12345")
    again = Partial(tmp_path / "x.gz")
    assert again.notes() == NOTES
    assert again.resumable("http://a/x", same_everywhere=False) == 5
    handle = again.begin(3, NOTES)
    os.write(handle, b"xy")
    os.close(handle)
    assert again.path.read_bytes() == b"123xy"


def test_another_address_starts_from_zero_unless_the_bytes_are_the_same_everywhere(tmp_path: Path) -> None:
    partial = begun(tmp_path, b"12345")
    assert partial.resumable("http://b/x", same_everywhere=False) == 0
    assert partial.resumable("http://b/x", same_everywhere=True) == 5


def test_bytes_without_notes_are_of_no_use(tmp_path: Path) -> None:
    partial = begun(tmp_path, b"12345")
    for notes in (b"{", b'{"url": 3}', b'{"url": 3, "validator": null, "total": 1}', b"[]", b"\xff"):
        (tmp_path / "x.gz.part.json").write_bytes(notes)
        assert partial.notes() is None
        assert partial.resumable("http://a/x", same_everywhere=True) == 0


def test_notes_without_bytes_are_of_no_use(tmp_path: Path) -> None:
    partial = begun(tmp_path, b"")
    assert partial.resumable("http://a/x", same_everywhere=False) == 0
    partial.path.unlink()
    assert partial.resumable("http://a/x", same_everywhere=False) == 0


def test_finishing_leaves_the_file_alone_discarding_leaves_nothing(tmp_path: Path) -> None:
    begun(tmp_path, b"12345").finish()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"x.gz": b"12345"}
    begun(tmp_path, b"1").discard()
    Partial(tmp_path / "x.gz").discard()
    assert [path.name for path in tmp_path.iterdir()] == ["x.gz"]
