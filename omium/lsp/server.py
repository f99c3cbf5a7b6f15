"""The server itself: each question of an editor is looked up, and what goes wrong in an answer stays there."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any, TypeVar

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer

from omium.editing import hints, python_fixes, warnings_of
from omium.lsp import answers
from omium.lsp.desk import Desk, is_policy, is_python
from omium.lsp.positions import Positions
from omium_core.errors import OmiumError
from omium_policy.editing import Edit, completions, definitions, fixes, hover, symbols
from omium_policy.formatter import formatted
from omium_policy.source import Span

__all__ = ["OmiumServer", "serve"]

_TRIGGERS = [".", '"', "{", "$"]
_LOG = logging.getLogger(__name__)
_Params = TypeVar("_Params")
_Answer = TypeVar("_Answer")


def serve(port: int | None = None) -> None:
    """Serve one editor over this process's input and output, or over a port of this machine, until it says goodbye."""
    server = OmiumServer().server
    if port is not None:
        server.start_tcp("127.0.0.1", port)
        return
    # What a plugin prints must not come between the messages.
    stdout, sys.stdout = sys.stdout, sys.stderr
    try:
        server.start_io(sys.stdin.buffer, stdout.buffer)
    finally:
        sys.stdout = stdout


class OmiumServer:
    """Answers for `.omp` files and for Python files that use Omium."""

    def __init__(self) -> None:
        self.server = LanguageServer(
            "omium", metadata.version("omium"), text_document_sync_kind=lsp.TextDocumentSyncKind.Full
        )
        self.desk = Desk(self._texts)
        self.warns = True
        self._register()

    def _register(self) -> None:
        completing = lsp.CompletionOptions(trigger_characters=_TRIGGERS)
        acting = lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix, lsp.CodeActionKind.RefactorRewrite])
        for method, handler, options in (
            (lsp.INITIALIZE, self.initialize, None),
            (lsp.TEXT_DOCUMENT_DID_OPEN, self.opened, None),
            (lsp.TEXT_DOCUMENT_DID_CHANGE, self.changed, None),
            (lsp.TEXT_DOCUMENT_DID_SAVE, self.saved, None),
            (lsp.TEXT_DOCUMENT_DID_CLOSE, self.closed, None),
            (lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, self.saved, None),
            (lsp.TEXT_DOCUMENT_COMPLETION, self.completion, completing),
            (lsp.TEXT_DOCUMENT_HOVER, self.hover, None),
            (lsp.TEXT_DOCUMENT_DEFINITION, self.definition, None),
            (lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL, self.document_symbol, None),
            (lsp.TEXT_DOCUMENT_FORMATTING, self.formatting, None),
            (lsp.TEXT_DOCUMENT_CODE_ACTION, self.code_action, acting),
            (lsp.TEXT_DOCUMENT_INLAY_HINT, self.inlay_hint, None),
        ):
            self.server.feature(method, options)(_answering(handler))

    def initialize(self, params: lsp.InitializeParams) -> None:
        """Take the editor's settings: `warnings` says whether steps without a post-condition are told."""
        options: Any = params.initialization_options
        self.warns = not (isinstance(options, dict) and options.get("warnings") is False)

    def opened(self, params: lsp.DidOpenTextDocumentParams) -> None:
        """Say what is wrong with a file that was opened."""
        self._publish(params.text_document.uri)

    def changed(self, params: lsp.DidChangeTextDocumentParams) -> None:
        """Say what is wrong with a file now."""
        self._publish(params.text_document.uri)

    def saved(self, params: lsp.DidSaveTextDocumentParams | lsp.DidChangeWatchedFilesParams) -> None:
        """Look at everything again: what others use may have changed."""
        self.desk.forget()
        for uri in self._texts():
            self._publish(uri)
        workspace = self.server.client_capabilities.workspace
        if workspace is not None and workspace.inlay_hint is not None and workspace.inlay_hint.refresh_support:
            self.server.workspace_inlay_hint_refresh(None)

    def closed(self, params: lsp.DidCloseTextDocumentParams) -> None:
        """Take back what was said of a file."""
        uri = params.text_document.uri
        self.server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))

    def completion(self, params: lsp.CompletionParams) -> lsp.CompletionList | None:
        """Give what can be written at a place."""
        uri = params.text_document.uri
        if not self._is_policy(uri):
            return None
        positions = self._positions(uri)
        found = completions(self.desk.policy(uri), self._offset(positions, params.position))
        items = [answers.completion_item(one, number, positions) for number, one in enumerate(found)]
        # What is offered for a number depends on its digits, so it is asked for again with each of them.
        return lsp.CompletionList(any(one.kind == "unit" for one in found), items)

    def hover(self, params: lsp.HoverParams) -> lsp.Hover | None:
        """Say what a name is."""
        uri = params.text_document.uri
        if not self._is_policy(uri):
            return None
        positions = self._positions(uri)
        found = hover(self.desk.policy(uri), self._offset(positions, params.position))
        if found is None:
            return None
        return lsp.Hover(answers.markdown(found.text), answers.range_of(positions, found.span))

    def definition(self, params: lsp.DefinitionParams) -> list[lsp.Location] | None:
        """Give where a name is declared."""
        uri = params.text_document.uri
        if not self._is_policy(uri):
            return None
        document = self.desk.policy(uri)
        found = definitions(document, self._offset(self._positions(uri), params.position))
        places = [answers.location(one, document, uri, self._encoding) for one in found]
        return [one for one in places if one is not None] or None

    def document_symbol(self, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol] | None:
        """Give a policy's outline."""
        uri = params.text_document.uri
        if not self._is_policy(uri):
            return None
        positions = self._positions(uri)
        return [answers.document_symbol(one, positions) for one in symbols(self.desk.policy(uri))]

    def formatting(self, params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit] | None:
        """Lay a policy out in the canonical form; one with mistakes is left alone."""
        uri = params.text_document.uri
        if not self._is_policy(uri):
            return None
        source = self.desk.policy(uri).source
        text, _ = formatted(source)
        if text is None:
            return None
        edits = [Edit(Span(0, len(source.text)), text)] if text != source.text else []
        return answers.text_edits(edits, self._positions(uri))

    def code_action(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction] | None:
        """Offer changes: a ladder for a rule or a step, the word that was meant."""
        uri = params.text_document.uri
        positions = self._positions(uri)
        span = Span(self._offset(positions, params.range.start), self._offset(positions, params.range.end))
        if self._is_policy(uri):
            given = params.context.diagnostics
            return [
                answers.code_action(
                    one.title,
                    uri,
                    one.edits,
                    positions,
                    [each for each in given if answers.same(each, one.diagnostic, positions)],
                )
                for one in fixes(self.desk.policy(uri), span, self.desk.loaded(uri).diagnostics)
            ]
        if self._is_python(uri):
            found = python_fixes(self.desk.python(uri), span)
            return [answers.code_action(one.title, uri, one.edits, positions, []) for one in found]
        return None

    def inlay_hint(self, params: lsp.InlayHintParams) -> list[lsp.InlayHint] | None:
        """Show what applies to each step of a Python file."""
        uri = params.text_document.uri
        if not self._is_python(uri):
            return None
        positions = self._positions(uri)
        first, last = (self._offset(positions, one) for one in (params.range.start, params.range.end))
        found = hints(self.desk.python(uri), self.desk.around(uri))
        return [answers.inlay_hint(one, positions) for one in found if first <= one.offset <= last]

    def _publish(self, uri: str) -> None:
        """Say what is wrong with a file. A Python file with lines that do not parse keeps what was said of it."""
        found: list[lsp.Diagnostic] = []
        if self._is_policy(uri):
            try:
                found = list(answers.of_policy(self.desk.loaded(uri), self._positions(uri)))
            except OmiumError as problem:  # A plugin's pack cannot be used, so no policy can be judged.
                start = lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
                found = [
                    lsp.Diagnostic(start, str(problem), lsp.DiagnosticSeverity.Error, problem.code, source="omium")
                ]
        elif self._is_python(uri) and self.warns:
            file = self.desk.python(uri)
            if not file.whole:
                return
            found = list(answers.of_python(warnings_of(file, self.desk.around(uri)), self._positions(uri)))
        version = self.server.workspace.get_text_document(uri).version
        self.server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, found, version))

    def _texts(self) -> dict[str, str]:
        return {uri: document.source for uri, document in self.server.workspace.text_documents.items()}

    @property
    def _encoding(self) -> str:
        encoding = self.server.workspace.position_encoding
        return str(getattr(encoding, "value", encoding))

    def _positions(self, uri: str) -> Positions:
        return Positions.of(self.server.workspace.get_text_document(uri).source, self._encoding)

    def _offset(self, positions: Positions, position: lsp.Position) -> int:
        return positions.offset(position.line, position.character)

    def _is_policy(self, uri: str) -> bool:
        document = self.server.workspace.text_documents.get(uri)
        return document is not None and is_policy(uri, document.language_id)

    def _is_python(self, uri: str) -> bool:
        document = self.server.workspace.text_documents.get(uri)
        return document is not None and is_python(uri, document.language_id)


def _answering(handler: Callable[[_Params], _Answer]) -> Callable[[_Params], _Answer | None]:
    """Return a handler that answers with nothing where it fails: a mistake of ours must not end the server."""

    @functools.wraps(handler)
    def answer(params: _Params) -> _Answer | None:
        try:
            return handler(params)
        except Exception:  # Whatever it is, the next question may well be answered.
            _LOG.exception("`%s` was not answered", handler.__name__)
            return None

    return answer
