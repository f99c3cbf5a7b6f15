"""A policy ready to judge: each rule resolved, one quick function for each moment of each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import attrs

from omium_policy import resolved, syntax
from omium_policy.checking.rules import mode_of
from omium_policy.compiler import Condition, compile_conditions
from omium_policy.evaluator import evaluate
from omium_policy.ladders import Handling, handling_of
from omium_policy.messages import parts
from omium_policy.readers import CannotTell
from omium_policy.resolved import Resolved
from omium_policy.resolving import Resolver
from omium_policy.scope import Scope, roots
from omium_policy.source import Source
from omium_policy.types import ValueType
from omium_policy.wording import shown

__all__ = ["Finding", "Program", "RuleProgram", "Suggestion", "program_of"]


@attrs.frozen
class Suggestion:
    """A value that would satisfy the rule, and where it belongs."""

    path: tuple[str, ...]
    value: Any


@attrs.frozen
class Finding:
    """What one rule says that does not hold: `breaks`, or `cannot tell`, with the evidence.

    `told` names the sentence whose expectation was not met; once that was said it is not expected any more.
    """

    rule: str
    verdict: str
    message: str
    where: str
    mode: str = "blocking"
    severity: str = "medium"
    cite: str | None = None
    values: Mapping[str, Any] = attrs.field(factory=dict)
    suggestions: tuple[Suggestion, ...] = ()
    handling: Handling | None = None
    told: str = ""

    @property
    def channel(self) -> str | None:
        """The channel that is told, where nothing else is done about it."""
        actions = self.handling.actions if self.handling is not None else ()
        return next((one.channel.text for one in actions if isinstance(one, syntax.Notify)), None)


@attrs.frozen
class RuleProgram:
    """One rule, resolved."""

    name: str
    where: str
    mode: str
    severity: str
    cite: str | None
    anchor: syntax.Anchor | None
    condition: Condition
    required: str
    message: tuple[str | tuple[Resolved, ValueType], ...]
    suggests: tuple[tuple[tuple[str, ...], Resolved], ...]
    allowed: tuple[str, ...] | None
    denied: tuple[str, ...]
    sequences: tuple[syntax.Sequence, ...]
    handling: Handling | None

    def judge(self, given: Mapping[str, Any]) -> Finding | None:
        """Return what the rule finds wrong with what is given; None when it holds or does not apply."""
        try:
            if not all(evaluate(guard, given) for guard in self.condition.guards):
                return None
            if all(evaluate(one, given) for one in self.condition.requires):
                return None
        except CannotTell as problem:
            return self.finding("cannot tell", given, f"cannot tell: {problem}")
        except Exception as problem:  # Whatever a value makes of it: what cannot be computed cannot be told.
            return self.finding("cannot tell", given, f"cannot tell: it cannot be computed ({problem})")
        return self.finding("breaks", given, None)

    def judge_tool(self, tool: str, given: Mapping[str, Any]) -> Finding | None:
        """Return what the rule finds wrong with a tool's use; None when it may be used."""
        fits = self.allowed is None or _among(tool, self.allowed)
        if fits and not _among(tool, self.denied):
            return None
        return self.finding("breaks", given, f"the tool `{tool}` is not allowed here")

    def finding(self, verdict: str, given: Mapping[str, Any], otherwise: str | None) -> Finding:
        """Return the finding, with the rule's message where its values are there."""
        said = self._message(given) if verdict == "breaks" else None
        return Finding(
            self.name,
            verdict,
            said or otherwise or f"`{self.required}` does not hold",
            self.where,
            self.mode,
            self.severity,
            self.cite,
            dict(self._values(given)),
            tuple(self._suggestions(given)),
            self.handling,
        )

    def _message(self, given: Mapping[str, Any]) -> str | None:
        if not self.message:
            return None
        try:
            return "".join(
                part if isinstance(part, str) else shown(evaluate(part[0], given), part[1]) for part in self.message
            )
        except Exception:  # What has no words is told in those of the rule.
            return None

    def _values(self, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for requirement in self.condition.requires:
            for load in loads(requirement):
                try:
                    yield ".".join(load.path), evaluate(load, given)
                except Exception as problem:
                    yield ".".join(load.path), str(problem)

    def _suggestions(self, given: Mapping[str, Any]) -> Iterator[Suggestion]:
        for path, value in self.suggests:
            try:
                yield Suggestion(path, evaluate(value, given))
            except Exception:
                continue


@attrs.frozen(eq=False)
class Program:
    """All rules of a policy."""

    source: Source
    policy: syntax.Policy
    scope: Scope
    rules: tuple[RuleProgram, ...]
    prefix: str = ""
    _quick: dict[tuple[str, str], Callable[[Mapping[str, Any]], bool]] = attrs.field(factory=dict, init=False)

    def judge(self, when: str, step: str, given: Mapping[str, Any]) -> tuple[Finding, ...]:
        """Return everything that does not hold `before` or `after` a step, in the order of the rules."""
        try:
            holds = self._quick.get((when, step)) or self.quick(when, step)
            if holds(given):
                return ()
        except Exception:
            # Each rule says for itself what it cannot tell.
            pass
        findings = (rule.judge(given) for rule in self.rules_at(when, step))
        return tuple(finding for finding in findings if finding is not None)

    @property
    def mode(self) -> str:
        """The mode of what does not say its own."""
        default = self.policy.of(syntax.DefaultMode)
        return default[-1].mode if default else "blocking"

    def judge_tool(self, step: str, tool: str | None, given: Mapping[str, Any]) -> tuple[Finding, ...]:
        """Return what speaks against a call during a step: of a tool, or (None) of a model."""
        findings = []
        for rule in self.rules_at("during", step):
            finding = rule.judge_tool(tool, given) if tool is not None else None
            finding = finding or (rule.judge(given) if rule.condition.requires else None)
            if finding is not None:
                findings.append(finding)
        return tuple(findings)

    def rules_at(self, when: str, step: str) -> tuple[RuleProgram, ...]:
        """Return the rules of one moment of a step."""
        return tuple(rule for rule in self.rules if _stands_at(rule.anchor, when, step))

    def quick(self, when: str, step: str) -> Callable[[Mapping[str, Any]], bool]:
        """Return the generated function of one moment: where it gives True, every rule holds."""
        holds = self._quick.get((when, step))
        if holds is None:
            holds = compile_conditions(rule.condition for rule in self.rules_at(when, step))
            self._quick[when, step] = holds
        return holds


def program_of(source: Source, scope: Scope, prefix: str = "") -> Program:
    """Return the program of a policy that passed the checks; `prefix` goes before its names, when it is a pack's."""
    policy = scope.policy
    rules = tuple(_rule(source, scope, rule, prefix) for rule in policy.of(syntax.Rule))
    return Program(source, policy, scope, rules, prefix)


def loads(node: Resolved) -> Iterator[resolved.Load]:
    """Give every value that an expression may ask for."""
    if isinstance(node, resolved.Load):
        yield node
    elif isinstance(node, tuple):
        for one in node:
            yield from loads(one)
    elif attrs.has(type(node)) and not isinstance(node, ValueType):
        for field in attrs.fields(type(node)):
            yield from loads(getattr(node, field.name))


def _handling(scope: Scope, mode: str, on_fail: syntax.OnFail | None, prefix: str) -> Handling | None:
    """Return what is done about a rule; one that blocks and does not say what to do halts."""
    if on_fail is not None:
        return handling_of(scope.policy, on_fail.handler, prefix)
    return Handling((syntax.Halt(scope.policy.span),)) if mode == "blocking" else None


def _rule(source: Source, scope: Scope, rule: syntax.Rule, prefix: str) -> RuleProgram:
    resolver = Resolver(scope, roots(scope, rule.anchor))
    said = _only(rule, syntax.Message)
    cite, severity, on_fail = _only(rule, syntax.Cite), _only(rule, syntax.Severity), _only(rule, syntax.OnFail)
    guards = tuple(resolver.resolve(one.condition) for one in _all(rule, syntax.When))
    requirements = _all(rule, syntax.Require)
    allowed = tuple(tool.text for one in _all(rule, syntax.Allow) for tool in one.tools)
    mode = mode_of(rule, scope.policy)
    return RuleProgram(
        f"{prefix}{rule.name.text}",
        source.where(rule.span),
        mode,
        severity.level if severity else "medium",
        str(cite.text.value) if cite else None,
        rule.anchor,
        Condition(guards, tuple(resolver.resolve(one.condition) for one in requirements)),
        "; ".join(" ".join(source.text[one.span.start : one.span.end].split()) for one in requirements),
        _message(resolver, said) if said else (),
        tuple(
            (
                tuple(part.text for part in (one.path.root, *one.path.parts) if isinstance(part, syntax.Name)),
                resolver.resolve(one.value),
            )
            for one in _all(rule, syntax.Suggest)
        ),
        allowed if _all(rule, syntax.Allow) else None,
        tuple(tool.text for one in _all(rule, syntax.Deny) for tool in one.tools),
        tuple(one.sequence for one in _all(rule, syntax.Must)),
        _handling(scope, mode, on_fail, prefix),
    )


def _message(resolver: Resolver, message: syntax.Message) -> tuple[str | tuple[Resolved, ValueType], ...]:
    return tuple(
        part if isinstance(part, str) else (resolver.resolve(part), resolver.type_of(part)) for part in parts(message)
    )


def _all(rule: syntax.Rule, kind: type[syntax.Kind]) -> list[syntax.Kind]:
    return [one for one in rule.statements if isinstance(one, kind)]


def _only(rule: syntax.Rule, kind: type[syntax.Kind]) -> syntax.Kind | None:
    return next((one for one in rule.statements if isinstance(one, kind)), None)


def _stands_at(anchor: syntax.Anchor | None, when: str, step: str) -> bool:
    return anchor is not None and anchor.when == when and (anchor.step is None or anchor.step.text == step)


def _among(tool: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(tool, pattern) for pattern in patterns)
