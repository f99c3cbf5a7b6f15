"""Locks between processes on one machine, and the places where they do not hold."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import attrs

from omium_core.errors import StoreError

__all__ = ["FileLock", "host", "make_folder", "refuse_network"]

# Here neither `flock` nor SQLite's shared memory is known to reach the other machines (or the other side of a VM).
NETWORK_TYPES = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs"}
    | {"panfs", "smb", "smb2", "smb3", "smbfs"}
)
# Of the file systems in user space only those that show a local disk are safe; every other one is a network's.
FUSE_LOCAL_TYPES = frozenset({"fuse.ext2", "fuse.ext4", "fuse.fuse-overlayfs", "fuse.lxcfs", "fuse.ntfs-3g", "fuseblk"})
REPLACED_MAX = 10


@attrs.define(eq=False)
class FileLock:
    """An exclusive `flock` on a file of its own, which is made when it is missing.

    It keeps processes apart, and not threads: who uses it holds a lock of the process as well.
    """

    path: str
    _fd: int = -1

    def try_take(self) -> bool:
        """Take the lock if that needs no waiting; say whether it was taken."""
        try:
            fcntl.flock(self._opened(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def take(self) -> None:
        """Take the lock, however long another process has it."""
        for _ in range(REPLACED_MAX):
            fcntl.flock(self._opened(), fcntl.LOCK_EX)
            # Somebody may have deleted the file since it was opened; a lock on it keeps nobody out any more.
            if os.fstat(self._fd).st_nlink:
                return
            self.forget()
        raise OSError(errno.EAGAIN, "is deleted again and again", self.path)

    def release(self) -> None:
        """Let another process have the lock."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def forget(self) -> None:
        """Close the file. In a forked child the parent's lock stays, because `flock` belongs to both descriptors."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _opened(self) -> int:
        if self._fd < 0:
            try:
                self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as problem:
                if problem.errno not in (errno.EROFS, errno.EACCES, errno.EPERM) or not os.path.exists(self.path):
                    raise
                # Who may only read the file can ask as well whether somebody has locked it.
                self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        return self._fd


def host() -> str:
    """Give a name for this machine since its last start, which containers with equal host names do not share."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    return f"{os.uname().nodename} {boot}"


def make_folder(folder: Path) -> None:
    """Make the folder and its parents, so that they survive a power loss."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        fd = os.open(one.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def refuse_network(path: Path, mounts: str | None = None) -> None:
    """Raise `StoreError` when `path` is on a network file system; `mounts` is the text of `/proc/self/mounts`."""
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text(errors="surrogateescape")
        except OSError:
            return
    kind = _file_system(path, mounts)
    if kind in NETWORK_TYPES or (kind.startswith("fuse.") and kind not in FUSE_LOCAL_TYPES):
        raise StoreError(
            f"`{path}` is on a network file system (`{kind}`), where SQLite can lose data; "
            f"put the store on a local disk, or use the PostgreSQL journal"
        )


def _file_system(path: Path, mounts: str) -> str:
    """Give the type of the innermost mount that holds `path`; of mounts on one place the last one counts."""
    kind, length = "", -1
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        place = Path(fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
        if (place == path or place in path.parents) and len(place.parts) >= length:
            kind, length = fields[2], len(place.parts)
    return kind
