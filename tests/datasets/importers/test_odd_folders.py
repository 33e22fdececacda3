"""Folders of anything beside anything: understood, or a MillraceError; nothing written, nothing followed for ever."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.datasets.importers import Reading
from millrace.datasets.importers.found_files import files_below
from millrace.datasets.importers.recognising import survey
from millrace.errors import MillraceError
from tests.datasets.importers.encoded import png
from tests.datasets.importers.test_fuzzed_files import WHOLE

FOLDERS = st.sampled_from(
    ["train", "test", "val", "a", "b", "data", ".git", "__MACOSX", "é ü", "train-1", "link", "x.tar"]
)
NAMES = st.sampled_from(
    ["1.png", "2.jpg", "Thumbs.db", ".hidden.png", "README.md", "classes.txt", "train-0-of-2.parquet", "test.parquet",
     "train.arrow", "train-000000.tar", "a.tar.gz", "metadata.csv", "metadata.jsonl", "metadata.parquet", "x_train.npy",
     "train.npz", "state.json", "dataset_dict.json", "dataset_info.json", "train-images-idx3-ubyte"]
)  # fmt: skip
TEXTS = st.sampled_from(
    [b"", b"\0", b"{}", b"[]", b"ant\nbee", b'{"splits": ["train", "../x"]}', b'{"splits": ["train", "test"]}',
     b'{"_data_files": [{"filename": "train.arrow"}], "_split": "train"}', b'{"_data_files": [{"filename": "/x"}]}',
     b'{"features": {"label": {"_type": "ClassLabel", "names": 3}}}']
)  # fmt: skip
CONTENTS = st.one_of(TEXTS, st.sampled_from([png(1), *WHOLE.values()]), st.binary(max_size=40))
PLACES = st.tuples(st.lists(FOLDERS, max_size=3), NAMES).map(lambda place: "/".join([*place[0], place[1]]))


def lay(root: Path, files: dict[str, bytes], links: list[str]) -> None:
    """The files, and links that lead to the root, each where nothing else stands."""
    for name, content in files.items():
        try:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue
    for name in links:
        path = root / name / "link"
        if path.parent.is_dir() and not path.exists():
            path.symlink_to(root, target_is_directory=True)


def understood(examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.dictionaries(PLACES, CONTENTS, max_size=8), st.lists(st.sampled_from([".", "a", "train"]), max_size=2))
    def run(files: dict[str, bytes], links: list[str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            lay(root, files, links)
            before = [(where, sorted(inner), sorted(names)) for where, inner, names in os.walk(root)]
            try:
                found = survey(root, Reading(skip_bad=True))
                for split in found.inventory.counts:
                    if found.encoded:
                        assert len([one.name for one in found.pictures(split)]) == found.inventory.rows[split]
            except MillraceError:
                pass
            assert [(where, sorted(inner), sorted(names)) for where, inner, names in os.walk(root)] == before

    run()


def test_links_that_lead_back_are_followed_once(tmp_path: Path) -> None:
    names = [f"{letter}{number}" for letter in "abcdef" for number in range(3)]
    for name in names:  # 18 ways further from each folder, at any depth
        (tmp_path / name).mkdir()
    for name in names:
        (tmp_path / name / "link").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a0" / "1.png").write_bytes(png(1))
    assert files_below(tmp_path, (".png",), depth=16) == ["a0/1.png"]


def test_odd_folders_are_understood_or_refused() -> None:
    understood(10)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_many_odd_folders_are_understood_or_refused() -> None:
    understood(400)
