"""What a Python file calls Omium's names: `checkpoint`, `omium.checkpoint`, `from omium import checkpoint as step`."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import attrs

import omium

__all__ = ["Names"]

_PACKAGE = "omium"


@attrs.frozen
class Names:
    """Omium's own name by the name that a file gives it, and the names that stand for Omium itself.

    `imported` is the file's first `from omium import ...`, which more names can be added to.
    """

    given: Mapping[str, str]
    modules: tuple[str, ...]
    imported: ast.ImportFrom | None = attrs.field(default=None, eq=False)

    @classmethod
    def of(cls, tree: ast.Module) -> Names:
        """Return the names that a file imports, wherever in it."""
        given: dict[str, str] = {}
        modules: list[str] = []
        imported = None
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules += [one.asname or one.name for one in node.names if one.name == _PACKAGE]
            elif isinstance(node, ast.ImportFrom) and not node.level and _is_of_omium(node.module):
                for one in node.names:
                    given |= _all_names() if one.name == "*" else {one.asname or one.name: one.name}
                if imported is None and node.module == _PACKAGE and node.names[0].name != "*":
                    imported = node
        return cls(given, tuple(modules), imported)

    def __bool__(self) -> bool:
        """True when the file uses Omium at all."""
        return bool(self.given or self.modules)

    def of_omium(self, node: ast.expr) -> str | None:
        """Return the name in Omium that an expression is; None when it is another's."""
        if isinstance(node, ast.Name):
            return self.given.get(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in self.modules:
            return node.attr
        return None


def _is_of_omium(module: str | None) -> bool:
    return module is not None and (module == _PACKAGE or module.startswith(f"{_PACKAGE}."))


def _all_names() -> dict[str, str]:
    return {name: name for name in omium.__all__}
