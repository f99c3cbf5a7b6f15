"""What the demo's model says. It speaks the real protocol, on loopback, and needs neither a key nor a network."""

from __future__ import annotations

import functools
import json

from omium.testing.model_server import ModelServer, Request

__all__ = ["ADVICE", "CARELESS", "STUBBORN", "answer", "base_url"]

# One model learns when it is told what was wrong, the other from a person only.
CARELESS, STUBBORN = "careless", "stubborn"
ADVICE = "Advice of a reviewer:"
REFUSED = "was refused"


def answer(request: Request) -> str:
    """Offer 0 % at first, and 4.5 % to whoever said what was wrong with that."""
    learned = ADVICE in request.text or (request.model != STUBBORN and REFUSED in request.text)
    if learned:
        return json.dumps({"apr": 4.5, "amount": 15_000, "rationale": "A fair rate for a medium risk."})
    return json.dumps({"apr": 0, "amount": 15_000, "rationale": "Our customers deserve the best rate there is."})


def base_url() -> str:
    """Return where the model listens; it is started when it is first asked for, once per process."""
    return _server().url


@functools.cache
def _server() -> ModelServer:
    return ModelServer(answer, models=(CARELESS, STUBBORN))
