"""Every journal and blob store that is here keeps what the shipped suites say."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from omium.runtime import plugins
from omium.testing import blob_stores, journals
from omium_fsspec.blobs import FsspecBlobStore
from omium_sqlite.opening import open_journal


@pytest.mark.parametrize("check", journals.CHECKS)
def test_sqlite(check: journals.Check, tmp_path: Path) -> None:
    """The embedded journal conforms."""
    check(open_journal, f"sqlite:///{tmp_path}/omium.db")


@pytest.mark.parametrize("check", blob_stores.CHECKS)
def test_folder(check: blob_stores.Check, tmp_path: Path) -> None:
    """Blobs in a local folder conform."""
    check(FsspecBlobStore, f"file://{tmp_path}/blobs")


# What is in memory ends with its process, and says so by its name.
IN_MEMORY = [check for check in blob_stores.CHECKS if check is not blob_stores.a_kill_leaves_whole_blobs]


@pytest.mark.parametrize("check", IN_MEMORY)
def test_memory(check: blob_stores.Check) -> None:
    """Blobs behind a file system of fsspec conform."""
    check(FsspecBlobStore, f"memory://{uuid.uuid4()}/blobs")


@pytest.mark.parametrize("check", journals.CHECKS)
def test_journals_through_the_loader(check: journals.Check, tmp_path: Path) -> None:
    """What a user gets by a URL, through the entry points, conforms like what its module gives."""
    check(plugins().journal("sqlite").load(), f"sqlite:///{tmp_path}/omium.db")


@pytest.mark.parametrize("check", blob_stores.CHECKS)
def test_blob_stores_through_the_loader(check: blob_stores.Check, tmp_path: Path) -> None:
    """What a user gets by a URL, through the entry points, conforms like what its module gives."""
    check(plugins().blob_store("file").load(), f"file://{tmp_path}/blobs")
