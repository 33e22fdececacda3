"""Filesystems that several machines see at once, known by their type."""

from collections.abc import Iterable
from pathlib import Path

SHARED = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "afs", "ocfs2"),
        *("gfs2", "orangefs", "wekafs", "panfs", "pvfs2", "acfs", "quobyte", "fuse.glusterfs", "fuse.sshfs"),
        *("fuse.ceph", "fuse.juicefs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.mount-s3", "fuse.moosefs"),
    )
)


def is_shared(path: Path, mounts: Iterable[str] | None = None) -> bool:
    """Whether the path lies on a filesystem that other machines may have too; False where the system does not say.

    mounts: lines as of /proc/self/mounts (fstab(5): spaces in names are written \\040)."""
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text().splitlines()
        except OSError:
            return False
    found, kind = Path("/"), ""
    real = path.resolve()
    for line in mounts:
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(fields[1].replace("\\040", " "))
        if real.is_relative_to(point) and point.is_relative_to(found):
            found, kind = point, fields[2]
    return kind in SHARED
