"""Content-addressed blobs under any fsspec URL. Import `omium_fsspec.blobs.FsspecBlobStore`."""

__all__: list[str] = []
