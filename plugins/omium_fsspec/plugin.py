"""The hooks of the blob store over fsspec; what they name is imported when a blob store is opened."""

from __future__ import annotations

from omium_core.hookspecs import hookimpl
from omium_core.specs import ANY_SCHEME, BlobStoreSpec


@hookimpl
def register_blob_stores() -> list[BlobStoreSpec]:
    """Serve local folders and whatever else fsspec has a file system for."""
    return [BlobStoreSpec(("file", "memory", ANY_SCHEME), "omium_fsspec.blobs:FsspecBlobStore")]
