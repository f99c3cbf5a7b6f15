"""What in a text is somebody's, or a secret: found by its form, and by its check digits where it has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import attrs

__all__ = ["PERSONAL", "SECRETS", "Sighting", "sightings"]

_IBANS = (
    "AT20 BE16 BG22 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GR27 HR21 HU28 IE22 IS26 IT27 LI21 "
    "LT20 LU20 LV21 MC27 MT31 NL18 NO15 PL28 PT25 RO24 SE24 SI19 SK24 SM27 AE23 BR29 IL23 SA24 TR26 UA29"
)
IBAN_LENGTHS = MappingProxyType({word[:2]: int(word[2:]) for word in _IBANS.split()})


@attrs.frozen
class Sighting:
    """What was found: its kind, and from where to where it stands in the text."""

    kind: str
    start: int
    end: int


@attrs.frozen
class _Form:
    kind: str
    pattern: re.Pattern[str]
    holds: Callable[[str], bool] = lambda text: True


def _luhn(text: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _iban(text: str) -> bool:
    """ISO 13616: the length of the country, and 1 modulo 97."""
    plain = text.replace(" ", "")
    if len(plain) != IBAN_LENGTHS.get(plain[:2], len(plain)):
        return False
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


# Every repetition is bounded, so a text takes time linear in its length.
PERSONAL: Mapping[str, _Form] = MappingProxyType(
    {
        one.kind: one
        for one in (
            _Form("email", re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")),
            _Form("iban", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), _iban),
            _Form("card", re.compile(r"(?<![\d-])\d(?:[ -]?\d){12,18}(?![\d-])"), _luhn),
            _Form("phone", re.compile(r"(?<![\w+])\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,6}(?!\d)")),
            _Form("national id", re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\d-])")),
        )
    }
)
"""Forms of what identifies a person."""

SECRETS: Mapping[str, _Form] = MappingProxyType(
    {
        one.kind: one
        for one in (
            _Form("private key", re.compile(r"-----BEGIN (?:[A-Z]{2,10} ){0,3}PRIVATE KEY-----")),
            _Form("token", re.compile(r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{10,2000}")),
            _Form(
                "api key",
                re.compile(
                    r"\b(?:sk-[\w-]{20,200}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{40,255}"
                    r"|xox[abprs]-[\w-]{10,200}|AIza[\w-]{35}|glpat-[\w-]{20,64}|(?:sk|rk)_live_[A-Za-z0-9]{20,200})"
                ),
            ),
        )
    }
)
"""Forms of what opens doors."""


def sightings(text: str, forms: Mapping[str, _Form]) -> Iterator[Sighting]:
    """Give what is found of these forms, in the order of the forms; the text itself is not repeated."""
    for form in forms.values():
        for match in form.pattern.finditer(text):
            if form.holds(match[0]):
                yield Sighting(form.kind, match.start(), match.end())
