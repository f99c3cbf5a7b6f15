"""The hook that offers the packs."""

from __future__ import annotations

from omium_core.hookspecs import hookimpl
from omium_core.specs import PolicyAction, PolicyFunction, PolicyPackSpec, StrategySpec


@hookimpl
def register_policy_packs() -> list[PolicyPackSpec]:
    """Offer what most policies of agent systems need."""
    return [
        PolicyPackSpec(
            "omium.finance",
            "1.2.0",
            "omium_packs:finance.omp",
            functions=(
                PolicyFunction("monthly_payment", "(money, percent) -> money", "omium_packs.finance:monthly_payment"),
                PolicyFunction("annuity", "(money, percent, integer) -> money", "omium_packs.finance:annuity"),
                PolicyFunction("total_cost", "(money, percent, integer) -> money", "omium_packs.finance:total_cost"),
            ),
            actions=(PolicyAction("open_case", "omium.finance.open_case", {"queue": "text"}, terminal=True),),
            failures=("rate_service_down",),
        ),
        PolicyPackSpec(
            "omium.baseline",
            "1.0.0",
            "omium_packs:baseline.omp",
            functions=(
                PolicyFunction("secrets", "(anything) -> integer", "omium_packs.looking:secrets", cost=20),
                PolicyFunction("personal_data", "(anything) -> integer", "omium_packs.looking:personal_data", cost=20),
            ),
        ),
        PolicyPackSpec("omium.high_stakes", "1.0.0", "omium_packs:high_stakes.omp"),
        PolicyPackSpec(
            "omium.eu_ai_act",
            "1.0.0",
            "omium_packs:eu_ai_act.omp",
            sections={"system": {"provider": "text", "purpose": "text", "oversight": "text", "disclosure": "text"}},
        ),
    ]


@hookimpl
def register_strategies() -> list[StrategySpec]:
    """Offer what the packs' actions do."""
    return [StrategySpec("omium.finance.open_case", "omium_packs.cases:open_case")]
