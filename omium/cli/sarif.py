"""Diagnostics as SARIF (OASIS, Static Analysis Results Interchange Format 2.1.0)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from omium_policy.diagnostics import Diagnostic

__all__ = ["sarif_of"]

_LEVELS = {"error": "error", "warning": "warning", "coverage": "note", "note": "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif_of(found: Iterable[Diagnostic]) -> str:
    """Return the diagnostics as one SARIF log."""
    results = list(found)
    rules = [{"id": code} for code in sorted({one.code for one in results})]
    driver = {"name": "omium", "version": metadata.version("omium"), "rules": rules}
    run = {"tool": {"driver": driver}, "results": [_result(one) for one in results]}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(one: Diagnostic) -> dict[str, Any]:
    data = one.as_data()
    text = f"{one.message}. {one.help}" if one.help else one.message
    region = {
        "startLine": data["line"],
        "startColumn": data["column"],
        "endLine": data["end_line"],
        "endColumn": data["end_column"],
    }
    location = {"physicalLocation": {"artifactLocation": {"uri": one.source.name}, "region": region}}
    return {
        "ruleId": one.code,
        "level": _LEVELS[one.severity],
        "message": {"text": text},
        "locations": [location],
    }
