import os
import threading
import time
from pathlib import Path

import pytest

from millrace.datasets import limits
from millrace.datasets.content import open_content
from millrace.datasets.download import Origin, PartialFile, WrongBytes, download
from millrace.datasets.http import Fault
from millrace.datasets.spec import SLACK, FileSpec
from tests.datasets import server as answers
from tests.datasets.server import Server, gz
from tests.datasets.specs import sha

CONTENT = bytes(range(256)) * 800 + b"end"
SENT = gz(bytes((i * 7919) % 251 for i in range(60_000)))
FILE = FileSpec("data.gz", size=60_000, digest=sha(bytes((i * 7919) % 251 for i in range(60_000))))
PLAIN = FileSpec("data.bin", size=len(CONTENT), digest=sha(CONTENT))

Seen = list[tuple[str, int, int | None]]


def fetch(server: Server, tmp_path: Path, file: FileSpec = PLAIN) -> Seen:
    seen: Seen = []

    def verify(path: Path) -> None:
        with open_content(path, file) as content:
            content.finish()

    download(
        f"{server.url}/a",
        file,
        tmp_path / file.name,
        verify,
        time.monotonic() + limits.FILE,
        lambda *step: seen.append(step),
    )
    return seen


def names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.iterdir())


def test_a_file_arrives_verified_and_alone(server: Server, tmp_path: Path) -> None:
    server.put("/a", answers.whole(CONTENT))
    seen = fetch(server, tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert names(tmp_path) == ["data.bin"]
    assert seen[0] == ("data.bin", 0, len(CONTENT))
    assert seen[-1] == ("data.bin", len(CONTENT), len(CONTENT))
    assert server.seen[0][1]["Accept-Encoding"] == "identity"


def test_a_broken_connection_goes_on_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.put("/a", answers.drops(CONTENT, 70_000))
    fetch(server, tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    # Three breaks are more than two attempts: attempts that bring something do not count.
    assert server.ranges() == [None, "bytes=70000-", "bytes=140000-"]
    assert server.seen[1][1]["If-Range"] == '"one"'


def test_a_later_run_goes_on_too(server: Server, tmp_path: Path) -> None:
    server.put("/a", answers.drops(CONTENT, 300), answers.status(404))
    with pytest.raises(Fault, match="404"):
        fetch(server, tmp_path)
    assert names(tmp_path) == ["data.bin.part", "data.bin.part.json"]
    server.put("/a", answers.ranged(CONTENT))
    fetch(server, tmp_path)
    assert server.ranges()[-1] == "bytes=300-"
    assert names(tmp_path) == ["data.bin"]


def test_a_complete_part_is_only_verified(server: Server, tmp_path: Path) -> None:
    server.put("/a", answers.drops(CONTENT, 300), answers.status(404))
    with pytest.raises(Fault):
        fetch(server, tmp_path)
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    server.put("/a", answers.ranged(CONTENT))
    fetch(server, tmp_path)
    assert server.ranges()[-1] == f"bytes={len(CONTENT)}-"
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "second",
    [
        answers.whole(CONTENT),
        answers.ranged(CONTENT, etag='"two"'),
        answers.status(206, Content_Range=f"bytes 0-9/{len(CONTENT)}"),
        answers.status(206, Content_Range=f"bytes 300-9/{len(CONTENT) + 1}"),
        answers.status(206, Content_Range="bytes rubbish"),
        answers.status(206),
        answers.status(416, Content_Range="bytes */3"),
    ],
    ids=["ignores Range", "another version", "wrong start", "another size", "rubbish", "no range", "refused"],
)
def test_where_it_cannot_go_on_it_starts_from_zero(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: answers.Answer
) -> None:
    monkeypatch.setattr(limits, "ATTEMPTS", 3)
    server.put("/a", answers.drops(CONTENT, 300), second, answers.whole(CONTENT))
    fetch(server, tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.ranges()[1] == "bytes=300-"
    assert server.ranges()[2:] in ([], [None])


def test_wrong_bytes_before_the_break_are_thrown_away(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ATTEMPTS", 3)
    server.put("/a", answers.drops(b"x" * len(CONTENT), 300), answers.ranged(CONTENT))
    fetch(server, tmp_path)
    assert server.ranges() == [None, "bytes=300-", None]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_busy_servers_are_asked_again(server: Server, tmp_path: Path, code: int) -> None:
    server.put("/a", answers.status(code), answers.whole(CONTENT))
    fetch(server, tmp_path)
    assert len(server.seen) == 2


def test_busy_servers_are_not_asked_forever(server: Server, tmp_path: Path) -> None:
    server.put("/a", answers.status(503))
    with pytest.raises(Fault, match=r"HTTP 503 Service Unavailable \(2 attempts\)"):
        fetch(server, tmp_path)
    assert len(server.seen) == 2


def test_a_server_that_asks_for_patience_gets_it_within_reason(server: Server, tmp_path: Path) -> None:
    server.put("/a", answers.status(503, Retry_After="1"), answers.whole(CONTENT))
    begin = time.monotonic()
    fetch(server, tmp_path)
    assert time.monotonic() - begin >= 1
    server.put("/a", answers.status(503, Retry_After="86400"))
    with pytest.raises(Fault, match="come back after 86400 s"):
        fetch(server, tmp_path)


@pytest.mark.parametrize(("code", "missing"), [(404, True), (403, True), (410, True), (401, False), (501, False)])
def test_other_refusals_are_final(server: Server, tmp_path: Path, code: int, missing: bool) -> None:
    server.put("/a", answers.status(code))
    with pytest.raises(Fault, match=f"HTTP {code}") as caught:
        fetch(server, tmp_path)
    assert caught.value.missing is missing
    assert len(server.seen) == 1
    assert names(tmp_path) == []


def test_wrong_bytes_are_final_and_leave_nothing(server: Server, tmp_path: Path) -> None:
    server.put("/a", answers.whole(CONTENT[:-1] + b"x"))
    with pytest.raises(WrongBytes, match="not what it should be") as caught:
        fetch(server, tmp_path)
    assert sha(CONTENT) in caught.value.reason
    assert len(server.seen) == 1
    assert names(tmp_path) == []


def test_a_page_instead_of_gzip_is_named_at_once(server: Server, tmp_path: Path) -> None:
    page = b"<!DOCTYPE html><title>Please log in</title>"
    server.put("/a", answers.whole(page + bytes(SLACK // 2)))
    with pytest.raises(Fault, match="an HTML page instead of gzip"):
        fetch(server, tmp_path, FILE)
    assert names(tmp_path) == []


def test_truncation_that_a_lie_about_the_length_hides(server: Server, tmp_path: Path) -> None:
    server.put("/a", answers.whole(SENT[:-100]))
    with pytest.raises(WrongBytes, match="cut short"):
        fetch(server, tmp_path, FILE)
    server.put("/a", answers.unsized(SENT[:-100]), answers.unsized(SENT))
    fetch(server, tmp_path, FILE)
    assert names(tmp_path) == ["data.gz"]


def test_a_length_that_promises_too_much_is_a_break(server: Server, tmp_path: Path) -> None:
    server.put("/a", answers.drops(CONTENT, len(CONTENT) - 1), answers.whole(CONTENT))
    fetch(server, tmp_path)


def test_a_server_that_starts_from_zero_and_breaks_is_not_asked_forever(server: Server, tmp_path: Path) -> None:
    def lie(handler: answers.Handler) -> None:
        handler.head(200, {"Content-Length": len(CONTENT) + 4})
        handler.wfile.write(CONTENT)
        handler.cut()

    server.put("/a", lie)
    with pytest.raises(Fault, match=r"broke after .*\(2 attempts\)"):
        fetch(server, tmp_path)
    assert len(server.seen) <= 3


def test_a_length_that_promises_too_little_is_found(server: Server, tmp_path: Path) -> None:
    server.put("/a", answers.whole(CONTENT, Content_Length=len(CONTENT) - 5))
    with pytest.raises(WrongBytes, match="wrong size"):
        fetch(server, tmp_path)


def test_too_many_bytes_announced_or_sent_are_refused(server: Server, tmp_path: Path) -> None:
    server.put("/a", answers.status(200, Content_Length=1 << 40))
    with pytest.raises(Fault, match=f"announces {1 << 40} bytes"):
        fetch(server, tmp_path)
    server.put("/a", answers.endless({}))
    with pytest.raises(Fault, match="sends more than the"):
        fetch(server, tmp_path)
    assert names(tmp_path) == []


def test_a_bomb_is_refused(server: Server, tmp_path: Path) -> None:
    server.put("/a", answers.whole(gz(bytes(30 << 20))))
    with pytest.raises(WrongBytes, match="larger than it may be"):
        fetch(server, tmp_path, FILE)
    assert names(tmp_path) == []


def test_the_deadline_is_not_slept_away(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILE", 2)
    server.put("/a", answers.status(503, Retry_After="30"))
    begin = time.monotonic()
    with pytest.raises(Fault, match="deadline for this file is over; last: HTTP 503"):
        fetch(server, tmp_path)
    assert time.monotonic() - begin < 2


def test_threads_end_with_their_transfers(server: Server, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    server.put("/a", answers.endless({}))
    with pytest.raises(Fault):
        fetch(server, tmp_path)
    until = time.monotonic() + 5
    while any(thread.name == "download" for thread in set(threading.enumerate()) - before):
        assert time.monotonic() < until
        time.sleep(0.02)


# The bytes on the disk.

ORIGIN = Origin("http://a/x", '"v"', 10)


def begun(tmp_path: Path, data: bytes, origin: Origin = ORIGIN) -> PartialFile:
    partial = PartialFile(tmp_path / "x.gz")
    handle = partial.begin(0, origin)
    os.write(handle, data)
    os.close(handle)
    return partial


def test_bytes_and_their_origin_survive(tmp_path: Path) -> None:
    begun(tmp_path, b"12345")
    again = PartialFile(tmp_path / "x.gz")
    assert again.origin() == ORIGIN
    assert again.resumable("http://a/x", same_everywhere=False) == 5
    handle = again.begin(3, ORIGIN)
    os.write(handle, b"xy")
    os.close(handle)
    assert again.path.read_bytes() == b"123xy"


def test_another_address_starts_from_zero_unless_the_bytes_are_the_same_everywhere(tmp_path: Path) -> None:
    partial = begun(tmp_path, b"12345")
    assert partial.resumable("http://b/x", same_everywhere=False) == 0
    assert partial.resumable("http://b/x", same_everywhere=True) == 5


def test_bytes_without_origin_are_of_no_use(tmp_path: Path) -> None:
    partial = begun(tmp_path, b"12345")
    for origin in (
        b"{",
        b'{"url": 3}',
        b'{"url": 3, "validator": null, "total": 1}',
        b'{"url": "http://a/x", "validator": 3, "total": 1}',
        b"[]",
        b"\xff",
    ):
        (tmp_path / "x.gz.part.json").write_bytes(origin)
        assert partial.origin() is None
        assert partial.resumable("http://a/x", same_everywhere=True) == 0


def test_an_origin_without_bytes_are_of_no_use(tmp_path: Path) -> None:
    partial = begun(tmp_path, b"")
    assert partial.resumable("http://a/x", same_everywhere=False) == 0
    partial.path.unlink()
    assert partial.resumable("http://a/x", same_everywhere=False) == 0


def test_finishing_leaves_the_file_alone_discarding_leaves_nothing(tmp_path: Path) -> None:
    begun(tmp_path, b"12345").finish()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"x.gz": b"12345"}
    begun(tmp_path, b"1").discard()
    PartialFile(tmp_path / "x.gz").discard()
    assert [path.name for path in tmp_path.iterdir()] == ["x.gz"]
