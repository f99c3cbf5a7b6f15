"""How values are declared that are made many times in every step."""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["immutable"]

# Nobody sets a field of a value: the type checker refuses it, as in every class of `attrs.frozen`. That is not checked
# once more when the program runs, because a frozen class sets each of its fields through a call, which makes its
# objects three times as dear. Values that are equal have the same hash, as those of a frozen class.
if TYPE_CHECKING:
    from attrs import frozen as immutable
else:
    from attrs import define

    def immutable(cls=None, /, *, eq=True, **options):
        return define(cls, eq=eq, unsafe_hash=True if eq else None, **options)
