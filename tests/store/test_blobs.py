"""Content-addressed blobs, on the local disk and behind fsspec."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from omium_core.errors import StoreError, UsageError
from omium_core.interfaces.checkpoint import BlobStore
from omium_fsspec.blobs import FsspecBlobStore


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(params=["path", "file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    places = {"path": str(tmp_path / "a b" / "blobs"), "file": f"file://{tmp_path}/blobs", "memory": "memory://"}
    return str(places[request.param]) + (f"{uuid.uuid4()}/blobs" if request.param == "memory" else "")


def test_what_is_put_is_got(url: str) -> None:
    """Bytes come back exactly; what was never put is None; another store under the same URL has them too."""
    store: BlobStore = FsspecBlobStore(url)
    for data in (b"", b"x", os.urandom(1_000_000)):
        store.put(digest(data), data)
        assert store.get(digest(data)) == data
        assert FsspecBlobStore(url).get(digest(data)) == data
    assert store.get("00" * 32) is None
    store.close()


def test_a_blob_that_is_there_stays(url: str) -> None:
    """The first bytes under a name are kept."""
    store = FsspecBlobStore(url)
    store.put(digest(b"one"), b"one")
    store.put(digest(b"one"), b"another")
    assert store.get(digest(b"one")) == b"one"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65])
def test_only_hashes_are_names(url: str, name: str) -> None:
    """A name that is not a hash never becomes a path."""
    store = FsspecBlobStore(url)
    with pytest.raises(UsageError):
        store.put(name, b"")
    with pytest.raises(UsageError):
        store.get(name)


def test_layout_and_order_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local blob is synced before it gets its name, and its folders after; nothing temporary stays."""
    calls: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append(os.readlink(f"/proc/self/fd/{fd}")) or sync(fd))
    monkeypatch.setattr(os, "replace", lambda a, b: calls.append("replace") or replace(a, b))
    name = digest(b"data")
    root = tmp_path / "blobs"
    FsspecBlobStore(str(root)).put(name, b"data")
    assert [path.relative_to(root) for path in root.rglob("*") if path.is_file()] == [Path(name[:2], name[2:])]
    at = calls.index("replace")
    assert calls[at - 1].startswith(str(root / name[:2]))
    assert calls[at + 1 :] == [str(root / name[:2]), str(root)]
    assert str(tmp_path) in calls[:at]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails there is no blob and no rest, and the next try succeeds."""
    store = FsspecBlobStore(str(tmp_path))

    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StoreError, match="Input/output error"):
            store.put(digest(b"x"), b"x")
    assert store.get(digest(b"x")) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    store.put(digest(b"x"), b"x")
    assert store.get(digest(b"x")) == b"x"


def test_many_threads_put_the_same(url: str) -> None:
    """Equal blobs put at once are one blob."""
    store, data = FsspecBlobStore(url), os.urandom(100_000)
    threads = [threading.Thread(target=store.put, args=(digest(data), data)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get(digest(data)) == data


def test_wrong_urls_are_refused() -> None:
    """A protocol that nobody knows is refused in one sentence."""
    with pytest.raises(UsageError, match="not a place for blobs"):
        FsspecBlobStore("nonsense://x")


def test_the_package_imports_without_fsspec() -> None:
    """Importing the plugin does not import fsspec."""
    script = "import sys, omium_fsspec, omium_fsspec.blobs; sys.exit('fsspec' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == 0
