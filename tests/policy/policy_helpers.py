"""The names that the model policy's pack adds, and short ways to load a policy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from omium_policy import types
from omium_policy.functions import Function, signature
from omium_policy.loading import Loaded, load
from omium_policy.packs import PackFile
from omium_policy.registry import ActionSpec, Registry
from omium_policy.source import Source


def monthly_payment(amount: Decimal, apr: float) -> Decimal:
    """Return an annuity's monthly payment over five years."""
    rate = Decimal(repr(apr)) / 1200
    return amount / 60 if not rate else amount * rate / (1 - (1 + rate) ** -60)


FINANCE = Registry(
    functions={
        "omium.finance.monthly_payment": Function(
            "omium.finance.monthly_payment", *signature("(money, percent) -> money"), call=monthly_payment
        )
    },
    actions={"omium.finance.open_case": ActionSpec("omium.finance.open_case", {"queue": types.TEXT}, terminal=True)},
    failures=frozenset({"omium.finance.rate_service_down"}),
)


@attrs.frozen
class Shelf:
    """Packs by name, each a text, and schemas by path."""

    texts: dict[str, tuple[str, str]] = attrs.field(factory=dict)
    schemas: dict[str, str] = attrs.field(factory=dict)

    def __call__(self, name: str) -> PackFile | None:
        if name not in self.texts:
            return None
        version, text = self.texts[name]
        return PackFile(name, version, Source(f"{name}.omp", text))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.texts)

    def beside(self, source: Source, path: str) -> PackFile | None:
        return self(path)

    def text_beside(self, source: Source, path: str) -> str | None:
        return self.schemas.get(path)


SHELF = Shelf({"omium.finance": ("1.2.0", 'omium 1 policy omium.finance version "1.2.0" { title "Finance" }')})


def loaded(text: str, registry: Registry = FINANCE, shelf: Shelf = SHELF) -> Loaded:
    """Load a text."""
    return load(Source("test.omp", text), registry, shelf)


def policy(body: str, **extra: Any) -> Loaded:
    """Load a policy with this body."""
    return loaded(f'omium 1\nuse "omium.finance" as fin\npolicy p {{\n{body}\n}}\n', **extra)


def codes(found: Loaded, *severities: str) -> list[str]:
    """Return the codes of what was found, in order."""
    return [one.code for one in found.diagnostics if not severities or one.severity in severities]
