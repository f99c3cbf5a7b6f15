"""What every blob store must keep, one check per property, for whoever writes a plugin that keeps blobs.

    @pytest.mark.parametrize("check", blob_stores.CHECKS)
    def test_blob_store(check, tmp_path):
        check(MyBlobStore, f"file://{tmp_path}/blobs")

A check is given what a `BlobStoreSpec` names, and a URL where there is nothing yet. It opens the store as Omium does,
`open_blobs(url)`, as often as it needs.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import cycle

from omium.testing.conforming import at_once, forked, holds, judged, refused
from omium_core.errors import OmiumError, UsageError
from omium_core.interfaces.checkpoint import BlobStore

__all__ = ["CHECKS"]

LARGE_BYTES = 3_000_000

Opener = Callable[[], BlobStore]
Check = Callable[[Callable[..., BlobStore], str], None]

CHECKS: list[Check] = []
"""Each raises `AssertionError` with one sentence where its property does not hold."""


def _check(body: Callable[[Opener], None]) -> Check:
    """Make a function that uses blob stores a check; what it opens is closed afterwards."""

    @functools.wraps(body)
    def check(open_blobs: Callable[..., BlobStore], url: str) -> None:
        with judged(body.__name__), ExitStack() as opened:
            body(lambda: opened.enter_context(closing(open_blobs(url))))

    CHECKS.append(check)
    return check


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@_check
def what_is_put_is_got(open: Opener) -> None:
    """Bytes come back exactly: none, one, every kind of them, and several megabytes."""
    store = open()
    for data in (b"", b"\0", bytes(range(256)), os.urandom(LARGE_BYTES)):
        store.put(_name(data), data)
        holds(store.get(_name(data)) == data, f"a blob of {len(data)} bytes must come back as it was put")


@_check
def what_was_never_put_is_missing(open: Opener) -> None:
    """A blob that nobody put is None, also beside one whose name begins alike."""
    store = open()
    holds(store.get("00" * 32) is None, "a blob that was never put must be None")
    store.put(_name(b"one"), b"one")
    near = _name(b"one")[:-1] + ("0" if _name(b"one")[-1] != "0" else "1")
    holds(store.get(near) is None, "a blob that was never put must be None, also beside one with a similar name")


@_check
def a_blob_that_is_there_stays(open: Opener) -> None:
    """Putting a blob twice is putting it once: what is there is not written again."""
    store = open()
    store.put(_name(b"one"), b"one")
    store.put(_name(b"one"), b"another")
    holds(store.get(_name(b"one")) == b"one", "a blob that is there already must stay as it is")
    again = open()
    again.put(_name(b"one"), b"another")
    holds(again.get(_name(b"one")) == b"one", "a blob that is there already must stay as it is, also when opened again")


@_check
def what_was_put_is_there_when_opened_again(open: Opener) -> None:
    """Closing lets go of nothing that was put."""
    store, data = open(), os.urandom(100_000)
    store.put(_name(data), data)
    store.close()
    holds(open().get(_name(data)) == data, "a blob must be there when the store is opened again")


@_check
def threads_put_the_same_at_once(open: Opener) -> None:
    """Equal blobs that are put at once are one blob, and nobody sees a part of it."""
    store, data = open(), os.urandom(LARGE_BYTES)
    put = functools.partial(store.put, _name(data), data)
    stop = threading.Event()

    def put_all() -> None:
        try:
            at_once(put, put, put, put)
        finally:
            stop.set()

    def look() -> None:
        while not stop.is_set():
            holds(store.get(_name(data)) in (None, data), "a reader must see a blob whole or not at all")

    at_once(put_all, look)
    holds(store.get(_name(data)) == data, "equal blobs that are put at once must be one blob")


@_check
def only_hashes_are_names(open: Opener) -> None:
    """What is not a hash is refused, before it becomes a path or a key."""
    store = open()
    for name in ("", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65, "0" * 63 + "\n", "/" * 64):
        sentence = f"the name {name!r} must be refused: a name is 64 hex digits in lower case"
        refused(functools.partial(store.put, name, b""), UsageError, sentence)
        refused(functools.partial(store.get, name), UsageError, sentence)


def a_kill_leaves_whole_blobs(open_blobs: Callable[..., BlobStore], url: str) -> None:
    """After `kill -9`, what `put` had returned for is there, and nothing is there in part."""
    contents = [os.urandom(200_000) for _ in range(8)]

    def work(say: Callable[[str], None]) -> None:
        store = open_blobs(url)
        for data in cycle(contents):
            store.put(_name(data), data)
            say(_name(data))

    with forked(work) as child:
        said = {child.line() for _ in range(5)}
        child.kill()
        said |= set(child.lines())
    with closing(open_blobs(url)) as store:
        for data in contents:
            found = store.get(_name(data))
            holds(found in (None, data), "a kill must leave a blob whole or not at all")
            holds(found is not None or _name(data) not in said, "what `put` had returned for must survive a kill")


def other_urls_are_refused(open_blobs: Callable[..., BlobStore], url: str) -> None:
    """A URL of a scheme that is not the store's own is refused in one sentence."""
    rubbish = f"not-{url.partition(':')[0]}://somewhere/blobs"
    sentence = f"the URL `{rubbish}` must be refused with an error of Omium's"
    refused(functools.partial(open_blobs, rubbish), OmiumError, sentence)


CHECKS += [a_kill_leaves_whole_blobs, other_urls_are_refused]
