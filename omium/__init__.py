"""Recovery for multi-agent systems: validated checkpoints, rollback with compensation, effects done exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omium.exports import *  # noqa: F403  # a type checker sees what `__getattr__` gives

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        """Give what `omium.exports` has; importing it costs more than a command such as `omium --version` should."""
        if name == "__version__":
            from importlib.metadata import version

            return version("omium")
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module `omium` has no attribute `{name}`")
        from omium import exports

        globals().update({one: getattr(exports, one) for one in exports.__all__}, __all__=exports.__all__)
        if name not in globals():
            raise AttributeError(f"module `omium` has no attribute `{name}`")
        return globals()[name]

    def __dir__() -> list[str]:
        from omium import exports

        return sorted({*globals(), *exports.__all__, "__version__"})
