"""Budgets: how much money, how many tokens, how long, and other meters; of the run, or of one step."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import attrs

from omium_core.model.failure import MONITORING, Violation
from omium_core.recovery.policy import Spent
from omium_policy import syntax, types
from omium_policy.program import Program
from omium_policy.types import ValueType
from omium_policy.wording import shown

__all__ = ["Purse", "purses_of"]

DIGITS_ROUNDED_MAX = 20
_KINDS = {"cost": types.money("USD"), "elapsed": types.DURATION}


@attrs.frozen
class Purse:
    """One meter of one budget: the most that may be used, of the run or of the step of that name."""

    rule: str
    step: str | None
    meter: str
    most: Decimal
    kind: ValueType
    warn_at: Decimal | None
    handler: syntax.Handler | None
    where: str
    mode: str

    @property
    def warning(self) -> str:
        """The rule by which it is told that the budget is nearly used up."""
        return f"{self.rule} nearly: {self.meter}"

    def judge(self, step: str, spent: Spent, grants: int) -> Iterator[Violation]:
        """Give what there is to say of what was spent: that it is too much, or nearly."""
        if self.step is not None and self.step != step:
            return
        used = (spent.run if self.step is None else spent.step).get(self.meter, 0)
        amount = Decimal(str(used))
        most = self.most * (1 + grants)
        if amount > most:
            yield self._violation(self.rule, amount, most, self.mode, "is used up")
        elif self.warn_at is not None and amount > most * self.warn_at:
            nearly = self._violation(self.warning, amount, most, MONITORING, "is nearly used up")
            yield attrs.evolve(nearly, told=self.warning)

    def _violation(self, rule: str, amount: Decimal, most: Decimal, mode: str, how: str) -> Violation:
        of = f"step `{self.step}`" if self.step is not None else "the run"
        said = f"the {self.meter} of {of} {how}: {self._said(amount)} of {self._said(most)}"
        values: dict[str, Any] = {self.meter: amount, "at most": most}
        return Violation(rule, said, self.where, values, kind="budget_exceeded", mode=mode)

    def _said(self, amount: Decimal) -> str:
        # Beyond what can be rounded there is nothing behind the point.
        return shown(round(amount, 6) if amount.adjusted() < DIGITS_ROUNDED_MAX else amount, self.kind)


def purses_of(program: Program) -> Iterator[Purse]:
    """Give the meters of a policy's budgets."""
    for budget in program.policy.of(syntax.Budget):
        step = budget.step.text if budget.step is not None else None
        rule = f"{program.prefix}budget {f'step {step}' if step else 'run'}"
        warn = next((one for one in budget.statements if isinstance(one, syntax.WarnAt)), None)
        handler = next((one.handler for one in budget.statements if isinstance(one, syntax.OnExceed)), None)
        for one in budget.statements:
            if isinstance(one, syntax.Meter):
                meter = program.scope.full(one.meter.text)
                yield Purse(
                    rule,
                    step,
                    meter,
                    Decimal(one.most.value),
                    _KINDS.get(meter) or program.scope.registry.meters.get(meter, types.NUMBER),
                    Decimal(warn.share.value) / 100 if warn is not None else None,
                    handler,
                    program.source.where(one.span).rpartition("/")[2],
                    program.mode,
                )
