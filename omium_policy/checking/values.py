"""Types of expressions: units, fields, functions, words of an enumeration."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from typing_extensions import assert_never

from omium_policy import patterns, syntax, types
from omium_policy.checking.report import Placed, Report
from omium_policy.functions import BUILT_IN
from omium_policy.scope import Scope
from omium_policy.types import ANYTHING, BOOLEAN, ValueType

__all__ = ["Values"]

# The unit that a plain number beside a quantity was probably meant to have.
_WITH_UNIT = {"percent": "{}%", "ratio": "{}%", "duration": "{}s", "money": "${}"}


@attrs.define
class Values:
    """Types of expressions among some names. `used` collects the names of `let` that were needed."""

    scope: Scope
    report: Report
    names: Mapping[str, ValueType]
    used: set[str] = attrs.field(factory=set)
    words: frozenset[str] = frozenset()

    def condition(self, node: syntax.Expression) -> None:
        """Check that an expression is true or false."""
        kind = self.type_of(node)
        if kind.kind not in ("boolean", "anything"):
            self.report.error("not-a-condition", f"this is {kind}, not a condition", node, "compare it with something")

    def fits(self, node: syntax.Expression, expected: ValueType, what: str) -> None:
        """Check that an expression can be of a type."""
        given = self.type_of(node, expected)
        if not types.comparable(expected, given):
            self._mismatch(node, expected, given, f"{what} is {expected}, and this is {given}")

    def type_of(self, node: syntax.Expression, expected: ValueType = ANYTHING) -> ValueType:
        """Return an expression's type, and report what is wrong inside it; what is wrong is of any type."""
        match node:
            case syntax.Literal():
                return types.of_literal(node)
            case syntax.Path():
                return self._path(node, expected)
            case syntax.Call():
                return self._call(node)
            case syntax.Compare(operators, operands):
                return self._compare(node, operands, ordered=not {*operators} <= {"==", "!="})
            case syntax.Between(value, low, high):
                return self._compare(node, (value, low, high), ordered=True)
            case syntax.Member():
                return self._member(node)
            case syntax.Matches():
                return self._matches(node)
            case syntax.Quantified():
                return self._quantified(node)
            case syntax.Exists(path):
                self._path(path, ANYTHING)
                return BOOLEAN
            case syntax.Not(condition):
                self.condition(condition)
                return BOOLEAN
            case syntax.And(conditions) | syntax.Or(conditions):
                for condition in conditions:
                    self.condition(condition)
                return BOOLEAN
            case syntax.Arithmetic():
                return self._arithmetic(node)
            case syntax.Negative(value):
                return self.type_of(value)
            case syntax.ListOf(items):
                return types.list_of(self._common(items), len(items))
            case syntax.Record(pairs):
                return self._record(pairs, expected)
        assert_never(node)

    def _path(self, node: syntax.Path, expected: ValueType) -> ValueType:
        root = node.root.text
        if root in self.names:
            return self._inside(self.names[root], root, node.parts)
        if root in self.scope.lets:
            self.used.add(root)
            return self._inside(self.let_type(root), root, node.parts)
        if not node.parts and (root in expected.words or root in self.words or expected.kind == "text"):
            return ValueType("enum", words=(root,))
        if expected.kind == "enum" and not node.parts:
            self.report.unknown("unknown-word", "word", node, root, expected.words)
            return ANYTHING
        self.report.unknown("unknown-name", "name", node.root, root, [*self.names, *self.scope.lets])
        return ANYTHING

    def let_type(self, name: str) -> ValueType:
        """Return the type of a `let`."""
        known = self.scope.let_types
        if name not in known:
            # One that uses itself is reported where it stands, and so is what else is wrong with it.
            known[name] = ANYTHING
            known[name] = Values(self.scope, Report(self.report.source), {}).type_of(self.scope.lets[name].value)
        return known[name]

    def _inside(self, kind: ValueType, said: str, parts: tuple[syntax.Name | syntax.Expression, ...]) -> ValueType:
        for part in parts:
            if isinstance(part, syntax.Name):
                kind, said = self._member_of(kind, said, part), f"{said}.{part.text}"
            else:
                kind, said = self._indexed(kind, said, part), f"{said}[]"
        return kind

    def _member_of(self, kind: ValueType, said: str, part: syntax.Name) -> ValueType:
        if part.text.startswith("_"):
            self.report.error("private-name", "names do not begin with an underscore", part)
            return ANYTHING
        if kind.kind == "anything":
            return ANYTHING
        if kind.fields is None:
            self.report.error("no-fields", f"`{said}` is {kind} and has no fields", part)
            return ANYTHING
        if part.text not in kind.fields:
            self.report.unknown("unknown-field", f"field of `{said}` named", part, part.text, kind.fields)
            return ANYTHING
        return kind.fields[part.text]

    def _indexed(self, kind: ValueType, said: str, index: syntax.Expression) -> ValueType:
        if kind.kind == "list":
            self.fits(index, types.INTEGER, "an index")
            return kind.of or ANYTHING
        if kind.kind == "record" and kind.fields is not None:
            key = self.type_of(index, ValueType("enum", words=tuple(kind.fields)))
            self._covered(kind, said, key, index)
            return next(iter(kind.fields.values()), ANYTHING)
        self.type_of(index)
        if kind.kind != "anything":
            self.report.error("no-index", f"`{said}` is {kind} and cannot be looked up in", index)
        return ANYTHING

    def _covered(self, kind: ValueType, said: str, key: ValueType, index: Placed) -> None:
        if key.kind == "enum" and kind.fields is not None:
            missing = [word for word in key.words if word not in kind.fields]
            if missing:
                listed = ", ".join(f"`{word}`" for word in missing)
                self.report.error("missing-case", f"`{said}` says nothing for {listed}", index, "add it there")
        elif key.kind not in ("text", "anything"):
            self.report.error("type-mismatch", f"`{said}` is looked up by a word, and this is {key}", index)

    def _call(self, node: syntax.Call) -> ValueType:
        written = node.function.text
        function = BUILT_IN.get(written) or self.scope.registry.functions.get(self.scope.full(written))
        given = tuple(self.type_of(one) for one in node.arguments)
        if function is None:
            known = [*BUILT_IN, *self._short(self.scope.registry.functions)]
            self.report.unknown("unknown-function", "function", node.function, written, known)
            return ANYTHING
        if len(given) != len(function.takes):
            said = f"`{written}` takes {len(function.takes)} values, and here are {len(given)}"
            self.report.error("wrong-arguments", said, node)
            return function.gives if function.gives.kind != "same" else ANYTHING
        gives, misfit = function.outcome(given)
        if misfit is not None:
            index, expected = misfit
            said = f"`{written}` takes {expected} here, and this is {given[index]}"
            self._mismatch(node.arguments[index], expected, given[index], said)
        return gives

    def _short(self, full: Mapping[str, object]) -> list[str]:
        alias = {pack: alias for alias, pack in self.scope.packs.items()}
        return [f"{alias[pack]}.{name}" for pack, _, name in (one.rpartition(".") for one in full) if pack in alias]

    def _compare(self, node: syntax.Expression, operands: tuple[syntax.Expression, ...], *, ordered: bool) -> ValueType:
        kinds = self._together(operands)
        base = next((one for one in kinds if one.kind not in ("anything", "integer", "number")), kinds[0])
        for operand, kind in zip(operands, kinds, strict=True):
            if not types.comparable(base, kind):
                said = f"this compares {base} with {kind}"
                self._mismatch(operand, base, kind, said)
                return BOOLEAN
        if ordered and not types.ordered(base):
            self.report.error("no-order", f"{base} is neither more nor less than another", node, "use `==` or `in`")
        return BOOLEAN

    def _together(self, operands: tuple[syntax.Expression, ...]) -> list[ValueType]:
        """Return the operands' types; a bare word takes its meaning from the operands beside it."""
        bare = [isinstance(one, syntax.Path) and not self._is_bound(one) for one in operands]
        known = [ANYTHING if word else self.type_of(one) for one, word in zip(operands, bare, strict=True)]
        expected = next((one for one in known if one.kind in ("enum", "text")), ANYTHING)
        for one in operands:
            self._is_word(one, next((kind for kind in known if kind.kind == "enum"), ANYTHING))
        return [
            self.type_of(one, expected) if word else kind for one, word, kind in zip(operands, bare, known, strict=True)
        ]

    def _is_word(self, node: syntax.Expression, kind: ValueType) -> None:
        """Check that a text is one of the words that it is compared with, or nothing would ever equal it."""
        match node:
            case syntax.Literal(kind="text", value=text) if kind.kind == "enum" and text not in kind.words:
                self.report.unknown("unknown-word", "word", node, str(text), kind.words)

    def _is_bound(self, path: syntax.Path) -> bool:
        return bool(path.parts) or path.root.text in self.names or path.root.text in self.scope.lets

    def _member(self, node: syntax.Member) -> ValueType:
        item = self.type_of(node.item)
        if isinstance(node.container, syntax.ListOf):
            for one in node.container.items:
                self.fits(one, item, "what it is compared with")
                self._is_word(one, item)
            return BOOLEAN
        container = self.type_of(node.container)
        if container.kind not in ("list", "record", "text", "anything"):
            self.report.error("not-a-list", f"this is {container}, and holds nothing", node.container)
        elif container.kind == "list" and not types.comparable(container.of or ANYTHING, item):
            self._mismatch(node.item, container.of or ANYTHING, item, f"the list holds {container.of}, this is {item}")
        return BOOLEAN

    def _record(self, pairs: tuple[syntax.Pair, ...], expected: ValueType) -> ValueType:
        """Return a record's type; where its fields are known, each value is compared with its field."""
        if expected.fields is None:
            return types.record({pair.name.text: self.type_of(pair.value) for pair in pairs})
        for pair in pairs:
            field = expected.fields.get(pair.name.text)
            if field is None:
                self.report.unknown("unknown-field", "field", pair.name, pair.name.text, expected.fields)
            else:
                self.fits(pair.value, field, f"`{pair.name.text}`")
        return expected

    def _matches(self, node: syntax.Matches) -> ValueType:
        kind = self.type_of(node.value)
        if kind.kind not in ("text", "enum", "anything"):
            self.report.error("type-mismatch", f"only a text is matched, and this is {kind}", node.value)
        problem = patterns.problem(str(node.pattern.value))
        if problem is not None:
            self.report.error("unsafe-pattern", f"the pattern {problem}", node.pattern, "patterns are RE2's")
        return BOOLEAN

    def _quantified(self, node: syntax.Quantified) -> ValueType:
        container = self.type_of(node.container)
        if container.kind not in ("list", "anything"):
            self.report.error("not-a-list", f"this is {container}, not a list", node.container)
        if node.variable.text in self.names or node.variable.text in self.scope.lets:
            self.report.error("name-taken", f"`{node.variable.text}` is something else already", node.variable)
        inside = attrs.evolve(self, names={**self.names, node.variable.text: container.of or ANYTHING})
        inside.condition(node.condition)
        self.used |= inside.used
        return BOOLEAN

    def _arithmetic(self, node: syntax.Arithmetic) -> ValueType:
        left, right = self.type_of(node.left), self.type_of(node.right)
        rule = {"+": types.added, "-": types.added, "*": types.multiplied, "/": types.divided}[node.operator]
        kind = rule(left, right)
        if kind is not None:
            return kind
        verb = {"+": "added to", "-": "subtracted from", "*": "multiplied by", "/": "divided by"}[node.operator]
        one, other = (right, left) if node.operator == "-" else (left, right)
        self.report.error("bad-arithmetic", f"{one} cannot be {verb} {other}", node)
        return ANYTHING

    def _common(self, items: tuple[syntax.Expression, ...]) -> ValueType:
        kinds = self._together(items) if items else []
        for item, kind in zip(items, kinds, strict=True):
            if not types.comparable(kinds[0], kind):
                self.report.error("type-mismatch", f"the list holds {kinds[0]}, and this is {kind}", item)
        return kinds[0] if kinds else ANYTHING

    def _mismatch(self, node: syntax.Expression, expected: ValueType, given: ValueType, said: str) -> None:
        help = None
        if isinstance(node, syntax.Literal) and given.kind in ("integer", "number") and expected.kind in _WITH_UNIT:
            help = f"write {_WITH_UNIT[expected.kind].format(node.value)}?"
        self.report.error("type-mismatch", said, node, help)
