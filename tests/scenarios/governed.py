"""A bank whose letters are governed by `governed.omp`."""

from __future__ import annotations

import omium
from omium import checkpoint, effect, voter, workflow


@effect(model="rates")
def propose(applicant: str) -> float:
    return 4.5


@effect(irreversible=True, check=lambda key: omium.NOT_DONE)
def send_letter(to: str) -> str:
    return f"letter to {to}"


@checkpoint("offer")
def offer(applicant: str) -> float:
    return propose(applicant)


@checkpoint("letter")
def letter(applicant: str) -> str:
    return send_letter(applicant)


@voter
def rate_check(rate: float) -> bool | str:
    return rate >= 3 or "it does not pay for the money"


@voter
def tone_check(rate: float) -> str:
    return "nobody can judge the tone of a number"


@workflow(name="write", policy="governed.omp")
def write(applicant: str) -> str:
    offer(applicant)
    return letter(applicant)


@workflow(name="write_hastily", policy="governed.omp")
def write_hastily(applicant: str) -> str:
    sent = letter(applicant)
    offer(applicant)
    return sent
