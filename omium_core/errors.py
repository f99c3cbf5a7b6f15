"""Every exception that Omium raises on purpose.

Each has a stable `code`, its fields are the facts, and its text is one sentence. All derive from `OmiumError`:

    OmiumError
    ├── UsageError              the program or the command line asks for something that cannot be
    ├── ConditionFailed         `require(...)` did not hold
    ├── Hallucination           raised by user code: a model made something up
    ├── NotDone                 raised by user code: the effect certainly did not happen
    ├── CircuitOpen             an effect failed too often, and is left alone for a while
    ├── StepError               a recorded failure whose own type cannot be restored
    ├── StoreError              the store cannot be opened, read or written
    │   ├── NotAStore
    │   ├── SchemaTooNew
    │   ├── Corrupted
    │   └── ValuePruned         somebody pruned it
    ├── Unstorable              a value that a fresh process could not restore
    ├── UnknownType             a recorded value whose class is not declared here
    ├── ExecutionFenced         another runner took the execution over, or began it first
    ├── ExecutionBusy           a living runner has the execution
    ├── UnknownExecution        no execution has this id
    ├── UnknownCheckpoint       no checkpoint on the path to the head has this name
    ├── Diverged                the code asked for something else than the record has
    ├── RollbackRefused         nothing was changed
    ├── ReviewRefused           the answer does not fit what is asked, or came too late
    ├── ExecutionPaused         at the boundary: a person must decide
    ├── ExecutionHalted         at the boundary: stopped for good
    ├── ExecutionRolledBack     at the boundary: a `with` body that cannot be entered again
    └── PluginError
        └── MissingExtra
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, ClassVar

import attrs

__all__ = [
    "CircuitOpen",
    "ConditionFailed",
    "Corrupted",
    "Diverged",
    "ExecutionBusy",
    "ExecutionFenced",
    "ExecutionHalted",
    "ExecutionPaused",
    "ExecutionRolledBack",
    "Hallucination",
    "MissingExtra",
    "NotAStore",
    "NotDone",
    "OmiumError",
    "PluginError",
    "PolicyError",
    "ReviewRefused",
    "RollbackRefused",
    "SchemaTooNew",
    "StepError",
    "StoreError",
    "UnknownCheckpoint",
    "UnknownExecution",
    "UnknownType",
    "Unstorable",
    "UsageError",
    "ValuePruned",
]


class OmiumError(Exception):
    """What every error of Omium is; `code` is stable and can be looked up in the documentation."""

    code: ClassVar[str] = "omium"


@attrs.define
class UsageError(OmiumError):
    """The program or the command line asks for something that cannot be."""

    code: ClassVar[str] = "usage"
    message: str

    def __str__(self) -> str:
        return self.message


@attrs.define
class PolicyError(OmiumError):
    """A policy has errors and does not activate; `diagnostics` are all of them, as they are shown."""

    code: ClassVar[str] = "policy"
    file: str
    errors: int
    first: str
    diagnostics: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = f" and {self.errors - 1} more" if self.errors > 1 else ""
        return f"the policy `{self.file}` cannot be used: {self.first}{more}; run `omium policy check {self.file}`"


@attrs.define
class ConditionFailed(OmiumError):
    """A condition given to `require` did not hold; `at` is the path of what broke it, `suggest` what would hold."""

    code: ClassVar[str] = "condition-failed"
    message: str
    at: str = ""
    suggest: Any = None

    def __str__(self) -> str:
        return self.message


@attrs.define
class Hallucination(OmiumError):
    """A model made something up; raised by user code that noticed."""

    code: ClassVar[str] = "hallucination"
    message: str

    def __str__(self) -> str:
        return self.message


@attrs.define
class NotDone(OmiumError):
    """Raised inside an effect that certainly did not happen, so that it may be done again."""

    code: ClassVar[str] = "not-done"
    message: str = "the effect did not happen"

    def __str__(self) -> str:
        return self.message


@attrs.define
class CircuitOpen(OmiumError):
    """An effect failed so often that nobody asks for it until a time; nothing was performed."""

    code: ClassVar[str] = "circuit-open"
    failure_kind: ClassVar[str] = "circuit_open"
    effect: str
    failures: int
    until: float

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.until, timezone.utc).strftime("%H:%M:%S UTC")
        return f"`{self.effect}` failed {self.failures} times and is left alone until {at}; then one call tries it"


@attrs.define
class StepError(OmiumError):
    """A recorded failure of a step whose own exception type cannot be restored."""

    code: ClassVar[str] = "step-error"
    step: str
    type_name: str
    message: str

    def __str__(self) -> str:
        return f"step `{self.step}` failed with `{self.type_name}`: {self.message}"


@attrs.define
class StoreError(OmiumError):
    """The store cannot be opened, read or written; what had been committed is still there."""

    code: ClassVar[str] = "store"
    message: str

    def __str__(self) -> str:
        return self.message


@attrs.define
class NotAStore(StoreError):
    """What is at the place of the store is something else; it was left as it was."""

    code: ClassVar[str] = "not-a-store"
    message: str


@attrs.define
class SchemaTooNew(StoreError):
    """The store was written by a newer Omium."""

    code: ClassVar[str] = "schema-too-new"
    message: str
    found: int = 0
    known: int = 0


@attrs.define
class Corrupted(StoreError):
    """Stored bytes are not what was written; nothing read from them is used."""

    code: ClassVar[str] = "corrupted"
    message: str
    execution: str = ""
    seq: int = 0


@attrs.define
class ValuePruned(StoreError):
    """A value that is not there any more, because somebody pruned the store; the chain still names it."""

    code: ClassVar[str] = "value-pruned"
    execution: str
    until: int
    by: str
    message: str = "the values were pruned"

    def __str__(self) -> str:
        return (
            f"the values of `{self.execution}` up to event {self.until} were pruned by {self.by}; "
            f"what happened is still in `omium show {self.execution}`"
        )


@attrs.define
class Unstorable(OmiumError):
    """A value that a fresh process could not restore, and where it is (`$.items[3].socket`)."""

    code: ClassVar[str] = "unstorable"
    path: str
    reason: str

    def __str__(self) -> str:
        return f"`{self.path}` cannot be stored: {self.reason}"


@attrs.define
class UnknownType(OmiumError):
    """A recorded value whose class this program does not declare."""

    code: ClassVar[str] = "unknown-type"
    tag: str

    def __str__(self) -> str:
        return (
            f"a recorded value is a `{self.tag}`, which this program does not declare; "
            f"declare the step that gives it, or call `omium.register` with the class"
        )


@attrs.define
class ExecutionFenced(OmiumError):
    """Another runner took the execution over or began it first; this one stopped without touching anything."""

    code: ClassVar[str] = "execution-fenced"
    execution: str

    def __str__(self) -> str:
        return (
            f"execution `{self.execution}` is another runner's, which took it over or began it first; "
            f"see `omium show {self.execution}`"
        )


@attrs.define
class ExecutionBusy(OmiumError):
    """A living runner has the execution."""

    code: ClassVar[str] = "execution-busy"
    execution: str
    runner: str

    def __str__(self) -> str:
        return f"execution `{self.execution}` is being run by `{self.runner}`; wait for it, or stop that process"


@attrs.define
class UnknownExecution(OmiumError):
    """No execution in the store has this id or prefix, or several have it."""

    code: ClassVar[str] = "unknown-execution"
    given: str
    candidates: tuple[str, ...] = ()
    ambiguous: bool = False

    def __str__(self) -> str:
        listed = ", ".join(f"`{one}`" for one in self.candidates)
        if self.ambiguous:
            return f"several executions begin with `{self.given}`: {listed}; give more of the id"
        if self.candidates:
            return f"there is no execution `{self.given}`; did you mean {listed}?"
        return f"there is no execution `{self.given}`; `omium list` shows those that are there"


@attrs.define
class UnknownCheckpoint(OmiumError):
    """No checkpoint on the path to the head has this name, or several start with it."""

    code: ClassVar[str] = "unknown-checkpoint"
    execution: str
    given: str
    candidates: tuple[str, ...] = ()

    def __str__(self) -> str:
        known = ", ".join(f"`{one}`" for one in self.candidates) or "none"
        return f"there is no checkpoint `{self.given}` on the path of `{self.execution}`; it has {known}"


@attrs.define
class Diverged(OmiumError):
    """The code asked for something else than the record has; nothing was done."""

    code: ClassVar[str] = "diverged"
    step: str
    expected: str
    found: str

    def __str__(self) -> str:
        return (
            f"at `{self.step}` the record has {self.expected}, but the code asks for {self.found}; "
            f'restore the code, roll back to before it, or use `on_divergence="rerun"`'
        )


@attrs.define
class RollbackRefused(OmiumError):
    """The rollback could not be done as a whole, so nothing was changed."""

    code: ClassVar[str] = "rollback-refused"
    execution: str
    reason: str

    def __str__(self) -> str:
        return f"execution `{self.execution}` was not rolled back, nothing was changed: {self.reason}"


@attrs.define
class ReviewRefused(OmiumError):
    """An answer that does not fit what is asked, or that was given to another state than the present one."""

    code: ClassVar[str] = "review-refused"
    execution: str
    reason: str

    def __str__(self) -> str:
        return f"the answer for `{self.execution}` was not taken: {self.reason}"


@attrs.define
class ExecutionPaused(OmiumError):
    """The execution waits for a person; any later process can resume it."""

    code: ClassVar[str] = "execution-paused"
    execution: str
    reason: str

    def __str__(self) -> str:
        return f"execution `{self.execution}` is paused: {self.reason}; see `omium show {self.execution}`"


@attrs.define
class ExecutionHalted(OmiumError):
    """The execution was stopped for good; everything is kept."""

    code: ClassVar[str] = "execution-halted"
    execution: str
    reason: str

    def __str__(self) -> str:
        return f"execution `{self.execution}` was halted: {self.reason}; see `omium show {self.execution}`"


@attrs.define
class ExecutionRolledBack(OmiumError):
    """A `with omium.execution(...)` body was rolled back; enter it again with the same id to go on."""

    code: ClassVar[str] = "execution-rolled-back"
    execution: str
    checkpoint: str

    def __str__(self) -> str:
        return (
            f"execution `{self.execution}` was rolled back to `{self.checkpoint}`; "
            f"enter it again with the same id to go on"
        )


@attrs.define
class PluginError(OmiumError):
    """A plugin that cannot be used, and why."""

    code: ClassVar[str] = "plugin"
    plugin: str
    message: str

    def __str__(self) -> str:
        return f"plugin `{self.plugin}` {self.message}"


@attrs.define
class MissingExtra(PluginError):
    """A plugin whose packages are not installed."""

    code: ClassVar[str] = "missing-extra"
    plugin: str
    message: str = "needs packages that are not installed"
    extra: str = ""

    def __str__(self) -> str:
        return f"plugin `{self.plugin}` {self.message}; run: pip install 'omium[{self.extra}]'"
