from typing import Any

import pytest

from millrace.datasets.importers.options import Reading
from millrace.datasets.spec import (
    MAX_BYTES,
    SLACK,
    DatasetSpec,
    FileSpec,
    MemberSpec,
    check_digest,
    check_name,
    plausible,
)
from millrace.errors import UsageError

SHA = "sha256:" + "0" * 64
RECORDS = (FileSpec("x", "train"), FileSpec("y", "test"))


@pytest.mark.parametrize(
    "digest", ["", "sha256:", "sha256:" + "0" * 63, "sha256:" + "G" * 64, "sha1:" + "0" * 40, "0" * 64]
)
def test_what_is_not_a_digest_is_refused(digest: str) -> None:
    with pytest.raises(UsageError, match="not a digest"):
        check_digest(digest)


def test_digests_of_both_kinds_pass() -> None:
    assert check_digest(SHA) == SHA
    assert check_digest("md5:" + "a" * 32)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", "-x", "a b", "x" * 65, "x.", "é", "a\n"])
def test_names_that_could_leave_their_folder_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not a name"):
        check_name(name, "file")


def test_a_file_is_pinned_by_content_by_what_is_sent_or_by_all_members() -> None:
    assert FileSpec("a", digest=SHA).pinned
    assert FileSpec("a", sent_digest=SHA).pinned
    assert not FileSpec("a").pinned
    assert FileSpec("a", members=(MemberSpec("m", "train", 1, SHA),)).pinned
    assert not FileSpec("a", members=(MemberSpec("m", "train", 1, SHA), MemberSpec("n", "test", 1))).pinned


def test_caps_follow_the_stated_size() -> None:
    assert FileSpec("a.gz", size=100).content_cap(10) == 100
    assert FileSpec("a.gz", size=100).sent_cap == 100 + SLACK
    assert FileSpec("a.tgz", members=(MemberSpec("m", "train", 7),)).content_cap() == 7 + SLACK
    assert FileSpec("a.gz").content_cap(10) == plausible(10) == 256 << 20
    assert plausible(10 << 20) == 1000 << 20
    assert plausible(1 << 40) == MAX_BYTES


def test_only_names_that_say_so_are_gzipped() -> None:
    assert FileSpec("a.tar.gz").gzipped
    assert FileSpec("A.TGZ").gzipped
    assert not FileSpec("a.npz").gzipped


def spec(**changed: Any) -> DatasetSpec:
    values: dict[str, Any] = {
        "name": "x",
        "title": "",
        "format": "npz",
        "classes": ("a", "b"),
        "files": (FileSpec("x.npz"),),
    }
    return DatasetSpec(**(values | changed))


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"name": "../x"}, "not a name for a dataset"),
        ({"folder": "a/b"}, "not a name for a mirror folder"),
        ({"format": "png"}, "unknown format"),
        ({"layout": "nhwc"}, "unknown format or layout"),
        ({"classes": ("a",)}, "classes .* impossible"),
        ({"classes": ("a", "a")}, "classes .* impossible"),
        ({"classes": tuple(map(str, range(65_537)))}, "classes .* impossible"),
        ({"files": ()}, "do not fit its format"),
        ({"files": (FileSpec("x.npz"), FileSpec("x.npz"))}, "lists a file twice"),
        ({"files": (FileSpec("x.npz.gz"),)}, "not gzipped"),
        ({"format": "idx", "files": (FileSpec("x", "train_images"),)}, "one file, or member of a zip, for each part"),
        ({"format": "cifar-binary", "files": (FileSpec("x", "train"),)}, "part train and with part test"),
        ({"format": "cifar-binary", "files": (FileSpec("x", "train"), FileSpec("y", "test"))}, "needs a shape"),
        ({"format": "svhn", "files": (FileSpec("x", "train"),)}, "part train and with part test"),
        (
            {"format": "cifar-binary", "files": RECORDS, "shape": (1, 2, 2), "reading": Reading(range="0..1")},
            "holds uint8",
        ),
        (
            {"format": "cifar-binary", "files": RECORDS, "shape": (1, 2, 2), "reading": Reading(labels="x")},
            "two labels",
        ),
        ({"shape": (0, 1, 1)}, "shape .* out of range"),
    ],
)
def test_impossible_datasets_are_refused(changed: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        spec(**changed)


@pytest.mark.parametrize("size", [0, -1, MAX_BYTES + 1])
def test_sizes_out_of_range_are_refused(size: int) -> None:
    with pytest.raises(UsageError, match="out of range"):
        FileSpec("a", size=size)
    with pytest.raises(UsageError, match="out of range"):
        MemberSpec("a", "train", size)


def test_the_key_depends_on_what_decides_the_content_and_on_nothing_else() -> None:
    base = spec()
    assert base.key() == spec(title="other", licence="other", mirrors=("http://x/",), policy="photos").key()
    others = [
        spec(name="y"),
        spec(classes=("b", "a")),
        spec(files=(FileSpec("x.npz", digest=SHA),)),
        spec(files=(FileSpec("x.npz", size=3),)),
        spec(layout="hwc"),
        spec(shape=(1, 2, 3)),
        spec(reading=Reading(labels_from=1)),
    ]
    assert len({base.key(), base.key("extra"), *(other.key() for other in others)}) == 9
    assert spec(folder="there").mirror_folder == "there"
    assert base.mirror_folder == "x"
