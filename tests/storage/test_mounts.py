"""Disks of several machines, known by lines as Linux writes them."""

from pathlib import Path

import pytest

from millrace.storage.mounts import is_shared

MOUNTS = """\
/dev/sda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/local xfs rw 0 0
//nas/x /mnt/big\\040disk cifs rw 0 0
fs-1:/ /data lustre rw 0 0
/dev/sdc1 /homestead btrfs rw 0 0
broken line
""".splitlines()


@pytest.mark.parametrize(
    ("path", "shared"),
    [
        ("/srv/runs/a", False),
        ("/home/ada/runs/a", True),
        ("/home/local/runs", False),
        ("/homestead/runs", False),
        ("/mnt/big disk/run", True),
        ("/mnt/big", False),
        ("/data", True),
    ],
)
def test_the_nearest_mount_decides(path: str, shared: bool) -> None:
    assert is_shared(Path(path), MOUNTS) is shared


def test_this_machine_answers(tmp_path: Path) -> None:
    assert is_shared(tmp_path) in (True, False)
    assert not is_shared(Path("/proc/self"))
