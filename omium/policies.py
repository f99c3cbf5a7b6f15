"""Policies as Python sees them: load one, judge with it, or learn everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from omium_core.errors import PolicyError, UsageError

if TYPE_CHECKING:
    from omium_policy.loading import Loaded
    from omium_policy.packs import PackFile
    from omium_policy.registry import Registry
    from omium_policy.source import Source

__all__ = ["load_policy", "read_policy"]


def load_policy(path: str | Path) -> Loaded:
    """Return the policy in a file, checked with its packs; raise `PolicyError` with every diagnostic."""
    from omium_policy.diagnostics import rendered

    found = read_policy(path)
    if found.errors:
        said = tuple(rendered(one) for one in found.errors)
        raise PolicyError(str(path), len(found.errors), found.errors[0].message, said)
    return found


def read_policy(path: str | Path) -> Loaded:
    """Return the policy in a file with all that is wrong with it; raise `UsageError` when it cannot be read."""
    from omium_policy.loading import load
    from omium_policy.source import Source

    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no file `{path}`") from None
    except UnicodeDecodeError as problem:
        raise UsageError(f"`{path}` is not UTF-8: {problem.reason} at byte {problem.start}") from None
    except OSError as problem:
        raise UsageError(f"`{path}` cannot be read: {problem.strerror}") from None
    return load(Source(str(path), text), registry(), Packs())


def registry() -> Registry:
    """Return the names that plugins add to the language."""
    from omium_policy.registry import Registry

    return Registry()


@attrs.frozen
class Packs:
    """The packs of plugins, and those in files beside a policy."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the packs that are installed."""
        return ()

    def __call__(self, name: str) -> PackFile | None:
        """Return an installed pack."""
        return None

    def beside(self, source: Source, path: str) -> PackFile | None:
        """Return the pack in a file whose path is relative to the policy that uses it."""
        from omium_policy.packs import PackFile
        from omium_policy.source import Source

        file = Path(source.name).parent / path
        try:
            return PackFile(path, "0.0.0", Source(str(file), file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError):
            return None
