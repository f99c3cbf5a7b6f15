"""What editors are told, in the protocol's words."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

from lsprotocol import types as lsp

from omium.editing import Hint, Warned
from omium.lsp.positions import Positions
from omium_policy.diagnostics import Diagnostic
from omium_policy.editing import Completion, Document, Edit, Symbol, Target
from omium_policy.loading import Loaded
from omium_policy.source import Source, Span

__all__ = [
    "code_action",
    "completion_item",
    "document_symbol",
    "inlay_hint",
    "location",
    "markdown",
    "of_policy",
    "of_python",
    "range_of",
    "same",
    "text_edits",
]

SOURCE = "omium"
PAGE = Path(__file__).with_name("diagnostics.md")
"""A link to docs/policy/diagnostics.md in a checkout, and that page itself where Omium is installed."""

_SEVERITIES = {
    "error": lsp.DiagnosticSeverity.Error,
    "warning": lsp.DiagnosticSeverity.Warning,
    "coverage": lsp.DiagnosticSeverity.Information,
    "note": lsp.DiagnosticSeverity.Hint,
}
_ITEMS = {
    "keyword": lsp.CompletionItemKind.Keyword,
    "unit": lsp.CompletionItemKind.Unit,
    "currency": lsp.CompletionItemKind.Unit,
    "word": lsp.CompletionItemKind.EnumMember,
    "value": lsp.CompletionItemKind.Variable,
    "let": lsp.CompletionItemKind.Constant,
    "field": lsp.CompletionItemKind.Field,
    "function": lsp.CompletionItemKind.Function,
    "action": lsp.CompletionItemKind.Method,
    "step": lsp.CompletionItemKind.Event,
    "data": lsp.CompletionItemKind.Struct,
    "ladder": lsp.CompletionItemKind.Reference,
    "rule": lsp.CompletionItemKind.Interface,
    "pack": lsp.CompletionItemKind.Module,
}
_SYMBOLS = {
    "policy": lsp.SymbolKind.Package,
    "data": lsp.SymbolKind.Struct,
    "field": lsp.SymbolKind.Field,
    "rule": lsp.SymbolKind.Interface,
    "recovery": lsp.SymbolKind.Event,
    "let": lsp.SymbolKind.Constant,
    "step": lsp.SymbolKind.Function,
    "handoff": lsp.SymbolKind.Operator,
    "test": lsp.SymbolKind.Method,
}


def range_of(positions: Positions, span: Span) -> lsp.Range:
    """Return a stretch as a range."""
    start, end = positions.range(span)
    return lsp.Range(lsp.Position(*start), lsp.Position(*end))


def of_policy(loaded: Loaded, positions: Positions) -> Iterator[lsp.Diagnostic]:
    """Give what is wrong with a policy; what is wrong with a pack is told where the pack is named."""
    for one in loaded.diagnostics:
        own = one.source is loaded.source
        place = one.span if own else _use_of(loaded, one.source)
        where = "" if own else f"{one.source.where(one.span)}: "
        help = f"\nhelp: {one.help}" if one.help is not None else ""
        yield lsp.Diagnostic(
            range_of(positions, place),
            f"{where}{one.message}{help}",
            severity=_SEVERITIES[one.severity],
            code=one.code,
            code_description=_described(one.code),
            source=SOURCE,
            tags=[lsp.DiagnosticTag.Unnecessary] if one.code in ("unused", "dead-rung") else None,
        )


def _use_of(loaded: Loaded, source: Source) -> Span:
    """Return where a file names the pack that a text is of; a pack of a pack is at the first one."""
    uses = loaded.file.uses if loaded.file is not None else ()
    names = {str(use.pack.value): use.pack.span for use in uses}
    for pack in loaded.packs:
        if pack.source.name == source.name and pack.name in names:
            return names[pack.name]
    return uses[0].pack.span if uses else Span(0, 0)


def of_python(found: Iterable[Warned], positions: Positions) -> Iterator[lsp.Diagnostic]:
    """Give a Python file's warnings."""
    for one in found:
        yield lsp.Diagnostic(
            range_of(positions, one.span),
            f"{one.message}\nhelp: {one.help}",
            severity=lsp.DiagnosticSeverity.Warning,
            code=one.code,
            source=SOURCE,
        )


@functools.cache
def _lines() -> dict[str, int]:
    """Return the line of each code's section on the page about diagnostics."""
    try:
        lines = PAGE.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    headings = ((number, re.fullmatch(r"## `(.+)`", line)) for number, line in enumerate(lines, start=1))
    return {heading[1]: number for number, heading in headings if heading is not None}


def _described(code: str) -> lsp.CodeDescription | None:
    line = _lines().get(code)
    return lsp.CodeDescription(f"{PAGE.resolve().as_uri()}#L{line}") if line is not None else None


def completion_item(found: Completion, number: int, positions: Positions) -> lsp.CompletionItem:
    """Return what can be written, in the place that it has among the others."""
    written = positions.text[found.span.start : found.span.end]
    return lsp.CompletionItem(
        found.label,
        kind=_ITEMS.get(found.kind, lsp.CompletionItemKind.Text),
        detail=found.detail or None,
        sort_text=f"{number:04}",
        # `$20` would not be offered for `20`, which it does not begin with.
        filter_text=written if found.kind == "unit" else None,
        text_edit=lsp.TextEdit(range_of(positions, found.span), found.insert or found.label),
    )


def markdown(text: str) -> lsp.MarkupContent:
    """Return a text as Markdown."""
    return lsp.MarkupContent(lsp.MarkupKind.Markdown, text)


def location(target: Target, document: Document, uri: str, encoding: str) -> lsp.Location | None:
    """Return where a target is; None when its text is in no file."""
    if target.source is not document.source:
        path = _path(target.source.name)
        if path is None:
            return None
        uri = path.as_uri()
    return lsp.Location(uri, range_of(Positions.of(target.source.text, encoding), target.span))


def _path(name: str) -> Path | None:
    """Return the file that a source's name stands for: a path, or `package:file` for what a plugin brings."""
    package, colon, file = name.partition(":")
    if colon and package.isidentifier() and len(package) > 1:
        found = Path(str(resources.files(package))) / file
        return found if found.is_file() else None
    return Path(name).absolute()


def document_symbol(symbol: Symbol, positions: Positions) -> lsp.DocumentSymbol:
    """Return a part of an outline, with its parts."""
    return lsp.DocumentSymbol(
        symbol.name or "?",
        _SYMBOLS[symbol.kind],
        range_of(positions, symbol.span),
        range_of(positions, symbol.name_span),
        detail=symbol.kind,
        children=[document_symbol(one, positions) for one in symbol.parts],
    )


def inlay_hint(hint: Hint, positions: Positions) -> lsp.InlayHint:
    """Return what is shown behind a step's decorator."""
    place = lsp.Position(*positions.position(hint.offset))
    return lsp.InlayHint(place, hint.text, tooltip=markdown(hint.more), padding_left=True)


def text_edits(edits: Iterable[Edit], positions: Positions) -> list[lsp.TextEdit]:
    """Return changes of a text."""
    return [lsp.TextEdit(range_of(positions, one.span), one.text) for one in edits]


def code_action(
    title: str, uri: str, edits: Iterable[Edit], positions: Positions, diagnostics: list[lsp.Diagnostic]
) -> lsp.CodeAction:
    """Return a change that is offered, with what it puts right."""
    return lsp.CodeAction(
        title,
        kind=lsp.CodeActionKind.QuickFix if diagnostics else lsp.CodeActionKind.RefactorRewrite,
        diagnostics=diagnostics or None,
        edit=lsp.WorkspaceEdit(changes={uri: text_edits(edits, positions)}),
    )


def same(one: lsp.Diagnostic, found: Diagnostic | None, positions: Positions) -> bool:
    """True when an editor speaks of what was found."""
    return found is not None and one.code == found.code and one.range == range_of(positions, found.span)
