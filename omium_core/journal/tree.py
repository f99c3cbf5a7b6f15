"""Large values as trees of content-addressed blobs, so that a value that grows is stored by its growth.

A list or dict whose packed form is large becomes nodes of at most 8 entries, by position; entries that are large
become blobs of their own. So a list that got one more element shares all but one blob per level with what it was.

Everything stored, a body as well as a blob, is one format byte and a payload; the payload is one packed value. In it,
an extension type is either a reference (the 32 bytes of a blob's sha256, the code says to what) or a form of its own
whose data is again one packed value. So references are found without knowing any form.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs
import msgpack  # type: ignore[import-untyped]  # it ships no types
import zstandard

from omium_core.errors import Corrupted, OmiumError
from omium_core.model.body import Blob

__all__ = ["ListNode", "Memory", "Reader", "Splitter", "Squeezer", "array", "expanded", "references"]

INLINE_BYTES: Final = 16 * 1024
"""A value whose packed form is not larger stays in one piece."""

SPLIT_BYTES: Final = 4 * 1024
"""A list, dict or object inside a larger value stays in one piece when its packed form is not larger."""

ELEMENT_BYTES: Final = 512
"""What is not larger is written where it stands; a reference to it would cost 35 bytes and a row."""

TEXT_BYTES: Final = 64 * 1024
"""Text or bytes that are the whole value become a blob when they are larger."""

NODE_BYTES: Final = 256
"""A node that is not larger is written where it stands. Less than `ELEMENT_BYTES`, so that a node full of references
is a blob: what stands in the node above, or in the body, is written again with every element that is added."""

FAN_OUT: Final = 8
"""How many entries a node has at most. One more element rewrites one node per level, so small nodes keep growth small;
larger ones would save blobs when a list is stored for the first time."""

SPLIT_DEPTH_MAX: Final = 8
"""What is nested deeper inside a value stays in one piece, whatever its size."""

READ_DEPTH_MAX: Final = 128
"""How deep forms and references may be nested in each other; what is written stays below."""

READ_BYTES_MAX: Final = 1 << 30
"""How many bytes one value may have when every reference is followed, however often."""

SQUEEZE_BYTES_MIN: Final = 512
SQUEEZE_BYTES_MAX: Final = 64 << 20
"""Payloads that are larger are never compressed, so bytes that claim to be are not expanded."""

SQUEEZE_GAIN_MIN: Final = 0.1
MEMORY_BLOBS_MAX: Final = 32_768
IDLE_MAX: Final = 8

RAW: Final = b"\x00"
ZSTD: Final = b"\x01"

LIST: Final = 96
DICT: Final = 97
LIST_NODE: Final = 112
DICT_NODE: Final = 113
ELEMENT: Final = 114
TEXT: Final = 115
BYTES: Final = 116

_REFERRED: Final[Mapping[int, Any]] = {LIST_NODE: list, DICT_NODE: list, ELEMENT: object, TEXT: str, BYTES: bytes}
_UNPACKING: Final[Mapping[str, Any]] = {"raw": False, "strict_map_key": False, "unicode_errors": "surrogatepass"}
_DIGEST_BYTES: Final = 32


@attrs.frozen
class Squeezer:
    """Compression with contexts that are used again; none is ever used by two threads at once."""

    _compressors: list[zstandard.ZstdCompressor] = attrs.field(factory=list, init=False, repr=False)
    _decompressors: list[zstandard.ZstdDecompressor] = attrs.field(factory=list, init=False, repr=False)

    def wrap(self, payload: bytes, least_bytes: int = SQUEEZE_BYTES_MIN) -> bytes:
        """Give the stored form of a payload: compressed when it has `least_bytes` and it saves a tenth."""
        if not least_bytes <= len(payload) <= SQUEEZE_BYTES_MAX:
            return RAW + payload
        try:
            compressor = self._compressors.pop()
        except IndexError:
            compressor = zstandard.ZstdCompressor(level=1)
        squeezed = compressor.compress(payload)
        if len(self._compressors) < IDLE_MAX:
            self._compressors.append(compressor)
        return ZSTD + squeezed if len(squeezed) <= len(payload) * (1 - SQUEEZE_GAIN_MIN) else RAW + payload

    def unwrap(self, data: bytes) -> bytes:
        """Give the payload of stored bytes; raise `Corrupted` for what `wrap` cannot have written."""
        form = data[:1]
        if form == RAW:
            return data[1:]
        if form != ZSTD:
            raise Corrupted("stored bytes begin with an unknown format; they were changed, or a newer omium wrote them")
        try:
            return self._expand(data[1:])
        except zstandard.ZstdError as error:
            raise Corrupted(f"compressed bytes cannot be expanded: {error}") from error

    def _expand(self, squeezed: bytes) -> bytes:
        # INVARIANT: the size is checked before anything is allocated; zstd allocates what the frame claims.
        size = zstandard.frame_content_size(squeezed)
        if not 0 < size <= SQUEEZE_BYTES_MAX:
            raise Corrupted(f"compressed bytes claim a size outside of 1 to {SQUEEZE_BYTES_MAX}")
        try:
            decompressor = self._decompressors.pop()
        except IndexError:
            decompressor = zstandard.ZstdDecompressor()
        payload = decompressor.decompress(squeezed, max_output_size=size, allow_extra_data=False)
        if len(self._decompressors) < IDLE_MAX:
            self._decompressors.append(decompressor)
        return payload


_SQUEEZER: Final = Squeezer()
"""For `references`, which has no codec. It keeps nothing but idle contexts; making one takes longer than its use."""


@attrs.define
class Memory:
    """Which packed parts became which blobs, and which blobs are durable. Bounded; safe to use from many threads.

    `generation` is the store's as it was last heard of: it rises when blobs are removed from the store.

    INVARIANT: a durable blob's own references are durable, since a store commits a body's blobs together.
    """

    generation: int = attrs.field(default=0, init=False)
    _digests: OrderedDict[bytes, bytes] = attrs.field(factory=OrderedDict, init=False, repr=False)
    _durable: OrderedDict[bytes, None] = attrs.field(factory=OrderedDict, init=False, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def durable(self, key: bytes) -> bytes | None:
        """Give the digest of the blob that this part became, if the blob is durable."""
        with self._lock:
            digest = self._digests.get(key)
            if digest is None or digest not in self._durable:
                return None
            self._digests.move_to_end(key)
            self._durable.move_to_end(digest)
            return digest

    def learn(self, key: bytes, digest: bytes) -> None:
        """Remember which blob a part became."""
        with self._lock:
            self._digests[key] = digest
            if len(self._digests) > MEMORY_BLOBS_MAX:
                self._digests.popitem(last=False)

    def stored(self, digests: Iterable[str], generation: int | None = None) -> None:
        """Remember that these blobs are durable, unless that was said of another generation of the store."""
        with self._lock:
            if generation not in (None, self.generation):
                return
            for digest in digests:
                self._durable[bytes.fromhex(digest)] = None
            while len(self._durable) > MEMORY_BLOBS_MAX:
                self._durable.popitem(last=False)

    def forget(self, generation: int | None = None) -> None:
        """Take nothing for durable any more; nothing is forgotten twice for one generation of the store."""
        with self._lock:
            if generation is not None and generation <= self.generation:
                return
            self.generation = generation or self.generation
            self._digests.clear()
            self._durable.clear()


@attrs.define
class Splitter:
    """Splits one value; `blobs` are then the parts that are not known to be durable, children before parents.

    `pack` packs a value in one piece. `take_apart` gives an object's extension code and what stands for the object,
    or None for one that stays in one piece.
    """

    _pack: Callable[[Any], bytes]
    _take_apart: Callable[[Any], tuple[int, Any] | None]
    _memory: Memory
    _squeezer: Squeezer
    blobs: dict[bytes, Blob] = attrs.field(factory=dict, init=False)
    _emitted: dict[bytes, bytes] = attrs.field(factory=dict, init=False)

    def split(self, value: Any, packed: bytes) -> bytes:
        """Give the packed form of a value, with references in place of its large parts."""
        if len(packed) <= INLINE_BYTES:
            return packed
        if type(value) in (str, bytes):
            return packed if len(packed) <= TEXT_BYTES else self._piece(value, packed, 0)
        return self._shape(value, packed, 0)

    def _shape(self, value: Any, packed: bytes, depth: int) -> bytes:
        if len(packed) <= SPLIT_BYTES or depth >= SPLIT_DEPTH_MAX or type(value) in (str, bytes):
            return packed
        if type(value) is list:
            return _extension(LIST, self._tree(value, LIST_NODE, depth + 1))
        if type(value) is dict:
            return _extension(DICT, self._tree(list(value.items()), DICT_NODE, depth + 1))
        apart = self._take_apart(value)
        if apart is None:
            return packed
        code, parts = apart
        return _extension(code, self._shape(parts, self._pack(parts), depth + 1))

    def _piece(self, value: Any, packed: bytes, depth: int) -> bytes:
        """Give an entry of a node: as it stands when it is small, else the reference to its blob."""
        if len(packed) <= ELEMENT_BYTES:
            return packed
        code = TEXT if type(value) is str else BYTES if type(value) is bytes else ELEMENT
        key = _key(code, packed)
        digest = self._known(key)
        if digest is None:
            shaped = self._shape(value, packed, depth)
            if len(shaped) <= ELEMENT_BYTES:
                return shaped
            digest = self._emit(key, shaped)
        return _reference(code, digest)

    def _tree(self, entries: list[Any], code: int, depth: int) -> bytes:
        """Give the packed root of a tree over a list's elements or a dict's items."""
        if len(entries) <= FAN_OUT:
            return array([self._entry(one, code, depth) for one in entries])
        level = [self._leaf(entries[start : start + FAN_OUT], code, depth) for start in range(0, len(entries), FAN_OUT)]
        while len(level) > FAN_OUT:
            level = [self._node(level[start : start + FAN_OUT], code) for start in range(0, len(level), FAN_OUT)]
        return array(level)

    def _leaf(self, entries: list[Any], code: int, depth: int) -> tuple[int, bytes]:
        """Give the entry that stands for up to 8 elements; what is known to be stored is not looked into."""
        packed = self._pack(entries if code == LIST_NODE else dict(entries))
        if len(packed) <= ELEMENT_BYTES:
            return _entries_of(packed, len(entries), code)
        key = _key(code, packed)
        digest = self._known(key)
        if digest is None:
            return self._node([self._entry(one, code, depth) for one in entries], code, key)
        return 1, _reference(code, digest)

    def _entry(self, entry: Any, code: int, depth: int) -> tuple[int, bytes]:
        if code == LIST_NODE:
            return 1, self._piece(entry, self._pack(entry), depth)
        name, value = entry
        return 2, self._pack(name) + self._piece(value, self._pack(value), depth)

    def _node(self, entries: list[tuple[int, bytes]], code: int, key: bytes | None = None) -> tuple[int, bytes]:
        """Give the entry that stands for these: their node's reference, or all of them when they are small."""
        payload = array(entries)
        if len(payload) <= NODE_BYTES:
            return sum(count for count, _ in entries), b"".join([packed for _, packed in entries])
        key = key or _key(code, payload)
        return 1, _reference(code, self._known(key) or self._emit(key, payload))

    def _known(self, key: bytes) -> bytes | None:
        return self._emitted.get(key) or self._memory.durable(key)

    def _emit(self, key: bytes, payload: bytes) -> bytes:
        data = self._squeezer.wrap(payload)
        digest = hashlib.sha256(data)
        self.blobs[digest.digest()] = Blob(digest.hexdigest(), data)
        self._emitted[key] = digest.digest()
        self._memory.learn(key, digest.digest())
        return digest.digest()


@attrs.frozen
class ListNode:
    """The entries of a node while it is read; never part of a value."""

    entries: list[Any]


@attrs.define
class Reader:
    """Reads one value: follows references and hands each form's data to the builder of its code.

    `fault` is what `fetch` raised, which says nothing about the bytes.
    """

    _squeezer: Squeezer
    _fetch: Callable[[str], bytes]
    _builders: Mapping[int, Callable[[Any], Any]]
    _hooks: Mapping[str, Any] = attrs.field(factory=dict)
    fault: BaseException | None = attrs.field(default=None, init=False)
    _depth: int = attrs.field(default=0, init=False)
    _bytes: int = attrs.field(default=0, init=False)
    _nodes: int = attrs.field(default=0, init=False)

    def read(self, data: bytes) -> Any:
        """Give the value of a body; raise `Corrupted` for bytes that do not parse."""
        try:
            value = self._unpack(self._squeezer.unwrap(data))
        except (OmiumError, MemoryError, RecursionError):
            raise
        except Exception as error:  # hostile bytes reach constructors, which raise what they like
            if error is self.fault:
                raise
            raise Corrupted(f"stored bytes are not a value: {error}") from error
        if self._nodes:
            raise Corrupted("a value refers to a node where no node can be")
        return value

    def _unpack(self, payload: bytes) -> Any:
        return msgpack.unpackb(payload, ext_hook=self._extension, **self._hooks, **_UNPACKING)

    def _extension(self, code: int, data: bytes) -> Any:
        # The depth is not put back when something is raised: nothing more is read then.
        self._depth += 1
        if self._depth > READ_DEPTH_MAX:
            raise Corrupted(f"a value is nested deeper than {READ_DEPTH_MAX} levels")
        if code in _REFERRED:
            built = self._follow(code, data)
        elif code == LIST:
            built = self._listed(self._flat(self._unpack(data)))
        elif code == DICT:
            built = self._mapped(self._flat(self._unpack(data)))
        else:
            built = self._built(code, self._unpack(data))
        self._depth -= 1
        return built

    def _built(self, code: int, parts: Any) -> Any:
        builder = self._builders.get(code)
        if builder is None:
            raise Corrupted(f"a value has the unknown form {code}; it was changed, or a newer omium wrote it")
        return builder(parts)

    def _follow(self, code: int, digest: bytes) -> Any:
        if len(digest) != _DIGEST_BYTES:
            raise Corrupted("a reference is not the digest of a blob")
        payload = self._squeezer.unwrap(self._fetched(digest.hex()))
        self._bytes += len(payload)
        if self._bytes > READ_BYTES_MAX:
            raise Corrupted(f"a value has more than {READ_BYTES_MAX} bytes")
        value = self._unpack(payload)
        if not isinstance(value, _REFERRED[code]):
            raise Corrupted("a reference leads to something else than it says")
        if code not in (LIST_NODE, DICT_NODE):
            return value
        self._nodes += 1
        return ListNode(value)

    def _fetched(self, digest: str) -> bytes:
        try:
            return self._fetch(digest)
        except BaseException as error:
            self.fault = error
            raise

    def _flat(self, entries: list[Any]) -> list[Any]:
        """Give the elements below these entries, in order."""
        flat: list[Any] = []
        for entry in entries:
            if type(entry) is ListNode:
                self._nodes -= 1
                flat.extend(self._flat(entry.entries))
            else:
                flat.append(entry)
        return flat

    def _listed(self, elements: list[Any]) -> Any:
        hook = self._hooks.get("list_hook")
        return hook(elements) if hook else elements

    def _mapped(self, flat: list[Any]) -> Any:
        pairs = zip(flat[::2], flat[1::2], strict=True)
        hook = self._hooks.get("object_pairs_hook")
        return hook(list(pairs)) if hook else dict(pairs)


def expanded(data: bytes) -> bytes:
    """Give the stored form of the same payload that is not compressed; raise `Corrupted` for what nobody wrote."""
    return data if data[:1] == RAW else RAW + _SQUEEZER.unwrap(data)


def references(data: bytes) -> list[str]:
    """Give the digests that a body or a blob refers to, in order, without building a value.

    Raises `Corrupted` for bytes that do not parse.
    """
    found: list[str] = []
    depth = 0

    def collect(code: int, inner: bytes) -> None:
        nonlocal depth
        if code in _REFERRED:
            found.append(inner.hex())
            return
        depth += 1
        if depth > READ_DEPTH_MAX:
            raise Corrupted(f"a value is nested deeper than {READ_DEPTH_MAX} levels")
        _scan(inner, collect)
        depth -= 1

    try:
        _scan(_SQUEEZER.unwrap(data), collect)
    except (ValueError, TypeError) as error:
        raise Corrupted(f"stored bytes are not a value: {error}") from error
    return found


def _scan(payload: bytes, collect: Callable[[int, bytes], None]) -> None:
    # Pairs are dropped at once, so that no key of a dict has to be hashable.
    msgpack.unpackb(payload, ext_hook=collect, object_pairs_hook=len, **_UNPACKING)


def array(entries: list[tuple[int, bytes]]) -> bytes:
    """Give the packed list of packed values; each entry tells how many values its bytes are."""
    header: bytes = msgpack.Packer().pack_array_header(sum(count for count, _ in entries))
    return header + b"".join([packed for _, packed in entries])


def _entries_of(packed: bytes, count: int, code: int) -> tuple[int, bytes]:
    """Give what is inside a packed list or dict of at most `FAN_OUT` entries."""
    header_bytes = 1 if count < 16 else 3
    return count * (1 if code == LIST_NODE else 2), packed[header_bytes:]


def _extension(code: int, payload: bytes) -> bytes:
    packed: bytes = msgpack.packb(msgpack.ExtType(code, payload))
    return packed


def _reference(code: int, digest: bytes) -> bytes:
    return b"\xc7\x20" + bytes((code,)) + digest


def _key(code: int, packed: bytes) -> bytes:
    return hashlib.sha256(packed).digest() + bytes((code,))
