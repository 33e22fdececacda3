"""A folder on any filesystem that pyarrow knows: a local path, file://, s3://, gs:// and others.

A file appears under its name whole or not at all: on disks it is written aside, flushed and renamed; object stores
show an object only when its upload is complete. Credentials are taken from the environment by pyarrow and never from
the address, so that no address that is printed or written down holds one.
"""

import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
from pyarrow import fs

from millrace.errors import DataError, UsageError, unknown_name
from millrace.storage import direct
from millrace.storage.files import flush_folder

SCHEMES = ("abfs", "abfss", "file", "gcs", "gs", "hdfs", "s3", "viewfs")
STORES = ("abfs", "gcs", "s3")  # pyarrow's names of filesystems that put objects whole
ASIDE = ".millrace"  # the folder, within the folder, for what is not yet whole
# What may stand after the question mark of an address; all else may be a secret, as in Azure's signatures.
SETTINGS = {
    *("allow_bucket_creation", "allow_bucket_deletion", "endpoint_override", "region", "scheme", "project_id"),
    *("retry_limit_seconds", "blob_storage_authority", "dfs_storage_authority", "blob_storage_scheme"),
    *("dfs_storage_scheme", "enable_tls", "credential_kind", "buffer_size", "default_block_size", "replication"),
    "user",
}

_ADVICE = {"cannot be written": "choose another folder, or look at who may write there, and at credentials of a store"}


class Folder:
    """`location`: a path, or an address with a scheme. Names within it are relative, with slashes."""

    def __init__(self, location: str) -> None:
        self.local: Path | None = None
        scheme, separator, _ = location.partition("://")
        if not separator:
            self.local = Path(os.path.abspath(os.path.expanduser(location)))
            self.location = str(self.local)
            self._fs, self._root = fs.LocalFileSystem(), self.location
        else:
            self.location = location.rstrip("/")
            self._fs, self._root = _remote(scheme, self.location)
            if self._fs.type_name == "local":
                self.local = Path(self._root)
                self.location = self._root
        self._whole_puts = self._fs.type_name in STORES

    def __reduce__(self) -> tuple[Any, ...]:
        """Folders cross process borders as their location; credentials do not travel."""
        return Folder, (self.location,)

    def __str__(self) -> str:
        return self.location

    def path(self, name: str) -> str:
        """The path of a file in the filesystem's own terms."""
        return f"{self._root}/{name}"

    def names(self, under: str = "", *, deep: bool = True) -> list[str]:
        """The names of all files below a folder, sorted; with deep off, of the files and folders in it."""
        base = self.path(under) if under else self._root
        with self.faults("cannot be listed"):
            selector = fs.FileSelector(base, allow_not_found=True, recursive=deep)
            found = [i.path for i in self._fs.get_file_info(selector) if not deep or i.type == fs.FileType.File]
        prefix = self._root.lstrip("/") + "/"
        return sorted(path.lstrip("/").removeprefix(prefix) for path in found)

    def stats(self, under: str = "") -> Mapping[str, tuple[int, float]]:
        """Size in bytes and time of the last change, in seconds by the filesystem's own clock, of all files below a
        folder, by name."""
        base = self.path(under) if under else self._root
        with self.faults("cannot be listed"):
            infos = self._fs.get_file_info(fs.FileSelector(base, allow_not_found=True, recursive=True))
        prefix = self._root.lstrip("/") + "/"
        files = [info for info in infos if info.type == fs.FileType.File]
        return {i.path.lstrip("/").removeprefix(prefix): (i.size, (i.mtime_ns or 0) / 1e9) for i in files}

    def size(self, name: str) -> int | None:
        """The size in bytes; None where there is no such file."""
        with self.faults("cannot be read"):
            info = self._fs.get_file_info(self.path(name))
        return info.size if info.type == fs.FileType.File else None

    def read(self, name: str, *, offset: int = 0, count: int | None = None) -> pa.Buffer:
        """The bytes of a file, or a part of them; fewer where it is shorter. FileNotFoundError where there is none."""
        if self.local is not None:
            # Mapped: what is read twice (digest, then decode) is not copied once.
            with pa.memory_map(self.path(name)) as source:
                source.seek(offset)
                return source.read_buffer(count)
        with self._fs.open_input_file(self.path(name)) as file:
            return file.read_buffer() if not offset and count is None else pa.py_buffer(file.read_at(count, offset))

    def put(self, name: str, parts: Iterable[Any], *, settled: bool = True) -> None:
        """Write a file whole under its name; it replaces one of the same name. parts: buffers, one after another.
        With `settled` off, a power cut may take the name away again, until `settle`; never a part of the bytes.

        Where the parts themselves fail in the middle, an object store may show the beginning: what is made of
        parts that can fail is trusted only once the manifest names it.
        """
        with self.faults("cannot be written"):
            if self.local is not None:
                self._place(name, lambda aside: direct.write(aside, parts))
                if settled:
                    flush_folder(Path(self.path(name)).parent)
            elif self._whole_puts:
                self._send(self.path(name), parts)
            else:
                aside = self.path(f"{ASIDE}/aside/{uuid.uuid4().hex}")
                for path in (aside, self.path(name)):
                    self._fs.create_dir(path.rpartition("/")[0], recursive=True)
                self._send(aside, parts)
                self._fs.move(aside, self.path(name))

    def put_hint(self, name: str, data: bytes) -> None:
        """`put` for a small file which does no harm where a power cut takes it or a part of it: it is not flushed."""
        if self.local is None:
            self.put(name, [data])
            return
        with self.faults("cannot be written"):
            self._place(name, lambda aside: aside.write_bytes(data))

    def settle(self, folders: Iterable[str]) -> None:
        """Have the names in these folders on the disk."""
        if self.local is not None:
            with self.faults("cannot be written"):
                for name in folders:
                    flush_folder(Path(self.path(name)))

    def put_many(self, files: Sequence[tuple[str, Any]]) -> None:
        """`put` for many small files: on a disk they are flushed together, which is quicker than one by one."""
        if self.local is None or not sys.platform.startswith("linux"):
            for name, data in files:
                self.put(name, [data])
            return
        with self.faults("cannot be written"):
            aside = self._aside()
            aside.mkdir()
            try:
                self._place_many(aside, files)
            finally:
                shutil.rmtree(aside, ignore_errors=True)  # what a full disk stopped takes no room

    def _place_many(self, aside: Path, files: Sequence[tuple[str, Any]]) -> None:
        for number, (_, data) in enumerate(files):
            (aside / str(number)).write_bytes(data)
        os.sync()  # waits, on Linux, until all is on the disk
        targets = [Path(self.path(name)) for name, _ in files]
        for parent in {target.parent for target in targets}:
            parent.mkdir(parents=True, exist_ok=True)
        for number, target in enumerate(targets):
            os.replace(aside / str(number), target)
        for parent in {target.parent for target in targets}:
            flush_folder(parent)

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""
        with self.faults("cannot be removed"), suppress(FileNotFoundError):
            self._fs.delete_file(self.path(name))

    def remove_tree(self, under: str) -> None:
        """Remove a folder and all that is in it."""
        with self.faults("cannot be removed"), suppress(FileNotFoundError):
            # Google's filesystem has no error of its own for a folder that is not there.
            if self._fs.get_file_info(self.path(under)).type != fs.FileType.NotFound:
                self._fs.delete_dir(self.path(under))

    def _send(self, path: str, parts: Iterable[Any]) -> None:
        with self._fs.open_output_stream(path) as stream:
            for part in parts:
                stream.write(part)

    def _aside(self) -> Path:
        """A path for what is not yet whole."""
        folder = Path(self.path(f"{ASIDE}/aside"))
        folder.mkdir(parents=True, exist_ok=True)
        return folder / uuid.uuid4().hex

    def _place(self, name: str, write: Callable[[Path], object]) -> None:
        """Have a file written aside, then give it its name."""
        target, aside = Path(self.path(name)), self._aside()
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(aside)
            os.replace(aside, target)
        except BaseException:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise

    @contextmanager
    def faults(self, what: str) -> Iterator[None]:
        """Errors of the filesystem as a DataError that names the folder."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            text = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
            full = isinstance(error, OSError) and error.errno in (28, 122)
            raise DataError(
                f"the disk of {self.location} is full" if full else f"{self.location} {what}",
                got=text,
                do="make room, then give the same command again: it goes on where it stopped"
                if full
                else _ADVICE.get(what),
            ) from error


def _remote(scheme: str, location: str) -> tuple[Any, str]:
    parts = urlsplit(location)
    if scheme not in SCHEMES:
        raise unknown_name("filesystem", scheme, SCHEMES, do="give a path, file://, s3:// or gs://")
    secrets = [name for name, value in parse_qsl(parts.query) if name not in SETTINGS or "@" in value]
    if secrets:
        raise UsageError(
            "an address must not hold credentials",
            expected=f"{scheme}://bucket/folder, and of settings {', '.join(sorted(SETTINGS))}",
            got=", ".join(secrets),
            do="set credentials in the environment",
        )
    if parts.password or (parts.username and scheme not in ("gs", "gcs", "abfs", "abfss", "hdfs")):
        raise UsageError(
            "an address must not hold credentials",
            expected=f"{scheme}://bucket/folder",
            got=f"{scheme}://…@{parts.hostname}",
            do="set them in the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    try:
        filesystem, root = fs.FileSystem.from_uri(location)
        if filesystem.type_name in STORES and not root.strip("/"):
            raise OSError(f"give a bucket: {scheme}://bucket/folder")
    except (pa.ArrowException, OSError, ImportError) as error:
        raise UsageError("not an address of a filesystem", got=location, do=str(error).splitlines()[0]) from None
    return filesystem, root.rstrip("/") or "/"
