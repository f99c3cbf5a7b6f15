"""Retail loan onboarding: kyc -> credit -> offer -> email. This is all the code there is; `omium demo` runs it.

The model's first offer breaks the licence. Omium refuses it, goes back to the checkpoint `credit`, tells the model what
was wrong and goes on. However often the process is killed meanwhile, the customer gets one e-mail.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.request import ProxyHandler, Request, build_opener

import omium
from omium import agent, checkpoint, effect, require, rollback_on, workflow
from omium.demo import script, world


@dataclass(frozen=True)
class Application:
    applicant: str
    email: str
    income: int
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


def apr_in_band(terms: Terms) -> None:
    require(2.5 <= terms.apr <= 8.5, f"APR {terms.apr:g}% is outside our licensed band of 2.5% to 8.5%.")


@effect(model="chat")
def ask(model: str, prompt: str) -> str:
    """Recorded: a resume is answered from the record, a new attempt reaches the model again."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    headers = {"Content-Type": "application/json", "Authorization": "Bearer none"}
    request = Request(f"{script.base_url()}/chat/completions", json.dumps(body).encode(), headers)
    with build_opener(ProxyHandler({})).open(request, timeout=10) as reply:
        said: str = json.load(reply)["choices"][0]["message"]["content"]
        return said


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
    def score(self, application: Application) -> str:
        return "low" if application.income > 100_000 else "medium" if application.income > 40_000 else "high"


@agent
class OfferAgent:
    @rollback_on(hallucination_detected=True, to="credit")
    @checkpoint("offer", ensures=apr_in_band)
    def offer(self, application: Application, risk: str) -> Terms:
        now = omium.current()
        prompt = [f"Offer a loan to {application.applicant}, {risk} risk, as JSON: apr, amount, rationale."]
        prompt += [now.feedback_text, *(f"{script.ADVICE} {advice}" for advice in now.fixes)]
        said = json.loads(ask(application.model, "\n".join(prompt)))
        return Terms(float(said["apr"]), int(said["amount"]), said["rationale"])


@agent
class EmailAgent:
    @checkpoint("email")
    def send(self, application: Application, recipient: str, terms: Terms) -> Receipt:
        body = f"${terms.amount:,} at {terms.apr:g}% a year. {terms.rationale}"
        return Receipt(application.applicant, terms.apr, send_email(recipient, "Your loan offer", body))


@workflow(name="loan-onboarding")
def onboard(application: Application) -> Receipt:
    recipient = KycAgent().identify(application)
    risk = CreditAgent().score(application)
    terms = OfferAgent().offer(application, risk)
    return EmailAgent().send(application, recipient, terms)
