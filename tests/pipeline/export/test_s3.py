"""Exports on an object store: a real S3 server, started here, on 127.0.0.1."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace import datasets
from millrace.datasets import Dataset
from millrace.datasets.exported import MANIFEST, Reader, open_export
from millrace.errors import DataError, UsageError
from millrace.formats import FORMATS
from millrace.pipeline.export import StoredStream, verify_shard
from millrace.storage.folder import Folder
from tests.pipeline.export.environment import needed, s3_server
from tests.pipeline.export.small import contents, planned, written
from tests.workers.programs import end, run, start

pytestmark = [pytest.mark.slow, needed, pytest.mark.timeout(240)]
SECRET = "squeamish-ossifrage"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture
def bucket(address: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A folder in the bucket, of this test alone; the address and the credentials are in the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return f"s3://bucket/{abs(hash(request.node.name))}"


def objects(location: str) -> dict[str, bytes]:
    folder = Folder(location)
    return {name: folder.read(name).to_pybytes() for name in folder.names()}


@pytest.mark.parametrize("name", FORMATS)
def test_the_bytes_are_those_of_a_local_export(name: str, bucket: str, dataset: Dataset, tmp_path: Path) -> None:
    plan = planned(dataset, format=name, originals=True)
    written(plan, dataset, tmp_path)
    assert written(plan, dataset, bucket, most=3, threads=2) is None
    assert Folder(bucket).size(MANIFEST) is None
    manifest = written(plan, dataset, bucket, threads=2)
    assert manifest is not None
    assert objects(bucket) == contents(tmp_path)
    assert all(verify_shard(Folder(bucket), manifest, record) is None for record in manifest.shards)


def test_damage_is_found_and_repaired(bucket: str, dataset: Dataset) -> None:
    plan = planned(dataset)
    manifest = written(plan, dataset, bucket)
    assert manifest is not None
    before, folder = objects(bucket), Folder(bucket)
    folder.put(manifest.shards[2].file, [b"no parquet"])
    folder.remove(manifest.shards[4].file)
    damaged = [verify_shard(folder, manifest, record) for record in manifest.shards]
    assert [number for number, damage in enumerate(damaged) if damage] == [2, 4]
    assert "is missing" in damaged[4].what  # type: ignore[union-attr]
    written(plan, dataset, bucket)
    assert objects(bucket) == before


def test_an_address_is_a_dataset(bucket: str, dataset: Dataset) -> None:
    written(planned(dataset), dataset, bucket)
    opened = open_export(datasets.find(bucket))
    stream = StoredStream(opened, batch=10)
    assert stream.batch(3, 0).num_rows == 4
    assert isinstance(opened.reader, Reader)


def test_another_export_is_refused(bucket: str, dataset: Dataset) -> None:
    written(planned(dataset), dataset, bucket, most=1)
    before = objects(bucket)
    with pytest.raises(UsageError, match="holds another export"):
        written(planned(dataset, epochs=4), dataset, bucket)
    assert objects(bucket) == before


def test_credentials_are_not_shown(
    bucket: str, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="must not hold credentials") as raised:
        Folder(f"s3://test:{SECRET}@bucket/a")
    assert SECRET not in str(raised.value)
    with pytest.raises(DataError) as failed:
        written(planned(dataset), dataset, "s3://no-such-bucket/a")
    assert SECRET not in str(failed.value)
    written(planned(dataset), dataset, bucket)
    assert not any(SECRET.encode() in data for data in objects(bucket).values())
    assert SECRET not in "".join(capfd.readouterr())


LONG = ["export", "digits", "--epochs", "6", "--shard-rows", "200", "--workers", "2"]


def test_two_of_the_same_export_at_once_end_in_one(bucket: str, tmp_path: Path) -> None:
    run(*LONG, "--out", str(tmp_path / "local"))
    both = [start(*LONG, "--out", bucket) for _ in range(2)]
    ended = [end(process, 120) for process in both]
    assert [code for code, _ in ended] == [0, 0], ended
    assert objects(bucket) == contents(tmp_path / "local")
    assert "all as they should be" in run("verify", bucket)


def test_two_different_exports_at_once_never_mix(bucket: str, tmp_path: Path) -> None:
    seeds = ("1", "2")
    for seed in seeds:
        run(*LONG, "--seed", seed, "--out", str(tmp_path / seed))
    both = [start(*LONG, "--seed", seed, "--out", bucket) for seed in seeds]
    ended = [end(process, 120) for process in both]
    whole = [seed for seed, (code, _) in zip(seeds, ended, strict=True) if code == 0]
    refused = [output for code, output in ended if code == 2]
    assert len(whole) + len(refused) == 2, ended
    assert all("holds another export" in output for output in refused)
    if not whole:  # each saw the other and gave way
        run(*LONG, "--seed", "1", "--out", bucket)
        whole = ["1"]
    assert len(whole) == 1
    assert objects(bucket) == contents(tmp_path / whole[0])
    assert "all as they should be" in run("verify", bucket)


def test_killed_on_the_way_it_goes_on_to_the_same_bytes(bucket: str, tmp_path: Path) -> None:
    run(*LONG, "--out", str(tmp_path / "local"))
    for shards in (3, 20):
        process = start(*LONG, "--out", bucket)
        until = time.monotonic() + 60
        while len(Folder(bucket).names("data")) < shards and time.monotonic() < until:
            time.sleep(0.05)
        process.kill()
        end(process, 20)
        assert Folder(bucket).size(MANIFEST) is None
        whole = contents(tmp_path / "local")
        # A store shows nothing of what was begun: every object is whole.
        assert all(data == whole[name] for name, data in objects(bucket).items() if name.startswith("data/"))
    run(*LONG, "--out", bucket)
    assert objects(bucket) == contents(tmp_path / "local")
