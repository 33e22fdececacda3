import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from millrace import datasets
from millrace.datasets import limits, table_files
from millrace.datasets.catalogue import find
from millrace.datasets.loading import dataset_folder, is_cached, load, verify
from millrace.datasets.spec import IDX_PARTS, DatasetSpec
from millrace.errors import DataError, DeadlineError, DownloadError, IntegrityError
from millrace.storage.lock import locked
from tests.datasets import server as answers
from tests.datasets.server import Sample, Server, gz, tar
from tests.datasets.specs import (
    CLASSES,
    cifar_archive,
    cifar_spec,
    idx_spec,
    lay_idx,
    npz_spec,
    serve_idx,
)

ROOT = Path(__file__).parents[2]
SAMPLE = Sample()


def assert_sample(dataset: datasets.Dataset, sample: Sample = SAMPLE) -> None:
    for split, table in (("train", dataset.train), ("test", dataset.test)):
        np.testing.assert_array_equal(datasets.images(table), sample.arrays[f"{split}_images"])
        np.testing.assert_array_equal(datasets.labels(table), sample.arrays[f"{split}_labels"])


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_first_load_fetches_the_second_maps(server: Server, cache: Path) -> None:
    serve_idx(server, SAMPLE)
    spec = idx_spec(SAMPLE)
    steps: list[tuple[str, int, int | None]] = []
    assert not is_cached(spec)
    first = load(spec, mirror=server.url, progress=lambda *step: steps.append(step))
    assert is_cached(spec)
    second = load(spec, offline=True)
    assert_sample(first)
    assert_sample(second)
    assert first.digest == second.digest == verify(spec).digest
    assert len(server.seen) == 4
    assert {name for name, _, _ in steps} == {file.name for file in spec.files}
    folder = dataset_folder(spec)
    assert folder.parent == cache / "datasets"
    assert folder.name.startswith("little-")
    assert tree(folder) == {"lock", "table.json", "train.arrow", "test.arrow", *(f"files/{f.name}" for f in spec.files)}


def test_the_digest_is_the_same_wherever_the_data_came_from(server: Server, tmp_path: Path) -> None:
    serve_idx(server, SAMPLE)
    lay_idx(tmp_path / "here" / "little", SAMPLE)
    (tmp_path / "shapes.npz").write_bytes(SAMPLE.npz())
    (tmp_path / "bin.tar.gz").write_bytes(cifar_archive(SAMPLE))
    loaded = [
        load(idx_spec(SAMPLE), mirror=server.url, cache=tmp_path / "a"),
        load(idx_spec(SAMPLE), mirror=str(tmp_path / "here"), cache=tmp_path / "b"),
        load(npz_spec(SAMPLE.npz()), mirror=str(tmp_path), cache=tmp_path / "c"),
        load(cifar_spec(SAMPLE), mirror=str(tmp_path), cache=tmp_path / "d"),
    ]
    assert len({dataset.digest for dataset in loaded}) == 1
    assert load(npz_spec(Sample(seed=1).npz(), pinned=False), mirror=str(tmp_path)).digest == loaded[0].digest


@pytest.mark.parametrize("name", ["train.arrow", "test.arrow", "table.json"])
def test_a_damaged_table_is_made_anew_without_a_network(server: Server, name: str) -> None:
    serve_idx(server, SAMPLE)
    spec = idx_spec(SAMPLE)
    before = load(spec, mirror=server.url)
    path = dataset_folder(spec) / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(IntegrityError, match="missing or damaged"):
        verify(spec)
    assert_sample(load(spec, offline=True))
    assert verify(spec).digest == before.digest
    assert len(server.seen) == 4


def test_a_local_file_without_digest_counts_anew_when_it_changes(tmp_path: Path) -> None:
    (tmp_path / "shapes.npz").write_bytes(SAMPLE.npz())
    text = f"name: shapes\nformat: npz\nclasses: [{', '.join(CLASSES)}]\nfiles: [{{name: shapes.npz}}]\n"
    (tmp_path / "shapes.yaml").write_text(text)
    spec = find(str(tmp_path / "shapes.yaml"))
    first = load(spec, offline=True)
    assert_sample(first)
    (tmp_path / "shapes.npz").write_bytes(Sample(seed=1).npz())
    os.utime(tmp_path / "shapes.npz", ns=(1, 1))
    second = load(spec, offline=True)
    assert_sample(second, Sample(seed=1))
    assert first.digest != second.digest


def test_digits_need_no_cache_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "file" / "cache"))
    dataset = load(find("digits"), offline=True)
    assert (dataset.train.num_rows, dataset.test.num_rows, dataset.shape) == (1437, 360, (1, 8, 8))
    assert is_cached(find("digits"))
    assert verify(find("digits")).digest == dataset.digest
    assert not datasets.images(dataset.train).flags.writeable


def test_two_threads_fetch_once(server: Server) -> None:
    serve_idx(server, SAMPLE)
    spec, got = idx_spec(SAMPLE), list[datasets.Dataset]()
    threads = [threading.Thread(target=lambda: got.append(load(spec, mirror=server.url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    assert len(server.seen) == 4


LOADER = """
import sys
from millrace.datasets.loading import load
from tests.datasets.server import Sample
from tests.datasets.specs import idx_spec
print(load(idx_spec(Sample()), mirror=sys.argv[1]).digest)
"""


@pytest.mark.slow
def test_two_processes_fetch_once_and_one_killed_at_it_harms_nobody(server: Server, cache: Path) -> None:
    serve_idx(server, SAMPLE)
    names = [file.name for file in idx_spec(SAMPLE).files]
    # The first process is killed in the middle of the second file.
    second = server.answers[f"/little/{names[1]}"][0]
    server.put(f"/little/{names[1]}", answers.stalls(gz(SAMPLE.idx("train_labels")), 5), second)

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", LOADER, server.url]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)

    victim = start()
    until = time.monotonic() + 20
    while len(server.seen) < 2:
        assert time.monotonic() < until
        time.sleep(0.02)
    time.sleep(0.1)
    others = [start(), start()]
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    outputs = [other.communicate(timeout=30) for other in others]
    assert outputs[0][0] == outputs[1][0] != "", outputs
    assert len(server.seen) == 5
    assert not [name for name in tree(cache) if name.endswith((".tmp", ".part", ".json.part"))]


def test_waiting_for_another_process_is_said_and_ends(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOCK", 0.1)
    spec, said = idx_spec(SAMPLE), list[str]()
    folder = dataset_folder(spec)
    folder.mkdir(parents=True)
    with (
        locked(folder / table_files.LOCK, seconds=1),
        pytest.raises(DeadlineError, match=f"process {os.getpid()} holds"),
    ):
        load(
            spec,
            mirror=server.url,
            progress=lambda name, done, total: said.append(name),
        )
    assert set(said) == {f"waiting for process {os.getpid()}"}


COUNTED = """
import json, os, sys
import pyarrow
from millrace.datasets.loading import load
from tests.datasets.server import Sample
from tests.datasets.specs import cifar_spec, idx_spec, npz_spec

sample = Sample()
spec = {"idx": idx_spec(sample), "npz": npz_spec(sample.npz()), "cifar-binary": cifar_spec(sample)}[sys.argv[1]]
mirror, reads, mapped, real = sys.argv[2], [], [], pyarrow.memory_map

def opening(event, words):
    if event == "open" and isinstance(words[0], (str, os.PathLike)) and words[2] & os.O_ACCMODE == os.O_RDONLY:
        reads.append(os.path.basename(words[0]))

def mapping(path):
    mapped.append(os.path.basename(path))
    return real(path)

pyarrow.memory_map = mapping
sys.addaudithook(opening)
load(spec, mirror=mirror)
names = [file.name for file in spec.files]
json.dump([mapped, [name for name in reads if name.startswith(tuple(names)) or ".arrow" in name]], sys.stdout)
"""


@pytest.mark.parametrize(
    ("form", "remote"),
    [
        ("idx", True),
        ("npz", False),
        *(pytest.param(form, True, marks=pytest.mark.slow) for form in ("npz", "cifar-binary")),
        *(pytest.param(form, False, marks=pytest.mark.slow) for form in ("idx", "cifar-binary")),
    ],
)
def test_each_file_is_read_once_and_the_table_is_opened_once(
    server: Server, tmp_path: Path, form: str, remote: bool
) -> None:
    data = {f"little/{part}.gz": gz(SAMPLE.idx(part)) for part in IDX_PARTS}
    data |= {"shapes/shapes.npz": SAMPLE.npz(), "pieces/bin.tar.gz": cifar_archive(SAMPLE)}
    for name, sent in data.items():
        server.put(f"/{name}", answers.whole(sent))
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(sent)
    mirror = server.url if remote else str(tmp_path)
    command = [sys.executable, "-c", COUNTED, form, mirror]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    mapped, reads = json.loads(done.stdout)
    assert mapped == ["train.arrow", "test.arrow"]
    spec = {"idx": idx_spec(SAMPLE), "npz": npz_spec(SAMPLE.npz()), "cifar-binary": cifar_spec(SAMPLE)}[form]
    origins = [name for name in reads if name.endswith(".part.json")]
    assert [name for name in reads if name not in origins] == [f.name + ".part" * remote for f in spec.files]


def test_a_failed_fetch_leaves_no_table(server: Server, cache: Path) -> None:
    serve_idx(server, SAMPLE)
    server.put("/little/test_labels.gz", answers.whole(gz(b"wrong")))
    spec = idx_spec(SAMPLE)
    with pytest.raises(IntegrityError, match="test_labels"):
        load(spec, mirror=server.url)
    assert not [name for name in tree(cache) if "arrow" in name or "tmp" in name or "part" in name]
    serve_idx(server, SAMPLE)
    assert_sample(load(spec, mirror=server.url))


def test_no_network_names_the_ways_out() -> None:
    spec = dataclasses.replace(idx_spec(SAMPLE), mirrors=("http://host.invalid/", "http://127.0.0.1:9/"))
    with pytest.raises(DownloadError) as caught:
        load(spec)
    for word in ("host.invalid cannot be resolved (no network?)", "Connection refused", "`mirror`", "`offline`"):
        assert word in str(caught.value)


def test_a_hostile_archive_touches_nothing(server: Server, tmp_path: Path) -> None:
    evil = gz(tar(("bin/train.bin", SAMPLE.records("train")), ("../../../evil", b"x"), ("/evil", b"x")))
    server.put("/pieces/bin.tar.gz", answers.whole(evil))
    with pytest.raises(DataError, match="outside of itself"):
        load(cifar_spec(SAMPLE), mirror=server.url)
    assert not [name for name in tree(tmp_path) if "evil" in name]


def test_the_manifest_says_what_was_made(server: Server) -> None:
    serve_idx(server, SAMPLE)
    spec: DatasetSpec = idx_spec(SAMPLE)
    dataset = load(spec, mirror=server.url)
    manifest = json.loads((dataset_folder(spec) / "table.json").read_text())
    assert manifest["digest"] == dataset.digest
    assert manifest["files"]["train"]["rows"] == 24
