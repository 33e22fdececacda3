import dataclasses
import os
from pathlib import Path

import pytest

from millrace.datasets.decoders import read_file
from millrace.datasets.fetch import fetch_files
from millrace.datasets.mirrors import local_source
from millrace.datasets.spec import IDX_PARTS, DatasetSpec, FileSpec
from millrace.errors import DownloadError, FormatError, IntegrityError, UsageError
from tests.datasets import server as answers
from tests.datasets.server import Sample, Server, gz
from tests.datasets.specs import idx_spec, lay_idx, npz_spec, serve_idx

SAMPLE = Sample()
NPZ = SAMPLE.npz()


def fetch(spec: DatasetSpec, folder: Path, *, mirror: str | None = None, offline: bool = False) -> dict[str, bytes]:
    """The bytes of every file that was accepted, by name; those from the network are kept in `folder`/files."""

    def read(file: FileSpec, path: Path) -> tuple[str, bytes]:
        read_file(spec, file, path)
        return file.name, path.read_bytes()

    return dict(fetch_files(spec, folder / "files", read, mirror=mirror, offline=offline))


def with_mirrors(spec: DatasetSpec, *mirrors: str) -> DatasetSpec:
    return dataclasses.replace(spec, mirrors=mirrors)


def test_mirrors_are_tried_in_turn_until_one_gives_the_file(server: Server, tmp_path: Path) -> None:
    server.put("/broken/shapes.npz", answers.status(500))
    server.put("/page/shapes.npz", answers.whole(b"<html>sign in</html>"))
    server.put("/wrong/shapes.npz", answers.whole(Sample(seed=9).npz()))
    server.put("/cut/shapes.npz", answers.whole(NPZ[:-9]))
    server.put("/good/shapes.npz", answers.whole(NPZ))
    names = ("none", "broken", "page", "wrong", "cut", "good")
    spec = with_mirrors(npz_spec(NPZ), *(f"{server.url}/{name}/" for name in names))
    assert fetch(spec, tmp_path) == {"shapes.npz": NPZ}
    assert (tmp_path / "files" / "shapes.npz").read_bytes() == NPZ
    assert [path.split("/")[1] for path, _ in server.seen] == [
        "none", "broken", "broken", "page", "wrong", "cut", "good",
    ]  # fmt: skip


def test_a_dead_host_and_a_slow_one_do_not_stop_it(server: Server, tmp_path: Path) -> None:
    server.put("/slow/shapes.npz", answers.drips(NPZ, 0.02))
    server.put("/good/shapes.npz", answers.whole(NPZ))
    spec = with_mirrors(npz_spec(NPZ), "http://127.0.0.1:9/", f"{server.url}/slow/", f"{server.url}/good/")
    assert fetch(spec, tmp_path)["shapes.npz"] == NPZ


def test_when_none_gives_it_every_address_is_named_with_its_reason(server: Server, tmp_path: Path) -> None:
    server.put("/page/shapes.npz", answers.whole(b"<html>sign in</html>"))
    server.put("/loop/shapes.npz", answers.status(301, Location="/loop/shapes.npz"))
    spec = with_mirrors(
        npz_spec(NPZ), f"{server.url}/none", f"{server.url}/page", f"{server.url}/loop", "http://127.0.0.1:9"
    )
    with pytest.raises(DownloadError) as caught:
        fetch(spec, tmp_path)
    text = str(caught.value)
    assert "dataset shapes: no address gave shapes.npz" in text
    assert "/none/shapes.npz: HTTP 404 Not Found" in text
    assert "/page/shapes.npz: an HTML page instead of the file" in text
    assert "/loop/shapes.npz: more than 5 redirects" in text
    assert "http://127.0.0.1:9/shapes.npz: Connection refused (2 attempts)" in text
    assert "`mirror`" in text
    assert "`offline`" in text
    assert list((tmp_path / "files").iterdir()) == []


@pytest.mark.parametrize(("data", "error"), [(Sample(seed=9).npz(), IntegrityError), (NPZ[:-9], IntegrityError)])
def test_wrong_content_everywhere_is_a_fault_of_the_data(
    server: Server, tmp_path: Path, data: bytes, error: type[Exception]
) -> None:
    server.put("/a/shapes.npz", answers.whole(data))
    server.put("/b/shapes.npz", answers.whole(data))
    with pytest.raises(error, match="no address gave"):
        fetch(with_mirrors(npz_spec(NPZ), f"{server.url}/a", f"{server.url}/b", f"{server.url}/none"), tmp_path)
    assert list((tmp_path / "files").iterdir()) == []


def test_a_mirror_replaces_all_others(server: Server, tmp_path: Path) -> None:
    serve_idx(server, SAMPLE, "/data/little")
    spec = with_mirrors(idx_spec(SAMPLE), "http://127.0.0.1:9/")
    assert sorted(fetch(spec, tmp_path, mirror=f"{server.url}/data")) == sorted(f"{part}.gz" for part in IDX_PARTS)
    assert all(path.startswith("/data/little/") for path, _ in server.seen)


def test_a_mirror_may_be_the_folder_of_the_files_itself(server: Server, tmp_path: Path) -> None:
    serve_idx(server, SAMPLE, "/flat")
    fetch(idx_spec(SAMPLE), tmp_path, mirror=f"{server.url}/flat/")
    assert len(server.seen) == 8


def test_a_mirror_with_wrong_bytes_is_not_asked_elsewhere(server: Server, tmp_path: Path) -> None:
    server.put("/little/train_images.gz", answers.whole(gz(b"wrong")))
    with pytest.raises(IntegrityError, match=r"little/train_images\.gz"):
        fetch(idx_spec(SAMPLE), tmp_path, mirror=server.url)
    assert len(server.seen) == 1


@pytest.mark.parametrize("form", ["path", "url", "flat"])
def test_a_mirror_may_be_a_folder_and_is_read_in_place(tmp_path: Path, form: str) -> None:
    lay_idx(tmp_path / "data" / "little", SAMPLE)
    root = tmp_path / "data" / ("little" if form == "flat" else "")
    mirror = root.as_uri() if form == "url" else str(root)
    folder = tmp_path / "cache"
    folder.mkdir()
    read = fetch(idx_spec(SAMPLE), folder, mirror=mirror, offline=True)
    assert read == {path.name: path.read_bytes() for path in (tmp_path / "data" / "little").iterdir()}
    assert list((folder / "files").iterdir()) == []


def test_an_empty_mirror_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"train_images\.gz: no such file") as caught:
        fetch(idx_spec(SAMPLE), tmp_path, mirror=str(tmp_path))
    assert "little/train_images.gz" in str(caught.value.do)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "shapes.npz")
    with pytest.raises(DownloadError, match=r"shapes\.npz: not a file"):
        fetch(npz_spec(NPZ), tmp_path, mirror=str(tmp_path))


def test_offline_asks_nobody_and_says_what_to_do(server: Server, tmp_path: Path) -> None:
    serve_idx(server, SAMPLE)
    spec = with_mirrors(idx_spec(SAMPLE), f"{server.url}/little")
    with pytest.raises(DownloadError, match="because offline") as caught:
        fetch(spec, tmp_path, offline=True)
    assert "without `offline`" in str(caught.value.do)
    assert server.seen == []
    fetch(spec, tmp_path)
    assert len(server.seen) == 4
    assert len(fetch(spec, tmp_path, offline=True)) == 4


def test_a_kept_download_that_rotted_is_fetched_again(server: Server, tmp_path: Path) -> None:
    server.put("/shapes.npz", answers.whole(NPZ))
    spec = with_mirrors(npz_spec(NPZ), server.url)
    fetch(spec, tmp_path)
    path = tmp_path / "files" / "shapes.npz"
    path.write_bytes(NPZ[:-1] + b"x")
    assert fetch(spec, tmp_path)["shapes.npz"] == NPZ
    assert len(server.seen) == 2


def test_nothing_unpinned_comes_over_the_network(server: Server, tmp_path: Path) -> None:
    server.put("/shapes.npz", answers.whole(NPZ))
    with pytest.raises(UsageError, match="has no digest"):
        fetch(npz_spec(NPZ, pinned=False), tmp_path, mirror=server.url)
    assert server.seen == []


def test_local_files_need_no_digest_but_must_decode(tmp_path: Path) -> None:
    path = tmp_path / "shapes.npz"
    spec = npz_spec(NPZ, pinned=False, urls=(path.as_uri(),))
    assert local_source(spec, spec.files[0], None) is None
    path.write_bytes(NPZ)
    assert fetch(spec, tmp_path) == {"shapes.npz": NPZ}
    assert local_source(spec, spec.files[0], None) == path
    path.write_bytes(b"<html>" + bytes(len(NPZ) - 6))
    with pytest.raises(FormatError, match="HTML page"):
        fetch(spec, tmp_path)


def test_what_another_dataset_of_the_same_folder_keeps_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    """As of EMNIST, whose letters and digits are in one zip."""
    server.put("/good/shapes.npz", answers.whole(NPZ))
    shared = dataclasses.replace(npz_spec(NPZ), folder="shared")
    spec = with_mirrors(shared, f"{server.url}/good/")
    (tmp_path / "shared-one-1a").mkdir()
    (tmp_path / "shared-two-2b").mkdir()
    assert fetch(spec, tmp_path / "shared-one-1a")["shapes.npz"] == NPZ
    assert fetch(spec, tmp_path / "shared-two-2b", offline=True)["shapes.npz"] == NPZ
    assert len(server.seen) == 1
    assert not (tmp_path / "shared-two-2b" / "files" / "shapes.npz").exists()
    # One that rotted is passed over, and one without digests is never taken.
    (tmp_path / "shared-one-1a" / "files" / "shapes.npz").write_bytes(NPZ[:-1])
    assert fetch(spec, tmp_path / "shared-two-2b")["shapes.npz"] == NPZ
    assert len(server.seen) == 2
    loose = dataclasses.replace(npz_spec(NPZ, pinned=False), folder="shared")
    (tmp_path / "shared-three").mkdir()
    with pytest.raises(DownloadError, match="no address"):
        fetch(loose, tmp_path / "shared-three")
