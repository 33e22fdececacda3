import gzip
import tracemalloc
from pathlib import Path

import pytest

from millrace.datasets.content import looks_like_html, open_content
from millrace.datasets.spec import FileSpec
from millrace.errors import FormatError, IntegrityError
from tests.datasets.server import gz
from tests.datasets.specs import sha

DATA = bytes(range(256)) * 40


def lay(tmp_path: Path, data: bytes, name: str = "data.gz") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def check_file(file: FileSpec, path: Path) -> None:
    with open_content(path, file) as content:
        content.finish()


@pytest.mark.parametrize("name", ["data.gz", "data.bin"])
def test_the_content_is_read_counted_and_digested(tmp_path: Path, name: str) -> None:
    sent = gz(DATA) if name.endswith("gz") else DATA
    path = lay(tmp_path, sent, name)
    with open_content(path, FileSpec(name, size=len(DATA), digest=sha(DATA))) as content:
        assert content.read(5) == DATA[:5]
        content.skip(5)
        assert content.some(3) == DATA[10:13]
        content.finish()
    with open_content(path, FileSpec(name)) as content:
        assert content.read_all() == DATA
        content.end()


def test_any_compression_of_the_same_content_will_do(tmp_path: Path) -> None:
    file = FileSpec("data.gz", size=len(DATA), digest=sha(DATA))
    for level in (0, 1, 9):
        check_file(file, lay(tmp_path, gzip.compress(DATA, level)))
    check_file(file, lay(tmp_path, gz(DATA[:100]) + gz(DATA[100:])))


def test_md5_digests_are_known_too(tmp_path: Path) -> None:
    check_file(FileSpec("a", digest="md5:900150983cd24fb0d6963f7d28e17f72"), lay(tmp_path, b"abc", "a"))


def test_the_digest_of_what_is_sent(tmp_path: Path) -> None:
    path = lay(tmp_path, gz(DATA))
    check_file(FileSpec("data.gz", sent_digest=sha(gz(DATA))), path)
    with pytest.raises(IntegrityError, match=r"data\.gz \(as sent\) is not what it should be"):
        check_file(FileSpec("data.gz", sent_digest=sha(DATA)), path)


@pytest.mark.parametrize(
    ("sent", "error", "match"),
    [
        (gz(DATA)[:-9], IntegrityError, "cut short"),
        (gz(DATA)[:40], IntegrityError, "cut short"),
        (gz(DATA) + b"junk", IntegrityError, "damaged gzip"),
        (gz(DATA)[:-8] + bytes(8), IntegrityError, "damaged gzip"),
        (gz(DATA)[:30] + b"\xff" * 20 + gz(DATA)[50:], IntegrityError, "damaged gzip"),
        (DATA[:-1], IntegrityError, "wrong size"),
        (b"", IntegrityError, "wrong size"),
        (b"\n <!DOCTYPE HTML><html>", FormatError, "HTML page"),
        (gz(DATA[:-1]), IntegrityError, "wrong size"),
        (gz(DATA + b"x"), IntegrityError, "larger than it may be"),
        (gz(DATA[:-1] + b"x"), IntegrityError, "not what it should be"),
    ],
)
def test_damage_of_every_kind_is_named(tmp_path: Path, sent: bytes, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        check_file(FileSpec("data.gz", size=len(DATA), digest=sha(DATA)), lay(tmp_path, sent))


@pytest.mark.parametrize("name", ["data.gz", "data.bin"])
@pytest.mark.parametrize("sent", [DATA, gz(DATA)], ids=["plain", "gzip"])
def test_bytes_and_not_names_say_what_is_gzip(tmp_path: Path, name: str, sent: bytes) -> None:
    file = FileSpec(name, size=len(DATA), digest=sha(DATA), sent_digest=sha(sent))
    check_file(file, lay(tmp_path, sent, name))
    with open_content(tmp_path / name, FileSpec(name)) as content:
        assert content.read_all() == DATA


def test_pixels_that_begin_like_gzip_are_pixels_where_the_size_says_so(tmp_path: Path) -> None:
    data = bytes.fromhex("1f8b0800") + DATA
    check_file(FileSpec("data.bin", size=len(data), digest=sha(data)), lay(tmp_path, data, "data.bin"))
    for start in ("1f8b09", "1f8b0820", "1f8b"):  # no method or flag of gzip's; too short
        data = bytes.fromhex(start) if start == "1f8b" else bytes.fromhex(start) + DATA
        with open_content(lay(tmp_path, data, "data.bin"), FileSpec("data.bin")) as content:
            assert content.read_all() == data


@pytest.mark.parametrize("size", [1000, None])
def test_a_bomb_is_stopped_and_takes_no_memory(tmp_path: Path, size: int | None) -> None:
    with gzip.open(tmp_path / "bomb.gz", "wb", compresslevel=1) as file:
        for _ in range(280):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(IntegrityError, match="larger than it may be"):
            check_file(FileSpec("bomb.gz", size=size), tmp_path / "bomb.gz")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_reading_past_the_end_is_an_error_and_takes_no_memory(tmp_path: Path) -> None:
    path = lay(tmp_path, b"abc", "a")
    with open_content(path, FileSpec("a")) as content, pytest.raises(FormatError, match="ends too early"):
        content.read(1 << 31)
    with open_content(path, FileSpec("a")) as content, pytest.raises(FormatError, match="ends too early"):
        content.skip(4)


def test_web_pages_are_recognised() -> None:
    assert looks_like_html(b"\xef\xbb\xbf\r\n<!doctype html>")
    assert looks_like_html(b"<HTML>")
    assert looks_like_html(b'<?xml version="1.0"?><Error>')
    assert not looks_like_html(b"<")
    assert not looks_like_html(gz(b"<html>"))
    assert not looks_like_html(b"")
