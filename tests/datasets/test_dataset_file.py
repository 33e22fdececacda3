from pathlib import Path

import pytest

from millrace.datasets import DatasetSpec
from millrace.datasets.dataset_file import read_dataset_file
from millrace.datasets.importers.options import Reading
from millrace.errors import UsageError
from millrace.yaml_text import LARGEST

SHA = "ab" * 32
MINIMAL = "name: mine\nformat: npz\nclasses: [a, b]\nfiles: [{name: mine.npz}]\n"


def read(tmp_path: Path, text: str) -> DatasetSpec:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return read_dataset_file(path)


def test_without_urls_the_file_lies_beside_the_yaml(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    (folder / "mine.yaml").write_text(MINIMAL)
    spec = read_dataset_file(folder / "mine.yaml")
    assert spec.files[0].urls == (f"file://{tmp_path}/with%20space/mine.npz",)
    assert (spec.title, spec.policy, spec.layout, spec.mirror_folder) == ("mine", "none", "chw", "mine")


def test_how_pixels_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, MINIMAL + "range: 0..1\nlayout: hwc\n").reading == Reading(range="0..1")
    with pytest.raises(UsageError, match=r"mine\.yaml.*range"):
        read(tmp_path, MINIMAL + "range: 1..0\n")


def test_every_key_arrives(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"""
name: mine
title: My own
format: cifar-binary
classes: [0, 1, two]
policy: photos
licence: CC0-1.0
homepage: https://example.org
labels: fine
labels_from: 1
mirrors: [https://example.org/data/]
folder: elsewhere
shape: [3, 4, 5]
files:
  - name: all.tar.gz
    urls: [https://example.org/all.tar.gz, ../all.tar.gz, file:///data/all.tar.gz]
    size: 10
    sent_md5: {"cd" * 16}
    sha256: {SHA.upper()}
    members:
      - {{name: train.bin, part: train, size: 61, sha256: "sha256:{SHA}"}}
      - {{name: test.bin, part: test, size: 122, md5: {"ef" * 16}}}
""")
    spec = read_dataset_file(path)
    (file,) = spec.files
    assert spec.classes == ("0", "1", "two")
    assert spec.shape == (3, 4, 5)
    assert spec.mirror_folder == "elsewhere"
    assert spec.reading == Reading(labels="fine", labels_from=1)
    assert spec.mirrors == ("https://example.org/data/",)
    assert file.urls[1] == f"file://{tmp_path.parent}/all.tar.gz"
    assert (file.size, file.digest, file.sent_digest) == (10, f"sha256:{SHA}", f"md5:{'cd' * 16}")
    assert [m.digest for m in file.members] == [f"sha256:{SHA}", f"md5:{'ef' * 16}"]
    assert file.members[1].size == 122


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (MINIMAL + "clases: [a]\n", "did you mean 'classes'"),
        (MINIMAL.replace("mine.npz", "mine.npz, sha: x"), "did you mean 'sha256'"),
        (MINIMAL.replace("npz\n", "npzz\n"), "did you mean 'npz'"),
        (MINIMAL + "name: again\n", "name is set twice"),
        (MINIMAL.replace("name: mine\n", ""), "name is missing"),
        (MINIMAL.replace("name: mine\n", "name: 5\n"), "name has the wrong type"),
        (MINIMAL.replace("mine\n", "../mine\n", 1), "not a name for a dataset"),
        (MINIMAL.replace("[a, b]", "a"), "classes has the wrong type"),
        (MINIMAL.replace("[a, b]", "[a, [b]]"), "classes has the wrong type"),
        (MINIMAL.replace("[a, b]", "[a, true]"), "classes has the wrong type"),
        (MINIMAL.replace("[a, b]", "[a]"), "classes .* impossible"),
        (MINIMAL.replace("{name: mine.npz}", ""), "files of dataset mine do not fit"),
        (MINIMAL.replace("{name: mine.npz}", "mine.npz"), "files 1 has the wrong type"),
        (MINIMAL.replace("mine.npz", "mine.npz, size: big"), "size has the wrong type"),
        (MINIMAL.replace("mine.npz", f"mine.npz, sha256: {SHA[1:]}"), "not a digest"),
        (MINIMAL.replace("mine.npz", "mine.npz, urls: ['https://x/mine.npz']"), "has no digest"),
        (MINIMAL.replace("mine.npz", "mine.npz, urls: ['ftp://x/mine.npz']"), "not an address"),
        (MINIMAL + "mirrors: ['https://x/']\n", "has no digest"),
        (MINIMAL + "shape: [1, 2]\n", "shape has the wrong type"),
        (MINIMAL.replace("mine.npz", "mine.npz, members: [{name: a, part: train}]"), "members 1: size is missing"),
        ("- a\n", "expected: a group of keys"),
        ("", "expected: a group of keys"),
        ("name: [\n", "not valid YAML"),
        ("name: !!python/object/apply:os.system [ls]\n", "not valid YAML"),
        ("? [a]\n: b\n", "not valid YAML"),
        ("[" * 1200, "nested too deeply"),
        ("a: " + "x" * LARGEST, "too large"),
    ],
)
def test_faults_are_named_with_the_file(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(UsageError, match=match) as caught:
        read(tmp_path, text)
    assert "mine.yaml" in str(caught.value)


def test_a_small_file_cannot_make_a_huge_message(tmp_path: Path) -> None:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    with pytest.raises(UsageError) as caught:
        read(tmp_path, laughs + MINIMAL.replace("mine\n", "*a29\n", 1))
    assert len(str(caught.value)) < 2000


def test_words_are_read_as_in_configurations(tmp_path: Path) -> None:
    spec = read(
        tmp_path, MINIMAL.replace("[a, b]", "[no, yes, on, off, y, 10, 2024-01-01]").replace("mine\n", "no\n", 1)
    )
    assert spec.name == "no"
    assert spec.classes == ("no", "yes", "on", "off", "y", "10", "2024-01-01")
