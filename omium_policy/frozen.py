"""`frozen`, as `attrs.frozen` is, for classes of which there are many: it generates no code for each of them.

A policy's tree has eighty kinds of nodes. attrs writes and compiles four methods for each, which took 25 ms of every
process that judges by a policy; methods that all share take 2. `attrs.has`, `attrs.fields` and `attrs.evolve` know
these classes, and type checkers see `attrs.frozen` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attrs import frozen
else:
    from omium_policy.freezing import frozen

__all__ = ["frozen"]
