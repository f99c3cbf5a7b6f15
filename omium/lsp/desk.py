"""The files that an editor has open: their texts as they are on the screen, and what has been worked out of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import attrs

from omium.editing import PythonFile, Surroundings, read_python, surroundings_of
from omium.policies import Packs, read_file, registry
from omium.runtime import plugins
from omium_policy.editing import Document
from omium_policy.loading import Loaded, load
from omium_policy.source import Source

__all__ = ["Desk", "is_policy", "is_python", "path_of"]


@attrs.define
class Desk:
    """What is open, by its URI. `texts` gives the text of every open file as it is now."""

    texts: Callable[[], Mapping[str, str]]
    _documents: dict[str, Document] = attrs.field(factory=dict)
    _loaded: dict[str, Loaded] = attrs.field(factory=dict)
    _python: dict[str, PythonFile] = attrs.field(factory=dict)

    def policy(self, uri: str) -> Document:
        """Return a policy's text with the names around it."""
        text = self.texts()[uri]
        found = self._documents.get(uri)
        if found is None or found.source.text != text:
            known = plugins()
            source = Source(str(path_of(uri)), text)
            found = Document(source, registry(known), Packs(known, self.read))
            self._documents[uri] = found
            self._loaded.pop(uri, None)
        return found

    def loaded(self, uri: str) -> Loaded:
        """Return a policy with everything that is wrong with it."""
        document = self.policy(uri)
        found = self._loaded.get(uri)
        if found is None:
            found = load(document.source, document.registry, document.finder)
            self._loaded[uri] = found
        return found

    def python(self, uri: str) -> PythonFile:
        """Return what a Python file declares."""
        text = self.texts()[uri]
        found = self._python.get(uri)
        if found is None or found.text != text:
            found = self._python[uri] = read_python(text)
        return found

    def around(self, uri: str) -> Surroundings:
        """Return what is in force around a Python file."""
        return surroundings_of(path_of(uri), self.python(uri), self.read)

    def read(self, path: Path) -> str | None:
        """Return a file's text as it is on the screen, else as it is on the disk."""
        for uri, text in self.texts().items():
            if path_of(uri) == path:
                return text
        return read_file(path)

    def forget(self) -> None:
        """Forget what has been worked out: a file that others use has changed."""
        for kept in (self._documents, self._loaded, self._python):
            kept.clear()


def path_of(uri: str) -> Path:
    """Return the path of a file's URI; what is not saved yet is as if it were in the working folder."""
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return Path.cwd() / (Path(unquote(parts.path)).name or "untitled")
    host = f"//{parts.netloc}" if parts.netloc and parts.netloc != "localhost" else ""
    return Path(url2pathname(f"{host}{parts.path}"))


def is_policy(uri: str, language: str | None = None) -> bool:
    """True for a policy's file."""
    return language == "omp" or urlsplit(uri).path.endswith(".omp")


def is_python(uri: str, language: str | None = None) -> bool:
    """True for a Python file."""
    return language == "python" or urlsplit(uri).path.endswith(".py")
