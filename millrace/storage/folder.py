"""A folder on any filesystem that pyarrow knows: a local path, file://, s3://, gs:// and others.

A file appears under its name whole or not at all: on disks it is first a temporary one, flushed and renamed; object
stores show an object only when its upload is complete. Credentials are taken from the environment by pyarrow and never
from the address, so that no address that is printed or written down holds one.
"""

import ctypes
import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
from pyarrow import fs

from millrace.errors import DataError, MillraceError, UsageError, unknown_name
from millrace.storage.disk_faults import faults
from millrace.storage.files import flush_folder, temporary

SCHEMES = ("abfs", "abfss", "file", "gcs", "gs", "hdfs", "s3", "viewfs")
STORES = ("abfs", "gcs", "s3")  # pyarrow's names of filesystems that put objects whole
HIDDEN = ".millrace"  # the folder, within the folder, for what is not yet whole
# What may stand after the question mark of an address; all else may be a secret, as in Azure's signatures.
SETTINGS = {
    *("allow_bucket_creation", "allow_bucket_deletion", "endpoint_override", "region", "scheme", "project_id"),
    *("retry_limit_seconds", "blob_storage_authority", "dfs_storage_authority", "blob_storage_scheme"),
    *("dfs_storage_scheme", "enable_tls", "credential_kind", "buffer_size", "default_block_size", "replication"),
    "user",
}

_ADVICE = {"cannot be written": "choose another folder, or look at who may write there, and at credentials of a store"}
_LIBC = ctypes.CDLL(None, use_errno=True)


class Stat(NamedTuple):
    """Of a file. size: bytes; modified: time of the last change, seconds by the filesystem's own clock, so that the
    ages of two files can be compared wherever they were written from."""

    size: int
    modified: float


class Folder:
    """`location`: a path, or an address with a scheme. Names within it are relative, with slashes. Faults of the
    filesystem are raised as a `kind` that names the location."""

    def __init__(self, location: str, kind: type[MillraceError] = DataError) -> None:
        self.local: Path | None = None
        self._kind = kind
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
        return Folder, (self.location, self._kind)

    def __str__(self) -> str:
        return self.location

    def path(self, name: str) -> str:
        """The path of a file in the filesystem's own terms."""
        return f"{self._root}/{name}"

    def names(self, under: str = "", *, deep: bool = True) -> list[str]:
        """The names of all files below a folder, sorted; with deep off, of the files and folders in it."""
        found = [info.path for info in self._infos(under, deep) if not deep or info.type == fs.FileType.File]
        prefix = self._root.lstrip("/") + "/"
        return sorted(path.lstrip("/").removeprefix(prefix) for path in found)

    def stats(self, under: str = "") -> Mapping[str, Stat]:
        """All files below a folder, by name, but those in hidden folders and hidden ones, such as are not yet whole."""
        infos = self._infos(under, deep=True)
        prefix = self._root.lstrip("/") + "/"
        found = {info.path.lstrip("/").removeprefix(prefix): info for info in infos if info.type == fs.FileType.File}
        seen = {name: info for name, info in found.items() if not f"/{name}".count("/.")}
        return {name: Stat(info.size, (info.mtime_ns or 0) / 1e9) for name, info in seen.items()}

    def _infos(self, under: str, deep: bool) -> list[fs.FileInfo]:
        """What lies below a folder; nothing where there is none."""
        base = self.path(under) if under else self._root
        selector = fs.FileSelector(base, allow_not_found=True, recursive=deep)
        with self.faults("cannot be listed"):
            for _ in range(9):  # a folder that another process makes, or removes, in this moment is looked at again
                with suppress(FileNotFoundError):
                    return self._fs.get_file_info(selector)  # type: ignore[no-any-return]
            return self._fs.get_file_info(selector)  # type: ignore[no-any-return]

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

    def data(self, name: str) -> bytes:
        """All bytes of a small file, as bytes of their own. FileNotFoundError where there is none."""
        with self.faults("cannot be read", absent=True):
            if self.local is not None:
                return Path(self.path(name)).read_bytes()
            return self.read(name).to_pybytes()  # type: ignore[no-any-return]

    def put(self, name: str, parts: Iterable[Any], *, settled: bool = True) -> None:
        """Write a file whole under its name; it replaces one of the same name. parts: buffers, one after another.
        With `settled` off, a power cut may take the name away again, until `settle`; never a part of the bytes.

        Where the parts themselves fail in the middle, an object store may show the beginning: what is made of
        parts that can fail is trusted only once the manifest names it.
        """
        with self.faults("cannot be written"):
            if self.local is not None:
                self._place(name, lambda fresh: _write(fresh, parts))
                if settled:
                    flush_folder(Path(self.path(name)).parent)
            elif self._whole_puts:
                self._send(self.path(name), parts)
            else:
                fresh = self.path(f"{HIDDEN}/aside/{uuid.uuid4().hex}")
                for path in (fresh, self.path(name)):
                    self._fs.create_dir(path.rpartition("/")[0], recursive=True)
                self._send(fresh, parts)
                self._fs.move(fresh, self.path(name))

    def put_hint(self, name: str, data: bytes) -> None:
        """`put` for a small file which does no harm where a power cut takes it or a part of it: it is not flushed."""
        if self.local is None:
            self.put(name, [data])
            return
        with self.faults("cannot be written"):
            self._place(name, lambda fresh: fresh.write_bytes(data))

    def settle(self, folders: Iterable[str]) -> None:
        """Have the names in these folders on the disk."""
        if self.local is not None:
            with self.faults("cannot be written"):
                for name in folders:
                    flush_folder(Path(self.path(name)))

    def put_many(self, files: Sequence[tuple[str, Any]]) -> None:
        """`put` for many small files: on a disk they are flushed together, which is quicker than one by one."""
        if self.local is None or not hasattr(_LIBC, "syncfs"):
            for name, data in files:
                self.put(name, [data])
            return
        with self.faults("cannot be written"):
            self.local.mkdir(parents=True, exist_ok=True)
            fresh = self._temporary(self.local / "many")
            fresh.mkdir()
            try:
                self._place_many(fresh, files)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)  # what a full disk stopped takes no room

    def _place_many(self, fresh: Path, files: Sequence[tuple[str, Any]]) -> None:
        for number, (_, data) in enumerate(files):
            (fresh / str(number)).write_bytes(data)
        _flush_filesystem(fresh)
        targets = [Path(self.path(name)) for name, _ in files]
        for parent in {target.parent for target in targets}:
            parent.mkdir(parents=True, exist_ok=True)
        for number, target in enumerate(targets):
            os.replace(fresh / str(number), target)
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

    def _temporary(self, target: Path) -> Path:
        """A path for what is not yet whole: in the folder for such things where that is there, else by the target."""
        folder = Path(self.path(HIDDEN))
        if not folder.is_dir():
            return temporary(target)
        (folder / "aside").mkdir(exist_ok=True)
        return folder / "aside" / uuid.uuid4().hex

    def _place(self, name: str, write: Callable[[Path], object]) -> None:
        """Have a file written under a temporary name, then give it its own."""
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._temporary(target)
        try:
            write(fresh)
            os.replace(fresh, target)
        except BaseException:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise

    def faults(self, what: str, *, absent: bool = False) -> AbstractContextManager[None]:
        """Errors of the filesystem as one that names the folder; see `storage.disk_faults`."""
        full = "make room, then give the same command again: it goes on where it stopped"
        return faults(self.location, what, self._kind, do=_ADVICE.get(what), full=full, absent=absent)


def _write(path: Path, parts: Iterable[Any]) -> None:
    """Write a new file, part after part, and have it on the disk."""
    with open(path, "xb") as file:
        if isinstance(parts, Sequence):
            _reserve(file.fileno(), sum(memoryview(part).nbytes for part in parts))
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def _reserve(handle: int, size: int) -> None:
    """Ask for the room of the whole file at once: a full disk is known at once, and the writing is quicker."""
    if size and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                raise


def _flush_filesystem(folder: Path) -> None:
    """Have all that was written to the folder's filesystem on the disk. Unlike os.sync it leaves other disks of the
    machine alone, and does not keep an error of this one to itself."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        if _LIBC.syncfs(handle):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(handle)


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
        raise _not_opened(location, str(error).splitlines()[0]) from None
    return filesystem, root.rstrip("/") or "/"


def _not_opened(location: str, reason: str) -> MillraceError:
    """The error for an address that pyarrow refuses; a store of S3 is asked for its region at that moment."""
    if "AWS Error" in reason:
        do = "check the network, the bucket's name and the credentials in the environment"
        return MillraceError(f"the store of {location} cannot be reached", got=reason, do=do)
    return UsageError("not an address of a filesystem", got=location, do=reason)
