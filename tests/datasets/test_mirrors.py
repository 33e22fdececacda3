from pathlib import Path

import pytest

from millrace.datasets.catalogue import find
from millrace.datasets.mirrors import addresses, local_path, mirror_url, path_url, shown
from millrace.datasets.spec import FileSpec
from millrace.errors import UsageError


def test_own_addresses_come_before_mirrors() -> None:
    spec = find("mnist")
    file = FileSpec("t10k-labels-idx1-ubyte.gz", urls=("https://own/labels",))
    assert addresses(spec, file, None) == (
        "https://own/labels",
        "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-labels-idx1-ubyte.gz",
        "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz",
    )


def test_a_mirror_replaces_all_others_and_is_asked_in_two_places() -> None:
    spec = find("mnist")
    file = spec.files[3]
    expected = (
        "http://127.0.0.1:8/data/mnist/t10k-labels-idx1-ubyte.gz",
        "http://127.0.0.1:8/data/t10k-labels-idx1-ubyte.gz",
    )
    assert addresses(spec, file, "http://127.0.0.1:8/data/") == expected


def test_a_mirror_may_be_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert mirror_url("data dir") == f"file://{tmp_path}/data%20dir"
    assert mirror_url(str(tmp_path)) == f"file://{tmp_path}"
    assert mirror_url("file:///data/") == "file:///data"
    assert local_path(path_url(tmp_path / "ä #?x")) == tmp_path / "ä #?x"
    assert local_path("https://x/y") is None


@pytest.mark.parametrize(
    "mirror", ["ftp://x/y", "http:///x", "https:x", "", "localhost:8000/x", "s3://bucket", "http://[x", "http://x:y/"]
)
def test_other_mirrors_are_refused(mirror: str) -> None:
    with pytest.raises(UsageError, match="not a mirror"):
        mirror_url(mirror)


def test_a_file_of_another_machine_is_refused() -> None:
    with pytest.raises(UsageError, match="another machine"):
        local_path("file://other/data")
    assert local_path("file://localhost/data") == Path("/data")


def test_messages_hide_what_may_be_secret() -> None:
    assert shown("https://user:word@host:8/path?token=1#part") == "https://host:8/path?…"
    assert "host" not in shown("http://[host")
