"""How facts are said in a line: short, without control characters, the same everywhere."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timezone
from typing import Any

from omium_core.model import events as e

__all__ = [
    "clean",
    "counted",
    "decision_texts",
    "effect_texts",
    "moment",
    "review_texts",
    "said",
    "steps_text",
    "value_text",
]

VALUE_CHARS_MAX = 200
TEXT_CHARS_MAX = 1_000
_IRREGULAR = {"send": "sent"}
# A lane that is named by its first step and a digest tells people nothing.
_LANE = re.compile(r"\[[^\]]*~[0-9a-f]+\]")


def clean(text: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Return text on one line that cannot steer a terminal."""
    line = " ".join(str(text).split())
    shown = "".join(one if one.isprintable() else "�" for one in line)
    return shown if len(shown) <= chars_max else f"{shown[:chars_max]}..."


def said(effect: str, times: int) -> str:
    """Say how often an effect was done: `send_email sent once`, `charge done once`, `charge not done again`."""
    done = _IRREGULAR.get(effect.split("_")[0], "done")
    if not times:
        return f"{effect} not {done} again"
    return f"{effect} {done} {'once' if times == 1 else f'{times} times'}"


def steps_text(*paths: str) -> str:
    """Return steps as people read them: those that differ only by their lanes once, and in how many they are."""
    counted = Counter(_LANE.sub("", path) for path in paths)
    return ", ".join(f"{path} (in {lanes} lanes)" if lanes > 1 else path for path, lanes in counted.items())


def counted(number: int, noun: str) -> str:
    """Say how many there are: `1 execution`, `2 executions`."""
    return f"{number} {noun}{'s' if number != 1 else ''}"


def value_text(value: Any) -> str:
    """Return a recorded value in one line, classes by their own name."""
    return clean(_shown(value), VALUE_CHARS_MAX)


def moment(at: float) -> str:
    """Return a time as people read it, in UTC."""
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def decision_texts(event: e.RecoveryDecided) -> tuple[str, list[str]]:
    """Return what was decided about a failure, and which rung of which ladder said so."""
    label = event.strategy
    if event.target is not None:
        label += f" to {event.target}" if event.strategy != "notify" else ""
    if event.channel is not None:
        label += f" {event.channel}"
    rung = f"rung {event.rung + 1} of {event.source}" if event.rung >= 0 else f"nothing is left of {event.source}"
    values = {
        name: value
        for name, value in event.values.items()
        if (name, value) not in (("feedback", True), ("to", event.target)) and name not in ("strategy", "reason")
    }
    texts = [f"because of {event.failure}, {rung}"]
    if "strategy" in event.values:
        reason = f": {event.values['reason']}" if event.values.get("reason") else ""
        texts.append(clean(f"as the strategy {event.values['strategy']} decided{reason}"))
    if values:
        texts.append(", ".join(f"{name} = {value_text(value)}" for name, value in values.items()))
    if event.delay_s:
        texts.append(f"after {event.delay_s:.2g} s" if event.delay_s < 1 else f"after {event.delay_s:.1f} s")
    return label, texts


def effect_texts(event: e.EffectIntended) -> list[str]:
    """Say what kind of effect it is, and which incarnation."""
    again = [f"performed again after it was undone ({event.incarnation + 1})"] if event.incarnation else []
    return [event.kind, *again, f"key {event.key}"]


def review_texts(event: e.ReviewRequested, body: dict[str, Any]) -> list[str]:
    """Say what is asked, of whom and until when."""
    texts = [str(body.get("question", event.kind))]
    if event.role is not None:
        texts.append(f"for {event.role}")
    if event.deadline is not None:
        texts.append(f"until {moment(event.deadline)}")
    return texts


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        tag = value.get("@type")
        if tag is not None and set(value) == {"@type", "value"}:
            return _shown(value["value"])
        fields = ", ".join(f"{key}={_shown(one)}" for key, one in value.items() if key != "@type")
        return f"{str(tag).rpartition('.')[2]}({fields})" if tag is not None else f"{{{fields}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_shown(one) for one in value)}]"
    return value if isinstance(value, str) else repr(value)
