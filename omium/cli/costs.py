"""What a policy's rules cost at most, as `omium policy check` and `bench` tell it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omium_policy.checking.costs import MomentCost
    from omium_policy.loaded import Loaded

__all__ = ["costs", "costs_as_data", "costs_in_words", "dearest"]

TERM_CHARS_MAX = 60


def costs(loaded: Loaded) -> Iterator[MomentCost]:
    """Give what each moment of each step costs, over all policies of a file."""
    from omium_policy.checking.costs import costs_of

    for program in loaded.own:
        yield from costs_of(program.scope)


def costs_as_data(loaded: Loaded) -> list[dict[str, Any]]:
    """Return the costs as plain data: the sum, and the rule that is the most of it."""
    return [
        {
            "when": one.when,
            "step": one.step,
            "cost": one.cost,
            "most": {"rule": one.rules[0].rule, "cost": one.rules[0].cost, "term": dearest(loaded, one)},
        }
        for one in costs(loaded)
    ]


def costs_in_words(loaded: Loaded) -> Iterator[str]:
    """Give a line for each moment of each step."""
    for one in costs(loaded):
        step = f"`{one.step}`" if one.step is not None else "any step"
        most = one.rules[0]
        share = f", {most.cost} of them `{most.rule}`: {dearest(loaded, one)}" if len(one.rules) > 1 else ""
        yield f"{one.when} {step}: at most {one.cost:,} operations{share}"


def dearest(loaded: Loaded, cost: MomentCost) -> str:
    """Return the statement that costs the most, as it is written."""
    span = cost.rules[0].most.span
    text = " ".join(loaded.source.text[span.start : span.end].split())
    return text if len(text) <= TERM_CHARS_MAX else f"{text[: TERM_CHARS_MAX - 3]}..."
