"""Retail loan onboarding: kyc -> credit -> offer -> email. With `onboarding.omp` this is all there is to it.

The model's first offer breaks the licence. The policy refuses it, has the model told what was wrong, and lets two of
three voters agree before the customer hears anything. However often the process is killed, there is one e-mail.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from urllib.request import ProxyHandler, Request, build_opener

import omium
from omium import agent, checkpoint, effect, require, voter, workflow
from omium.demo import script, world


@dataclass(frozen=True)
class Application:
    applicant: str
    email: str
    income: int
    risk: str = ""
    model: str = script.CARELESS


@dataclass(frozen=True)
class Terms:
    apr: float
    amount: int
    rationale: str


@dataclass(frozen=True)
class Receipt:
    applicant: str
    apr: float
    message: int


@effect(model="chat")
def ask(model: str, prompt: str) -> str:
    """Recorded: a resume is answered from the record, a new attempt reaches the model again."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    headers = {"Content-Type": "application/json", "Authorization": "Bearer none"}
    request = Request(f"{script.base_url()}/chat/completions", json.dumps(body).encode(), headers)
    with build_opener(ProxyHandler({})).open(request, timeout=10) as reply:
        said = json.load(reply)
    omium.spend(tokens=said["usage"]["total_tokens"], cost="0.002")
    return str(said["choices"][0]["message"]["content"])


@effect(name="rates.lookup", read=True)
def cost_of_funds(risk: str) -> float:
    return {"low": 2.1, "medium": 2.9, "high": 4.4}[risk]


@effect(name="calculator", read=True)
def yearly_interest(amount: int, apr: float) -> float:
    return amount * apr / 100


@effect(irreversible=True, volatile=("body",), check=world.was_sent)
def send_email(to: str, subject: str, body: str) -> int:
    """Never sent twice: after a crash `check` asks the world, and other words in the body are the same e-mail."""
    return world.send(omium.current().key or "", to, subject, body)


@agent
class KycAgent:
    @checkpoint("kyc")
    def identify(self, application: Application) -> str:
        require("@" in application.email, "There is no way to reach the applicant.")
        return f"{application.applicant} <{application.email}>"


@agent
class CreditAgent:
    @checkpoint("credit")
    def score(self, application: Application) -> Application:
        risk = "low" if application.income > 100_000 else "medium" if application.income > 40_000 else "high"
        return replace(application, risk=risk)


@agent
class OfferAgent:
    @checkpoint("offer")
    def offer(self, application: Application) -> Terms:
        return self._asked(application.model, application)

    @checkpoint("offer_small_model")
    def offer_cheaply(self, application: Application) -> Terms:
        return self._asked(script.CARELESS, application)

    def _asked(self, model: str, application: Application) -> Terms:
        now, least = omium.current(), cost_of_funds(application.risk)
        prompt = [f"Offer {application.applicant} a loan above {least}%, {application.risk} risk, as JSON."]
        prompt += [now.feedback_text, *(f"{script.ADVICE} {advice}" for advice in now.fixes)]
        said = json.loads(ask(model, "\n".join(prompt)))
        return Terms(float(said["apr"]), int(said["amount"]), said["rationale"])


@agent
class EmailAgent:
    @checkpoint("email")
    def send(self, applicant: str, recipient: str, terms: Terms) -> Receipt:
        interest = yearly_interest(terms.amount, terms.apr)
        body = f"${terms.amount:,} at {terms.apr:g}% a year, ${interest:,.0f} in the first. {terms.rationale}"
        return Receipt(applicant, terms.apr, send_email(recipient, "Your loan offer", body))


@voter
def rate_check(terms: Terms) -> bool | str:
    return terms.apr > 2 or f"{terms.apr:g}% is below what the money costs us"


@voter
def fraud_check(terms: Terms) -> bool | str:
    return terms.amount < 100_000 or "a person looks at loans of this size"


@voter
def tone_check(terms: Terms) -> bool | str:
    return "thank" in terms.rationale.lower() or "it does not thank the applicant"


@workflow(name="loan-onboarding", policy="onboarding.omp", channels={"#credit-ops": "log"})
def onboard(application: Application) -> Receipt:
    recipient = KycAgent().identify(application)
    scored = CreditAgent().score(application)
    terms = OfferAgent().offer(scored)
    return EmailAgent().send(application.applicant, recipient, terms)
