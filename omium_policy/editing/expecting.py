"""What is expected at a cursor, by what the parser holds of the statement before it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from lark import Token, Tree

from omium_policy import syntax
from omium_policy.building.expressions import expression
from omium_policy.building.rules import anchor
from omium_policy.editing.cursor import Cursor, Part, kind_of
from omium_policy.editing.document import Document
from omium_policy.editing.places import names_of_test
from omium_policy.scope import Scope, roots
from omium_policy.types import ANYTHING, ValueType

__all__ = ["Expected", "expected_at"]

_AFTER: Mapping[str, tuple[str, ...]] = {
    "USE": ("pack",),
    "WORKFLOW": ("step",),
    "ARROW": ("step",),
    "HANDOFF": ("step",),
    "STEP": ("step",),
    "BEFORE": ("step",),
    "AFTER": ("step",),
    "DURING": ("step",),
    "TO": ("step",),
    "WITH": ("step",),
    "ANSWER": ("step",),
    "TAKES": ("data",),
    "RECOVER": ("ladder",),
    "TEST": ("rule",),
    "TOOL": ("tool",),
    "TOOLS": ("tool",),
    "ERROR": ("failure",),
    "EXTEND": ("section",),
    "KEYWORD_MONEY": ("currency",),
    "FOR": ("role",),
    "NOTIFY": ("channel",),
    "FAIL": ("action",),
    "EXCEED": ("action",),
    "DISAGREE": ("action",),
    "TIMEOUT": ("action",),
    "FIRST": ("action",),
    "FINALLY": ("action",),
    "ELSE": ("action",),
    "ACTIONS": ("action",),
    "THEN": ("action",),
}
"""What kinds of names follow a keyword, where a name can follow it."""

_LISTS: Mapping[str, tuple[str, ...]] = {"TOOLS": ("tool",), "ERROR": ("failure",), "QUORUM": ("voter",)}
_OPENING = ("LBRACE", "LPAR", "LSQB")
_IN_EXPRESSIONS = ("let", "function")
_QUOTED = ("pack", "tool", "role", "channel")


@attrs.frozen
class Expected:
    """Kinds of names, and what is known of a value: its type, the fields of what it is a part of, names of values.

    `owner` is the data type that the fields are of, `below` the alias before a dot, when that is a pack's.
    """

    policy: syntax.Policy | None = None
    kinds: tuple[str, ...] = ()
    type: ValueType = ANYTHING
    members: Mapping[str, ValueType] = attrs.field(factory=dict)
    values: Mapping[str, ValueType] = attrs.field(factory=dict)
    below: str | None = None
    owner: str | None = None


def expected_at(document: Document, cursor: Cursor) -> Expected:
    """Return what is expected at a cursor."""
    policy = _policy(document, cursor)
    if policy is None:
        return Expected(None, _AFTER.get(cursor.top(), ()))
    around = _Around(document, document.scope(policy), cursor)
    if cursor.top() == "DOT":
        return around.below_a_dot()
    if cursor.quoted:
        return Expected(policy, tuple(kind for kind in _kinds(cursor) if kind in _QUOTED))
    if "NAME" not in cursor.accepts and not cursor.word[:1].isdigit():
        return Expected(policy)
    if "EXISTS" in cursor.accepts or "INT" in cursor.accepts or _begins_path(cursor):
        return around.in_expression()
    return Expected(policy, _kinds(cursor))


def _begins_path(cursor: Cursor) -> bool:
    return cursor.top() in ("EXISTS", "SUGGEST", "CASE", "GIVEN")


def _kinds(cursor: Cursor) -> tuple[str, ...]:
    """Return the kinds of names that a keyword, or a list that goes on, expects."""
    top = cursor.top()
    if top == "COMMA":
        return next((kinds for part in reversed(cursor.before) if (kinds := _LISTS.get(kind_of(part)))), ())
    if top in ("COLON", "GIVES") or (top == "OF" and cursor.top(3) != "QUORUM"):
        return ("data",)
    if top == "OF":
        return ("voter",)
    if top == "FROM":
        return ("role",) if cursor.top(2) == "PEOPLE" else ()
    if top.startswith(("__budget", "LBRACE")) and cursor.open_item("BUDGET") is not None:
        return ("meter",)
    return _AFTER.get(top, ())


def _policy(document: Document, cursor: Cursor) -> syntax.Policy | None:
    """Return the policy in which the cursor stands, as far as it can be read."""
    at = cursor.open_item("POLICY")
    if at is None:
        return None
    name = cursor.stack[at + 1] if at + 1 < len(cursor.stack) else None
    written = ".".join(str(one) for one in name.children) if isinstance(name, Tree) else str(name)
    return next((one for one in document.policies if one.name.text == written), None)


@attrs.frozen
class _Around:
    """The expression that a cursor is in."""

    document: Document
    scope: Scope
    cursor: Cursor

    def in_expression(self) -> Expected:
        if _begins_path(self.cursor):
            return Expected(self.scope.policy, values=self.names())
        kinds = (*(("rule",) if self.cursor.top() == "EXPECT" else ()), *_IN_EXPRESSIONS)
        type_ = self._type()
        if self.cursor.top() == "LSQB" and type_.kind == "record":
            # A record is looked up by the names of its fields.
            return Expected(self.scope.policy, kinds, members=type_.fields or {}, values=self.names())
        return Expected(self.scope.policy, kinds, type_, values=self.names())

    def below_a_dot(self) -> Expected:
        """Return the fields of the path before a dot, or what a pack has."""
        before = self.cursor.before[:-1]
        whole = _path_at_end(before)
        if whole is None:
            return Expected(self.scope.policy)
        alias = str(whole.children[0])
        if len(whole.children) == 1 and alias in self.document.packs:
            return Expected(self.scope.policy, self._kinds_of_pack(before), below=alias)
        kind = self._typed(whole, self.names())
        return Expected(self.scope.policy, members=kind.fields or {}, owner=kind.name)

    def _kinds_of_pack(self, before: tuple[Part, ...]) -> tuple[str, ...]:
        """Only where a condition can stand does a pack's name begin a function; elsewhere another thing of its."""
        if self.cursor.inside is not None or len(before) < 2:
            return ("function",)
        above = kind_of(before[-2])
        if above == "COMMA" and self.cursor.open_item("ERROR") is not None:
            return ("failure",)
        if above.startswith("__budget") or (above == "LBRACE" and self.cursor.open_item("BUDGET") is not None):
            return ("meter",)
        return _AFTER.get(above, ("function",))

    def names(self) -> dict[str, ValueType]:
        """Return the names of the rule or test around the cursor, and those that `all` and `any` give to elements."""
        names = self._roots()
        before = self.cursor.before
        for index, part in enumerate(before[:-4]):
            if kind_of(part) in ("ALL", "ANY") and kind_of(before[index + 4]) == "SATISFY":
                kind = self._typed(before[index + 3], names)
                names[str(before[index + 1])] = kind.of or ANYTHING
        return names

    def _roots(self) -> dict[str, ValueType]:
        at = self.cursor.open_item("RULE", "TEST")
        if at is None:
            return {}
        head = self.cursor.stack[at + 1 :]
        if kind_of(self.cursor.stack[at]) == "RULE":
            found = next((one for one in head if kind_of(one) in ("after", "before", "during")), None)
            return roots(self.scope, anchor(found) if isinstance(found, Tree) else None)
        named = head and kind_of(head[0]) in ("NAME", "QUOTED")
        return names_of_test(self.scope, str(head[0]).strip("`") if named else None)

    def _type(self) -> ValueType:
        """Return the type that a value at the cursor should have, by what it is compared with or put into."""
        before = self.cursor.before
        match [kind_of(part) for part in before[-4:]]:
            case [*_, _, "CMP" | "BETWEEN" | "EQUAL"]:
                return self._typed(before[-2], self.names())
            case [_, "BETWEEN", _, "AND"]:
                return self._typed(before[-4], self.names())
            case [*_, "LSQB" | "COMMA"]:
                return self._in_brackets()
        return ANYTHING

    def _in_brackets(self) -> ValueType:
        before = self.cursor.before
        at = next((index for index in range(len(before) - 1, -1, -1) if kind_of(before[index]) in _OPENING), None)
        if at is None or kind_of(before[at]) != "LSQB":
            return ANYTHING
        if at >= 2 and kind_of(before[at - 1]) == "IN":
            return self._typed(before[at - 2], self.names())
        whole = _path_at_end(before[:at])
        return self._typed(whole, self.names()) if whole is not None else ANYTHING

    def _typed(self, part: Part, names: dict[str, ValueType]) -> ValueType:
        if isinstance(part, Token) and part.type in ("NAME", "QUOTED"):
            return ANYTHING
        try:
            return self.document.type_of(self.scope, names, expression(part))
        except (KeyError, AssertionError):  # What is there is no expression.
            return ANYTHING


def _path_at_end(before: tuple[Part, ...]) -> Tree[Token] | None:
    """Return the path that the parser has not put together yet: its root with the members and indices behind it."""
    children: list[Tree[Token] | Token]
    if before and kind_of(before[-1]) == "NAME":
        children = [before[-1]]
    elif len(before) > 1 and kind_of(before[-1]).startswith("__path_star") and kind_of(before[-2]) == "NAME":
        children = [before[-2], *before[-1].children]
    else:
        return None
    whole: Tree[Token] = Tree("path", children)
    whole.meta.start_pos = whole.meta.end_pos = 0
    return whole
