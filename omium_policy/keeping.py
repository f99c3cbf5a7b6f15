"""Loaded policies are kept, so that the next process neither parses nor checks them, and does not import the parser.

What is kept is plain JSON: the tree, where its nodes stand, what was found, and which packs and schemas it was loaded
with. The policy's hash is over exactly the text that the tree is read from, and is computed each time: another tree,
whoever put it there, has another hash. Reading makes values and nodes of the tree, and nothing else; what is odd is
loaded anew.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from omium_policy.diagnostics import Diagnostic
from omium_policy.loaded import Contents, Loaded, Used, contents_of
from omium_policy.packs import Finder, Pack, PackFile, find
from omium_policy.source import Source, Span

if TYPE_CHECKING:
    from omium_policy import syntax
    from omium_policy.registry import Registry
    from omium_policy.schemas import SchemaFile

__all__ = ["Keeper", "load"]

FORM = "omium policy 2"
"""The form of what is kept; it changes when that does."""


class Keeper(Protocol):
    """Whoever keeps bytes by key, for this user alone."""

    def get(self, key: str) -> bytes | None:
        """Return what was put, or None; it MUST NOT be what another user could have put."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Keep data, all or nothing. That it cannot be kept is no error."""
        ...


def load(source: Source, names: str, registry: Callable[[], Registry], finder: Finder, keeper: Keeper | None) -> Loaded:
    """Return what `loading.load` returns, from what is kept where that is still right.

    `names` stands for all that the registry holds: it MUST differ where registries do.
    """
    key = _digest("\n".join((FORM, _implementation(), names, source.text)))
    data = keeper.get(key) if keeper is not None else None
    if data is not None:
        try:
            return _read(data, source, registry, finder)
        except Exception:  # whatever is wrong with it, the text says what the policy is
            pass
    from omium_policy import loading

    loaded = loading.load(source, registry(), finder)
    if keeper is not None and not loaded.errors:
        keeper.put(key, _written(loaded))
    return loaded


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@functools.cache
def _implementation() -> str:
    """Return what differs when the language's code does: names, sizes and times of its files."""
    seen: list[tuple[str, int, int]] = []
    folders = [os.path.dirname(__file__)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and entry.name != "__pycache__":
                    folders.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    found = entry.stat(follow_symlinks=False)
                    seen.append((entry.name, found.st_size, found.st_mtime_ns))
    return _digest(repr(sorted(seen)))


def _written(loaded: Loaded) -> bytes:
    from omium_policy.identity import meaning, places

    assert loaded.file is not None
    used, schemas = loaded.contents.used, loaded.contents.schemas
    sources = [loaded.source, *(one.pack.source for one in used)]
    body = json.dumps(
        {
            "meaning": meaning(loaded.file, (one.pack.hash for one in used), (one.meaning for one in schemas)),
            "places": places(loaded.file),
            "schemas": [[one.path, _digest(one.text)] for one in schemas],
            "packs": [_pack(one, _user(index, used)) for index, one in enumerate(used)],
            "found": [
                [
                    one.code,
                    one.message,
                    _index(one.source, sources),
                    one.span.start,
                    one.span.end,
                    one.help,
                    one.severity,
                ]
                for one in loaded.diagnostics
            ],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return f"{_digest(body)}\n{body}".encode("utf-8", "surrogatepass")


def _index(source: Source, sources: list[Source]) -> int:
    return next(index for index, one in enumerate(sources) if one is source)


def _user(index: int, used: tuple[Used, ...]) -> int:
    """Return the place of the pack that uses this one, from 1; 0 is the file itself."""
    depth = used[index].depth
    return next((above + 1 for above in range(index - 1, -1, -1) if used[above].depth == depth - 1), 0)


def _pack(one: Used, user: int) -> dict[str, Any]:
    from omium_policy.identity import meaning, places

    pack = one.pack
    return {
        "depth": one.depth,
        "user": user,
        "alias": pack.alias,
        "name": pack.name,
        "version": pack.version,
        "text": _digest(pack.source.text),
        "meaning": meaning(pack.file, (), (one.meaning for one in pack.schemas)),
        "places": places(pack.file),
        "schemas": [[one.path, _digest(one.text)] for one in pack.schemas],
    }


def _read(data: bytes, source: Source, registry: Callable[[], Registry], finder: Finder) -> Loaded:
    """Return what is kept; raise for what is damaged, or was loaded with other packs or schemas than there are now."""
    digest, _, body = data.decode("utf-8", "surrogatepass").partition("\n")
    if digest != _digest(body):
        raise ValueError("it is damaged")
    kept = json.loads(body)
    packs = kept["packs"]
    sources = [source]
    for one in packs:
        sources.append(_same(one, sources[one["user"]], finder).source)
    texts = [_texts(one, there, finder) for one, there in zip((kept, *packs), sources, strict=True)]
    hashes = [_digest(one["meaning"]) for one in packs]
    tree, named, *said = json.loads(kept["meaning"])
    if named != sorted(hashes):
        raise ValueError("it is of other packs")
    found = tuple(
        Diagnostic(str(code), str(said), sources[index], Span(int(start), int(end)), help, str(severity))
        for code, said, index, start, end, help, severity in kept["found"]
    )

    def contents() -> Contents:
        try:
            file = _file(tree, kept["places"])
            used = tuple(
                Used(one["depth"], _used_pack(one, digest, there, of))
                for one, digest, there, of in zip(packs, hashes, sources[1:], texts[1:], strict=True)
            )
            return contents_of(source, file, used, registry(), _schemas(texts[0], said))
        except Exception:  # see above
            from omium_policy import loading

            return loading.load(source, registry(), finder).contents

    return Loaded(source, found, _digest(kept["meaning"]), contents)


def _same(kept: dict[str, Any], user: Source, finder: Finder) -> PackFile:
    found = find(finder, user, kept["name"])
    if found is None or found.version != kept["version"] or _digest(found.source.text) != kept["text"]:
        raise ValueError("a pack is another one")
    return found


def _texts(kept: dict[str, Any], source: Source, finder: Finder) -> dict[str, str]:
    """Return the texts of the schemas beside a source, by their paths; raise where one is another now."""
    found: dict[str, str] = {}
    for path, digest in kept["schemas"]:
        text = finder.text_beside(source, path)
        if text is None or _digest(text) != digest:
            raise ValueError("a schema is another one")
        found[path] = text
    return found


def _schemas(texts: dict[str, str], said: list[Any]) -> tuple[SchemaFile, ...]:
    """Return what schemas mean, which is read from their texts; raise where the hash is over something else."""
    if not texts and not said:
        return ()
    from omium_policy.schemas import read

    found = tuple(read(path, text) for path, text in texts.items())
    if said != [sorted(one.meaning for one in found)]:
        raise ValueError("it is of other schemas")
    return found


def _used_pack(kept: dict[str, Any], digest: str, source: Source, texts: dict[str, str]) -> Pack:
    tree, _, *said = json.loads(kept["meaning"])
    file, schemas = _file(tree, kept["places"]), _schemas(texts, said)
    return Pack(kept["alias"], kept["name"], kept["version"], digest, source, file, schemas)


def _file(tree: Any, places: list[int]) -> syntax.File:
    from omium_policy import syntax
    from omium_policy.identity import from_data

    left: Iterator[int] = iter(places)
    file = from_data(tree, left)
    if not isinstance(file, syntax.File) or next(left, None) is not None:
        raise ValueError("it is no file's tree")
    return file
